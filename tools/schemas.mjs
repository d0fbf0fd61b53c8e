// Every generated file. With --check: fails, and says which, if one is not what its source gives.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runTool, ToolError } from './process.mjs';
import { root } from './setup.mjs';

const checking = process.argv.includes('--check');

/** The output of a command, as text. */
function outputOf(/** @type {string} */ program, /** @type {string[]} */ words) {
  const { status, stdout, stderr } = spawnSync(program, words, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new ToolError(`${program} ${words.join(' ')} failed`, (stderr ?? '').trim());
  return stdout;
}

async function generated() {
  const { emitSchemas } = await import('../packages/contract/dist/index.js');
  const { recordSchema } = await import('../packages/evidence/dist/index.js');
  const { reviewSchema } = await import('../packages/review/dist/index.js');
  const { cedarSchema } = await import('../packages/policy/dist/index.js');
  const { sessionFacetSchema } = await import('../packages/export/dist/index.js');
  const { describeApi } = await import('../packages/server/dist/index.js');
  const { engineBinary } = await import('../packages/engine/dist/index.js');
  const json = (/** @type {unknown} */ value) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    'engine-protocol.json': outputOf('cargo', [
      'run',
      '--quiet',
      '--locked',
      '-p',
      'ambit-protocol',
      '--bin',
      'emit-protocol-schema',
    ]),
    'engine-catalog.json': outputOf(engineBinary(), ['--catalog']),
    ...Object.fromEntries(Object.entries(emitSchemas()).map(([file, schema]) => [file, json(schema)])),
    'evidence-record.schema.json': json(recordSchema()),
    'review.schema.json': json(reviewSchema()),
    'ambit.cedarschema': cedarSchema(),
    'openlineage-session-facet.json': json(sessionFacetSchema),
    'openapi.json': json(await describeApi()),
  };
}

await runTool(async () => {
  const stale = [];
  for (const [file, wanted] of Object.entries(await generated())) {
    const path = join(root, 'schemas', file);
    const found = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (found === wanted) continue;
    if (checking) stale.push(`schemas/${file}`);
    else writeFileSync(path, wanted);
  }
  const protocol = ['packages/engine/tools/generate-protocol.mjs', ...(checking ? ['--check'] : [])];
  const types = spawnSync(process.execPath, protocol, { cwd: root, stdio: 'inherit' });
  if (types.status !== 0) stale.push('packages/engine/src/generated/protocol.ts');
  if (stale.length === 0) return 0;
  throw new ToolError(`not what their sources give: ${stale.join(', ')}`, 'run `npm run schemas`');
});
