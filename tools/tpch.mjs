// `npm run tpch -- --scale 1`: writes the tables of examples/tpch. Scale 1 is 330 MB and takes a quarter of a minute.

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { run, runTool, ToolError } from './process.mjs';
import { binaryPath } from './setup/engine.mjs';
import { root } from './setup.mjs';

/**
 * Writes the tables in a scale into a folder, unless it is there.
 *
 * @param {number} scale
 * @param {string} folder
 */
export async function writeTables(scale, folder) {
  if (existsSync(folder)) return;
  const built = await run('cargo', ['build', '--quiet', '--locked', '--package', 'ambit-tpch'], { cwd: root });
  if (built.status !== 0) throw new ToolError('the generator does not build', 'the reason is above');
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const written = await run(binaryPath(root, 'ambit-tpch'), [String(scale), unfinished]);
  if (written.status !== 0) throw new ToolError('the tables could not be written', 'the reason is above');
  renameSync(unfinished, folder);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runTool(async () => {
    const { values } = parseArgs({ options: { scale: { type: 'string', default: '1' } } });
    const scale = Number(values.scale);
    if (!(scale > 0 && scale <= 1_000)) throw new ToolError('the scale is a number above 0, up to 1000');
    const folder = join(root, 'examples/tpch/data');
    rmSync(folder, { recursive: true, force: true });
    await writeTables(scale, folder);
    console.log('examples/tpch/data has the tables; examples/tpch/README.md says how to serve them');
  });
}
