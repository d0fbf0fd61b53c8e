import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { root } from '../server.ts';

// The story that a newcomer runs is told to its end, and says what its page promises. Needs git.

vi.setConfig({ testTimeout: 240_000, hookTimeout: 30_000 });

const temporary = mkdtempSync(join(tmpdir(), 'ambit-told-'));
afterAll(() => rmSync(temporary, { recursive: true }));

interface Told {
  readonly status: number | null;
  readonly text: string;
}

/** Runs the script as a newcomer would; `until`: is told to stop when it has said so. */
function story(until: RegExp | null = null): Promise<Told> {
  const child = spawn(process.execPath, [join(root, 'examples/review/story.mjs')], {
    cwd: temporary,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (until?.test(text) === true) child.kill('SIGTERM');
    });
  }
  return new Promise((done) => child.once('close', (status) => done({ status, text })));
}

test('from an empty repository to the evidence, each step says what it should, and nothing is left', async () => {
  const { status, text } = await story();
  expect(status, text).toBe(0);
  // In this order: what is said before a step is not looked at again.
  let rest = text;
  const says = (what: string | RegExp): void => {
    const at = typeof what === 'string' ? rest.indexOf(what) : rest.search(what);
    expect(at, `${String(what)} in\n${rest}`).toBeGreaterThanOrEqual(0);
    rest = rest.slice(at + 1);
  };
  says('ambit review status flights.yaml --environment production');
  says('waits for 2 of ann, bo');
  says('policy tests: 3 passed');
  says('1 more to approve');
  says('approved: commit both files');
  says(/server \| review: flights 1.0.0 is approved by ann, bo until/);
  says('noah$ ambit query flights');
  says(/2001-01-01T00:00:00 +\d+\n2001-01-02T00:00:00/);

  says("+      with: date_trunc('hour', value)");
  says('dana$ ambit diff flights --from main --to ./');
  says('widens (1): someone may see or do more');
  says(/mask `coarse-time`: changed\n +it shows more of `flights.date`: .* looked the same in `date`, and would not/);
  says('ci$ ambit review check --range main..HEAD');
  says('1 changed, **1 not approved**.');
  says('| flights 1.0.0 | production | widens | 0 of 2 | missing |');
  says('waits for 2 of ann, bo');
  says('[exit status 1]');

  says('server | reload refused: 1 problem; what was served before is served still');
  says('is not approved for production: it widens, which 2 people approve; nobody has');
  says(/2001-01-01T00:00:00 +\d+\n2001-01-02T00:00:00/);

  says('FAIL  a researcher sees nothing finer than a day: noah for research');
  says('1 of 3 policy tests failed: nothing was signed');
  says('Would see more (1)');
  says('approved: commit both files');
  says('1 changed, all approved.');
  says(
    /approved by \*\*ann\*\* until \S+ \(3 policy tests passed; of 2 recorded requests 2 gain, 0 lose, 0 see otherwise/,
  );
  says(/approved by \*\*bo\*\* until \S+ \(3 policy tests passed\)/);
  says('server | reload: serving flights 1.0.0');
  says(/2001-01-01T00:00:00 +\d+\n2001-01-01T01:00:00/);

  says('vera$ ambit session explain');
  says(/approved +by ann until .*: hours, see #214/);
  says(/by bo until .*: the airlines agreed to hours/);
  says('vera$ ambit evidence query');
  says(/ann +hours, see #214 +1/);
  says(/bo +same as in the agreement +2/);
  says('auditor$ ambit verify');
  says('intact: .ambit/evidence');
  expect(readdirSync(temporary)).toEqual([]);
});

test('whoever stops it is left with nothing of it either', async () => {
  const { status, text } = await story(/listening on/);
  expect(status).toBe(1);
  expect(text).toContain('error: stopped by SIGTERM');
  expect(readdirSync(temporary)).toEqual([]);
});
