import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { ambit, type Ran } from './player.ts';

const example = fileURLToPath(new URL('../../../examples/flights/', import.meta.url));
const top = mkdtempSync(join(tmpdir(), 'ambit-environment-'));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(top, 'product-'));
});
afterAll(() => rmSync(top, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

/** Runs the command, and tells what it said without the folder. */
async function run(...words: readonly string[]): Promise<Ran> {
  const { status, out, err } = await ambit(words, { cwd: folder });
  const short = (text: string): string => text.replaceAll(`${folder}/`, '');
  return { status, out: short(out), err: short(err) };
}

const base = `apiVersion: ambit/v1
kind: EnvironmentBase
stores:
  lake: { root: data }
limits: { rows: 100, timeout: 1h }
`;
const test1 = `apiVersion: ambit/v1
kind: Environment
extends: base.yaml
name: test
settings: { datafusion.execution.batch_size: 100 }
exports:
  otlp: { url: "https://me:hunter2@collector:1/?token=hunter3" }
`;

describe('ambit environment show', () => {
  test('tells every value, and where it stands', async () => {
    write({ 'base.yaml': base, 'test.yaml': test1.replace(/exports:\n.*\n/, '') });
    const { status, out, err } = await run('environment', 'show', join(folder, 'test.yaml'));
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toBe(`# test.yaml
# extends base.yaml
apiVersion: ambit/v1                    # test.yaml:1:1
kind: Environment                       # test.yaml:2:1
name: test                              # test.yaml:4:1
stores:
  lake:
    root: data                          # base.yaml:4:11
limits:
  rows: 100                             # base.yaml:5:11
  timeout: 1h                           # base.yaml:5:22
settings:
  datafusion.execution.batch_size: 100  # test.yaml:5:13
`);
    const json = await run('environment', 'show', join(folder, 'test.yaml'), '--json');
    const { environment, origins } = JSON.parse(json.out) as { environment: object; origins: Record<string, object> };
    // What is shown is YAML, and the same environment.
    expect(parse(out)).toEqual(environment);
    expect(origins['stores.lake.root']).toEqual({ file: 'base.yaml', line: 4, column: 11 });
  });

  test('shows no secret that somebody put into an address', async () => {
    write({ 'base.yaml': base, 'test.yaml': test1 });
    for (const more of [[], ['--json']]) {
      const { out, err } = await run('environment', 'show', join(folder, 'test.yaml'), ...more);
      expect(out).toContain('https://...@collector:1/?...');
      expect(out + err).not.toMatch(/hunter/);
    }
  });

  test('tells what is wrong with a base, in its place', async () => {
    write({ 'base.yaml': base.replace('rows: 100', 'rows: many'), 'test.yaml': test1 });
    const { status, out, err } = await run('environment', 'show', join(folder, 'test.yaml'));
    expect({ status, out }).toEqual({ status: 1, out: '' });
    expect(err).toContain('base.yaml:5:17  expected a whole number\n');
  });
});

describe('an environment by its name', () => {
  const show = (name: string): Promise<Ran> => run('environment', 'show', name, folder);

  test('is a file beside the contracts, or in their folder `environments`', async () => {
    write({ 'base.yaml': base, 'test.yaml': test1 });
    expect((await show('test')).out).toContain('# test.yaml\n');
    mkdirSync(join(folder, 'environments'));
    writeFileSync(
      join(folder, 'environments/staging.yaml'),
      'apiVersion: ambit/v1\nkind: Environment\nname: staging\n',
    );
    expect((await show('staging')).out).toContain('# environments/staging.yaml\n');
    // Beside a contract that is named itself too.
    cpSync(join(example, 'flights.yaml'), join(folder, 'flights.yaml'));
    expect((await run('environment', 'show', 'test', join(folder, 'flights.yaml'))).out).toContain('# test.yaml\n');
  });

  test('is never another, or one of two', async () => {
    write({ 'base.yaml': base, 'test.yaml': test1, 'production.yaml': test1 });
    expect(await show('production')).toMatchObject({
      status: 1,
      err:
        'error: 1 problem\nproduction.yaml:4:7  this is `test`, and `production` was asked for\n' +
        '  hint: give the file the name `production` inside, or name it by its path\n',
    });
    expect(await show('staging')).toMatchObject({
      status: 2,
      err: 'error: there is no environment `staging`\nhint: looked for environments/staging.yaml, staging.yaml\n',
    });
    mkdirSync(join(folder, 'environments'));
    writeFileSync(join(folder, 'environments/test.yaml'), test1);
    expect(await show('test')).toMatchObject({
      status: 2,
      err: 'error: `test` could be environments/test.yaml, test.yaml\nhint: name the file by its path\n',
    });
  });
});

describe('what an environment overrules', () => {
  test('is said, with both places, and holds', async () => {
    for (const file of ['flights.yaml', 'flights.cedar']) cpSync(join(example, file), join(folder, file));
    write({
      'base.yaml': base.replace('lake', 'lak').replace('stores:', 'stores:\n  lake: { root: . }'),
      'test.yaml': test1,
    });
    const { status, out, err } = await run('validate', folder, '--environment', 'test');
    expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(/^flights.yaml: flights 1.0.0 sha256:/) });
    const line = (text: string): number =>
      readFileSync(join(folder, 'flights.yaml'), 'utf8')
        .split('\n')
        .findIndex((each) => each.includes(text)) + 1;
    // An hour is more than the contract's 30s: nothing is lowered, and nothing said.
    expect(err).toBe(
      `note: flights.yaml:${line('rows: 3000000')}:3  the limit \`rows\` is 100 in test: base.yaml:6:11 lowers it from 3000000\n` +
        `note: flights.yaml:${line('batch_size')}:3  \`datafusion.execution.batch_size\` is 100 in test: test.yaml:5:13 says so in place of 8192\n` +
        'note: base.yaml:5:3  no contract here has a store `lak`\n  hint: did you mean `lake`\n',
    );
  });

  test('is refused where it cannot be, once for all contracts, in the file that says so', async () => {
    for (const file of ['flights.yaml', 'flights.cedar']) cpSync(join(example, file), join(folder, file));
    cpSync(join(example, 'other-tenant'), join(folder, 'other-tenant'), { recursive: true });
    const wrong = `${base}settings:\n  datafusion.execution.batch_sise: 1\n  datafusion.execution.target_partitions: few\n`;
    write({ 'base.yaml': wrong, 'test.yaml': test1 });
    const { status, err } = await run('validate', folder, '--environment', 'test');
    expect(status).toBe(1);
    expect(err.match(/base\.yaml:7:3 {2}unknown setting/g)).toHaveLength(1);
    expect(err.match(/base\.yaml:8:\d+ {2}/g)).toHaveLength(1);
  });
});

describe('the environments of the example', () => {
  test.each(['development', 'test', 'production'])('%s serves the contracts', async (name) => {
    const ran = await ambit(['validate', example, '--environment', name], { cwd: folder });
    expect(ran.status).toBe(0);
    expect(ran.out).toContain('flights 1.0.0 sha256:');
  });
});
