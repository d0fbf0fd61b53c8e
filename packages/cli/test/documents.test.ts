import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// What the documents print is what happens: their commands run as processes, and their outputs are compared.

const root = fileURLToPath(new URL('../../..', import.meta.url));
const command = join(root, 'packages/cli/bin/ambit.js');
const folder = mkdtempSync(join(tmpdir(), 'ambit-documents-'));
const servers: ChildProcess[] = [];

afterAll(async () => {
  await Promise.all(servers.map(stop));
  rmSync(folder, { recursive: true });
});

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function ambit(cwd: string, words: readonly string[], server = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...(server === '' ? {} : { AMBIT_SERVER: server }) };
    const child = spawn(process.execPath, [command, ...words], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
    child.on('close', (status) => resolve({ status, ...said }));
  });
}

/** Serves on a free port. The address is in what the server says. */
async function serve(cwd: string, words: readonly string[]): Promise<{ url: string; server: ChildProcess }> {
  const server = spawn(process.execPath, [command, 'serve', ...words, '--listen', '127.0.0.1:0'], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  servers.push(server);
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    server.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /^listening on (\S+)$/m.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    server.once('exit', () => reject(new Error(`the server did not start:\n${said}`)));
  });
  return { url, server };
}

function stop(server: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve(server.exitCode);
    server.once('exit', (status) => resolve(status));
    server.kill('SIGTERM');
  });
}

interface Step {
  readonly words: readonly string[];
  readonly expected: string;
}

/** The commands of a document's `console` blocks, each with the output that it shows. */
function steps(document: string): readonly Step[] {
  const blocks = [...document.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text = '']) => text);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [line = '', ...rest] = text.split('\n');
        return { words: wordsOf(line).slice(2), expected: rest.join('\n') };
      }),
  );
}

function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/** What a person sees, without the lines that name a session: its id is another each time. */
function seen({ out, err }: Ran): string {
  return withoutDigests(`${out}${err}`).replace(/^(?:\d+ rows?, session \w+|session:? \w+|key \w+, saved .*)\n/gm, '');
}

/** A fingerprint moves with every version of the engine. */
function withoutDigests(text: string): string {
  return text.replace(/sha256:[0-9a-f]{64}/g, 'sha256:...');
}

async function follow(cwd: string, { words, expected }: Step, server = ''): Promise<void> {
  const ran = await ambit(cwd, words, server);
  const shown = seen(ran);
  expect(ran.status, shown).toBe(expected.startsWith('error: ') ? 1 : 0);
  if (expected === '') return;
  // `...` stands for more lines.
  if (expected.endsWith('...\n')) expect(shown.startsWith(expected.slice(0, -4)), shown).toBe(true);
  else expect(shown).toBe(withoutDigests(expected));
}

describe('README.md: your own contract in five minutes', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8').split('## Your own contract')[1] ?? '';
  const [validate, create, serving, ...questions] = steps(text);
  const block = (language: string): string =>
    new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text)?.[1] ?? '';

  test('works as it stands there', async () => {
    const cwd = join(folder, 'readme');
    mkdirSync(join(cwd, 'my-product/data'), { recursive: true });
    writeFileSync(join(cwd, 'my-product/data/orders.csv'), /<<'END'\n(.*?)^END$/ms.exec(text)?.[1] ?? '');
    writeFileSync(join(cwd, 'my-product/orders.yaml'), block('yaml'));
    writeFileSync(join(cwd, 'my-product/orders.cedar'), block('cedar'));
    await follow(cwd, validate);
    await follow(cwd, create);
    expect(serving?.words).toEqual(['serve', 'my-product']);
    const { url, server } = await serve(cwd, ['my-product']);
    expect(questions).not.toHaveLength(0);
    for (const question of questions) await follow(cwd, question, url);
    expect(await stop(server)).toBe(0);
  }, 60_000);
});

describe('the flights', () => {
  const cwd = join(folder, 'flights');
  let url = '';

  beforeAll(async () => {
    mkdirSync(cwd, { recursive: true });
    // As `npm start` does.
    const subjects = [
      ['maria', 'operator', '--claim', 'state=CA'],
      ['vera', 'auditor'],
      ['noah', 'researcher', '--claim', 'released_until=2001-04-01T00:00:00'],
    ];
    for (const [name = '', role = '', ...claim] of subjects) {
      const words = ['--tenant', 'mobility', '--principal', name, '--role', role, ...claim, '--save', name];
      expect(await ambit(cwd, ['key', 'create', ...words])).toMatchObject({ status: 0 });
    }
    const example = join(root, 'examples/flights');
    ({ url } = await serve(cwd, [example, '--environment', 'development']));
    // The data is held against its rules behind the back of whoever asks first.
    const checked = [
      'evidence',
      'query',
      '--as',
      'vera',
      '--format',
      'csv',
      'SELECT count(*) > 0 AS checked FROM quality',
    ];
    for (let attempt = 0; attempt < 60; attempt += 1) {
      if ((await ambit(cwd, checked, url)).out.includes('true')) break;
    }
  }, 120_000);

  const inReadme = readFileSync(join(root, 'README.md'), 'utf8').split('## Your own contract')[0] ?? '';
  const inExample = readFileSync(join(root, 'examples/flights/README.md'), 'utf8');
  const asked = [...steps(inReadme), ...steps(inExample)].filter(({ words }) => words[0] !== 'validate');

  test('both documents ask', () => expect(asked.length).toBeGreaterThan(15));

  test.each(asked.map((step) => [step.words.join(' '), step] as const))(
    '%s',
    (_, step) => follow(cwd, step, url),
    30_000,
  );

  test('every answer is another session, and each can be shown', async () => {
    const listed = await ambit(cwd, ['session', 'list', '--as', 'noah', '--json'], url);
    const sessions = (JSON.parse(listed.out) as { session: string; status: string }[]).filter(
      ({ status }) => status !== 'running',
    );
    expect(new Set(sessions.map(({ session }) => session)).size).toBe(sessions.length);
    for (const { session, status } of sessions.slice(0, 4)) {
      const shown = await ambit(cwd, ['session', 'show', session, '--as', 'noah'], url);
      expect(shown.status).toBe(0);
      expect(shown.out).toContain(`Session ${session}: ${status}\n`);
    }
    // Another subject's session is not there, unless a policy lets its evidence be read.
    const one = sessions[0]?.session ?? '';
    expect(await ambit(cwd, ['session', 'show', one, '--as', 'maria'], url)).toMatchObject({ status: 1, out: '' });
    expect((await ambit(cwd, ['session', 'show', one, '--as', 'vera'], url)).out).toContain(`Session ${one}: `);
  }, 60_000);
});

test('a checkout without its dist says what to do', async () => {
  const bare = join(folder, 'bare/bin');
  mkdirSync(bare, { recursive: true });
  writeFileSync(join(bare, 'ambit.js'), readFileSync(command));
  writeFileSync(join(dirname(bare), 'package.json'), '{"type":"module"}');
  const child = spawn(process.execPath, [join(bare, 'ambit.js')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect({ status, said }).toEqual({
    status: 3,
    said: 'error: ambit is not built yet\nhint: run `npm run build` in the checkout\n',
  });
});
