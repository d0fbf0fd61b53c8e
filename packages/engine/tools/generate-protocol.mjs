// Writes src/generated/protocol.ts from schemas/engine-protocol.json. With --check: fails if they differ.
import { readFile, writeFile } from 'node:fs/promises';
import { compile } from 'json-schema-to-typescript';

const schemaFile = new URL('../../../schemas/engine-protocol.json', import.meta.url);
const outputFile = new URL('../src/generated/protocol.ts', import.meta.url);

const schema = JSON.parse(await readFile(schemaFile, 'utf8'));
// JSON of any kind: the generator would write an object.
schema.definitions.TypedValue.properties.value.tsType = 'unknown';
const banner = '/* Generated from schemas/engine-protocol.json, which the Rust types emit. Never edit. */';
const text = await compile({ ...schema, type: 'object' }, 'EngineProtocol', {
  bannerComment: banner,
  unreachableDefinitions: true,
  additionalProperties: false,
  format: true,
  style: { singleQuote: true, printWidth: 120 },
});
const wanted = text.replaceAll(/export interface EngineProtocol \{[^}]*\}\n/g, '');

if (process.argv.includes('--check')) {
  const found = await readFile(outputFile, 'utf8').catch(() => '');
  if (found !== wanted) {
    console.error('packages/engine/src/generated/protocol.ts is not what schemas/engine-protocol.json gives');
    process.exit(1);
  }
} else {
  await writeFile(outputFile, wanted);
}
