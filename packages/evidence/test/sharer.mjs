// Puts the log of a folder into a database. Says `shared`, or the code of what went wrong.
import { writeSync } from 'node:fs';
import { shareLog } from '../dist/index.js';

const [folder, options] = process.argv.slice(2);
writeSync(1, 'open\n');
try {
  await shareLog({ folder, ambit: '0.1.0', ...JSON.parse(options) });
  writeSync(1, 'shared\n');
} catch (error) {
  writeSync(1, `${error.code ?? error.message}\n`);
}
