import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

import { tidy, tidyRepository } from '../tidy.mjs';

const everything = () => true;
const nothing = () => false;
const messages = (files: Record<string, string>, exists: (name: string) => boolean = everything) =>
  tidy(new Map(Object.entries(files)), exists).map(({ path, line, message }) => `${path}:${line} ${message}`);
const lines = (count: number, text: string) => `${text}\n`.repeat(count);

test('the repository is tidy', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  expect(tidyRepository(root)).toEqual([]);
});

describe('lengths', () => {
  test.each([
    ['a declaration', 'function f() {\n', '}\n'],
    ['an exported async one', 'export async function f(a: string): Promise<void> {\n', '}\n'],
    ['a signature over several lines', 'export function f(\n  a: string,\n): void {\n', '}\n'],
    ['a value', 'export const f = (a: string) => {\n', '};\n'],
    ['an argument', "on('x', async (a) => {\n", '});\n'],
    ['a method', 'class A {\n  async run(a: string): Promise<void> {\n', '  }\n}\n'],
  ])('%s of more than 70 lines', (_, opening, closing) => {
    const inside = /^ {2}async/m.test(opening) ? '    x();' : '  x();';
    expect(messages({ 'tools/a.ts': opening + lines(66, inside) + closing })).toEqual([]);
    expect(messages({ 'tools/a.ts': opening + lines(70, inside) + closing })).toEqual([
      expect.stringMatching(/function of 7\d lines: at most 70/),
    ]);
  });

  test.each([
    ['pub fn f() {\n', '}\n'],
    ['pub(crate) async fn f(\n    a: u8,\n) -> u8\nwhere\n    u8: Sized,\n{\n', '}\n'],
  ])('a Rust function: %s', (opening, closing) => {
    expect(messages({ 'crates/engine/src/a.rs': opening + lines(60, '    x();') + closing })).toEqual([]);
    expect(messages({ 'crates/engine/src/a.rs': opening + lines(70, '    x();') + closing })).toHaveLength(1);
  });

  test('many short functions are not one long one', () => {
    expect(messages({ 'tools/a.ts': lines(50, 'function f() {\n  g(\n    1,\n  );\n}') })).toEqual([]);
    expect(messages({ 'crates/engine/src/a.rs': lines(50, 'fn f(&self);\nfn g() {}') })).toEqual([]);
  });

  test('a list of calls is no function', () => {
    expect(messages({ 'tools/a.ts': `const a = [\n${lines(40, '  f(\n    1,\n  ),')}];\nif (a) {\n}\n` })).toEqual([]);
  });

  test('tests may be long functions, not long files', () => {
    const path = 'packages/server/test/a.test.ts';
    expect(messages({ [path]: `test('x', () => {\n${lines(90, '  x();')}});\n` })).toEqual([]);
    expect(messages({ [path]: lines(401, 'x();') })).toEqual([`${path}:401 401 lines: a file has at most 400`]);
  });

  test('generated files are exempt', () => {
    expect(messages({ 'tools/generated/protocol.ts': lines(900, 'x();') })).toEqual([]);
  });
});

describe('directions', () => {
  const index = (name: string, text: string) => ({ [`packages/${name}/src/index.ts`]: text });

  test.each([
    ['contract', "import { a } from '@ambit/policy';", '`contract` may not import `policy`'],
    ['policy', "export type { A } from '@ambit/session';", '`policy` may not import `session`'],
    ['evidence', "import type { A } from '@ambit/contract';", '`evidence` may not import `contract`'],
    ['engine', "await import('@ambit/contract');", '`engine` may not import `contract`'],
    ['session', "import '@ambit/server';", '`session` may not import `server`'],
    ['server', "import { a } from '@ambit/cli';", '`server` may not import `cli`'],
    [
      'session',
      "import { a } from '@ambit/engine/dist/a.js';",
      '`@ambit/engine/dist/a.js` reaches into a package: import its public surface',
    ],
    [
      'session',
      "import { a } from '../../engine/src/a.ts';",
      '`../../engine/src/a.ts` leaves the package: import `@ambit/NAME`',
    ],
    ['session', "import { a } from './a.js';", '`./a.js`: relative imports end in `.ts`'],
    ['stranger', "import { a } from '@ambit/contract';", '`stranger` may not import `contract`'],
  ])('%s: %s', (name, text, message) => {
    expect(messages(index(name, `// first\n${text}\n`))).toEqual([`packages/${name}/src/index.ts:2 ${message}`]);
  });

  test('downwards is free', () => {
    expect(
      messages(index('server', "import { a } from '@ambit/session';\nimport { b } from '@ambit/contract';\n")),
    ).toEqual([]);
  });

  test('manifests point downwards too', () => {
    const manifest = { description: 'x', dependencies: { '@ambit/server': '0.1.0', yaml: '2' } };
    expect(messages({ 'packages/contract/package.json': JSON.stringify(manifest) })).toEqual([
      'packages/contract/package.json:1 `contract` may not depend on `server`',
    ]);
    const crate = 'description = "x"\n[dependencies]\nambit-worker = { path = "../worker" }\n';
    expect(messages({ 'crates/engine/Cargo.toml': crate })).toEqual([
      'crates/engine/Cargo.toml:1 `engine` may not depend on `worker`',
    ]);
    expect(messages({ 'crates/stranger/Cargo.toml': 'description = "x"\n' })).toHaveLength(1);
  });

  test('a file that nothing imports', () => {
    const files = {
      ...index('session', "export { a } from './a.ts';\n"),
      'packages/session/src/a.ts': '',
      'packages/session/src/b.ts': '',
      'tools/x.mjs': "const { a } = await import('../packages/session/dist/index.js');\n",
    };
    expect(messages(files)).toEqual(['packages/session/src/b.ts:1 nothing imports this file']);
  });
});

describe('words', () => {
  test.each([
    ['tools/a.ts', "export * from './b.ts';"],
    ['tools/a.ts', '// TODO later'],
    ['crates/engine/src/a.rs', '// FIXME'],
    ['crates/engine/src/a.rs', 'todo!()'],
    ['crates/engine/src/a.rs', 'unimplemented!("x")'],
    ['crates/engine/tests/a.rs', '#[ignore = "slow"]'],
    ['packages/session/test/a.test.ts', "test.skip('x', () => {});"],
    ['packages/session/test/a.test.ts', "describe.only('x', () => {});"],
    ['tools/a.ts', '// @ts-ignore'],
    ['docs/a.md', 'as said in §4'],
    ['docs/a.md', 'as issue 3 asks'],
    ['docs/a.md', 'see /home/somebody/notes'],
    ['README.md', 'run `cat /root/x`'],
    ['docs/a.md', 'see ../shared/x'],
  ])('%s: %s', (path, text) => {
    expect(messages({ [path]: `first\n${text}\n` })).toEqual([expect.stringMatching(new RegExp(`^${path}:2 `))]);
  });

  test.each([
    ['docs/a.md', 'https://example.com/home/x and apache/datafusion#22229 and packages/work/x'],
    ['packages/session/src/index.ts', 'const skip = test.skipped; // todo lists are fine\n'],
  ])('%s: %s is fine', (path, text) => {
    expect(messages({ [path]: text })).toEqual([]);
  });

  test('documents and links that are not here', () => {
    expect(
      messages({ 'docs/a.md': 'see PLAN.md\nand [the guide](guide/first.html#top)\n[x](https://a.b/c)\n' }, nothing),
    ).toEqual([
      'docs/a.md:1 names `PLAN.md`, which is not here',
      'docs/a.md:2 links to `guide/first.html`, which is not here',
    ]);
  });
});

describe('packages', () => {
  test('say what they are for', () => {
    expect(messages({ 'packages/contract/package.json': '{}' })).toHaveLength(1);
    expect(messages({ 'crates/engine/Cargo.toml': '[package]\nname = "x"\n' })).toHaveLength(1);
    expect(messages({ 'crates/engine/src/lib.rs': 'mod a;\n' })).toHaveLength(1);
    expect(messages({ 'crates/engine/src/lib.rs': '//! What it is.\nmod a;\n' })).toEqual([]);
  });

  test('are locked to the public registry', () => {
    const lock =
      '"resolved": "https://registry.npmjs.org/a/-/a-1.tgz",\n"resolved": "https://mirror.internal/a-1.tgz",\n"resolved": "packages/cli",\n';
    expect(messages({ 'package-lock.json': lock })).toEqual([
      "package-lock.json:2 locked to another registry than npm's",
    ]);
  });
});

describe('what a package exports', () => {
  const index = "export { type A, used } from './a.ts';\nexport type {\n  B,\n} from './b.ts';\n";
  const base = {
    'packages/engine/src/index.ts': index,
    'packages/engine/src/a.ts': 'export type A = B;\n',
    'packages/engine/src/b.ts': 'export type B = 1;\n',
  };
  const said = (files: Record<string, string>) => messages({ ...base, ...files }).filter((one) => one.includes('uses'));

  test('is used by somebody outside of it', () => {
    const user = { 'packages/session/src/index.ts': "import { used } from '@ambit/engine';\n" };
    expect(said(user)).toEqual([
      'packages/engine/src/index.ts:1 nobody outside of `engine` uses `A`',
      'packages/engine/src/index.ts:3 nobody outside of `engine` uses `B`',
    ]);
  });

  test.each([
    ['a package', 'packages/session/src/index.ts', "import { type A, type B, used } from '@ambit/engine';\n"],
    ['a tool', 'tools/x.mjs', "const { used, A, B } = await import('../packages/engine/dist/index.js');\n"],
    ['its tests', 'packages/engine/test/a.test.ts', "import { type A, type B, used } from '../src/index.ts';\n"],
  ])('as %s is', (_, path, text) => {
    expect(said({ [path]: text })).toEqual([]);
  });

  test('is not used by whoever says the same word of something else', () => {
    expect(said({ 'tools/x.mjs': 'const [A, B, used] = [];\n' })).toHaveLength(3);
  });
});
