// `npm run tpch -- --scale 1`: writes the tables of examples/tpch. Scale 1 is 330 MB and takes a quarter of a minute.

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { run, runTool, ToolError } from './process.mjs';
import { binaryPath } from './setup/engine.mjs';
import { digestOf } from './setup/inputs.mjs';
import { root } from './setup.mjs';

/**
 * Writes the tables in a scale into a folder. What was there is replaced when they are whole.
 *
 * @param {number} scale
 * @param {string} folder
 */
async function writeTables(scale, folder) {
  // With the worker, DataFusion has the features that it has already: it is not compiled again.
  const built = await run(
    'cargo',
    ['build', '--quiet', '--locked', '--package', 'ambit-worker', '--package', 'ambit-tpch'],
    { cwd: root },
  );
  if (built.status !== 0) throw new ToolError('the generator does not build', 'the reason is above');
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const written = await run(binaryPath(root, 'ambit-tpch'), [String(scale), unfinished]);
  if (written.status !== 0) throw new ToolError('the tables could not be written', 'the reason is above');
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
}

/**
 * A folder with the tables in a scale, as this generator writes them, for tests and measures.
 *
 * @param {number} scale
 */
export async function tables(scale) {
  const generator = join(root, 'examples/tpch/generate');
  const written = digestOf(root, [join(generator, 'Cargo.toml'), join(generator, 'src/main.rs')], [String(scale)]);
  const folder = join(root, '.ambit/tpch', written.slice(0, 16));
  if (!existsSync(folder)) await writeTables(scale, folder);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runTool(async () => {
    const { values } = parseArgs({ options: { scale: { type: 'string', default: '1' } } });
    const scale = Number(values.scale);
    if (!(scale > 0 && scale <= 1_000)) throw new ToolError('the scale is a number above 0, up to 1000');
    const folder = join(root, 'examples/tpch/data');
    await writeTables(scale, folder);
    console.log('examples/tpch/data has the tables; examples/tpch/README.md says how to serve them');
  });
}
