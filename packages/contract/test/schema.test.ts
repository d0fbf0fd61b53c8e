import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Contract, readDocument } from '../src/index.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const published = JSON.parse(readFileSync(`${root}schemas/contract.schema.json`, 'utf8')) as Schema;
const ajv = new Ajv({ allErrors: true, strict: false });
const example = readFileSync(`${root}examples/flights/flights.yaml`, 'utf8');

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** Keys that an editor would show without a word. */
function mute(schema: Schema, path: string): readonly string[] {
  const properties = Object.entries(schema.properties ?? {});
  const own = properties.filter(([, { description }]) => description === undefined).map(([key]) => `${path}${key}`);
  const patterns = Object.values(schema.patternProperties ?? {}).flatMap((each) => mute(each, `${path}*.`));
  const items = schema.items === undefined ? [] : mute(schema.items, `${path}[].`);
  return [...own, ...properties.flatMap(([key, each]) => mute(each, `${path}${key}.`)), ...patterns, ...items];
}

describe('the published schema', () => {
  it.each(['contract', 'environment', 'environment-base'])('says of every key of the %s what it means', (name) => {
    const schema = JSON.parse(readFileSync(`${root}schemas/${name}.schema.json`, 'utf8')) as Schema;
    expect(mute(schema, '')).toEqual([]);
  });

  it.each(['base', 'development', 'test', 'production'])('finds the example environment %s right', (name) => {
    const text = readFileSync(`${root}examples/flights/environments/${name}.yaml`, 'utf8');
    const [, file = ''] = /schemas\/([a-z-]+\.schema\.json)/.exec(text) ?? [];
    const schema = JSON.parse(readFileSync(`${root}schemas/${file}`, 'utf8')) as object;
    const validate = new Ajv({ strict: false }).compile(schema);
    const value = parse(text) as object;
    expect(validate(value)).toBe(true);
    // It may take away what a base has, but not what it says of itself.
    expect(validate({ ...value, limits: { rows: null }, tls: null })).toBe(true);
    expect(validate({ ...value, kind: null })).toBe(false);
    expect(validate({ ...value, limits: { rows: 'many' } })).toBe(false);
  });

  it('finds the same contracts right as loading does', () => {
    const validate = ajv.compile(published);
    const cases = `${root}tests/contracts/cases/`;
    const files = readdirSync(cases).filter((file) => file.endsWith('.yaml') && !file.startsWith('yaml-'));
    expect(files.length).toBeGreaterThan(40);
    for (const text of [example, ...files.map((file) => readFileSync(cases + file, 'utf8'))]) {
      expect(validate(parse(text))).toBe(readDocument(text, 'contract.yaml', Contract).problems.length === 0);
    }
  });
});

describe('reading a contract', () => {
  const changed = fc
    .array(
      fc.tuple(
        fc.nat(example.length - 1),
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom('', ' ', '\n', ':', '- ', '"', '{', '*x', '&y', '\t', '!!x ', '\u0000', '👍', '%', '|'),
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((edits) =>
      edits.reduce((text, [at, length, put]) => text.slice(0, at) + put + text.slice(at + length), example),
    );

  it('never throws: it has a value, or says what is wrong and where', () => {
    fc.assert(
      fc.property(fc.oneof(changed, fc.string({ unit: 'binary' })), (text) => {
        const { value, problems } = readDocument(text, 'contract.yaml', Contract);
        expect(value !== null || problems.length > 0).toBe(true);
        const lines = text.split('\n');
        for (const { line, column, message } of problems) {
          expect(message).not.toBe('');
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
        }
      }),
      { numRuns: 300 },
    );
  });
});
