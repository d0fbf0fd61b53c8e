// Takes part in a shared log and keeps it, until it is killed: `prune` removes what is old, `rotate` lets new keys sign.
import { writeSync } from 'node:fs';
import { openLog } from '../dist/index.js';

const [folder, what, options] = process.argv.slice(2);
const say = (line) => writeSync(1, `${line}\n`);

for (;;) {
  // Each run begins a segment: in time some are old.
  const log = await openLog({ folder, ambit: '0.1.0', ...JSON.parse(options) });
  say('open');
  if (what === 'prune') say(`pruned ${await log.prune(new Date())}`);
  else say(`rotated ${await log.rotateKey()}`);
  await log.close();
}
