import type { EvidenceLog, SessionEvidence } from '@ambit/evidence';
import { authorize } from '@ambit/policy';
import { expect, test, vi } from 'vitest';
import type { Path, Product, Request } from '../src/index.ts';
import { replay, ReplayImpossible } from '../src/index.ts';

// What a replay says of ends that a real engine gives only when something has gone wrong. The others are in tests/stories.

vi.mock('@ambit/policy', { spy: true });
const grant = 'sha256:grant';
vi.mocked(authorize).mockReturnValue({ allowed: true, grant: { digest: grant } } as ReturnType<typeof authorize>);

const product = {
  boundary: { product: { name: 'flights', version: '1.0.0' } },
  fingerprint: 'sha256:f',
  policies: {},
} as unknown as Product;
const access = (object: string, version: string | null) => ({ store: 'lake', object, version });
const file = access('a.csv', 'v1');

interface End {
  readonly status?: string;
  readonly rows?: number;
  readonly bytes?: number;
  readonly digest?: string;
  readonly accesses?: readonly object[];
}

function evidence(
  session: string,
  { status = 'completed', rows = 2, bytes = 9, digest = 'sha256:r', accesses = [file] }: End,
) {
  const statement = {
    kind: 'sql',
    name: null,
    sql: 'SELECT 1',
    parameters: { half: { type: 'double', value: '0.5' } },
  };
  const intent = {
    session,
    at: '2026-11-24T01:02:03.000000Z',
    product: 'flights',
    version: '1.0.0',
    fingerprint: 'sha256:f',
    grant,
    subject: {},
    purpose: 'operations',
    statement,
    format: 'json',
  };
  const outcome = { status, error: null, rows, bytes, engine: { resultDigest: digest, accesses } };
  return { intent, outcome, grant: null, boundary: null } as unknown as SessionEvidence;
}

/** Replays a session whose runs end so, one after the other. */
async function replayed(recorded: End, ...runs: readonly End[]) {
  const asked: Request[] = [];
  const path = {
    run: (request: Request) => {
      asked.push(request);
      return Promise.resolve({ session: `ses_${asked.length}`, body: (async function* () {})() });
    },
  } as unknown as Path;
  const log = {
    session: (id: string) => Promise.resolve(evidence(id, runs[Number(id.slice(4)) - 1] ?? {})),
  } as unknown as EvidenceLog;
  const by = {
    tenant: 't',
    principal: 'p',
    kind: 'user',
    authentication: { method: 'api-key', reference: 'k' },
  } as const;
  const asking = { id: 'r', by, signal: new AbortController().signal };
  const found = await replay({ path, products: [product], evidence: log }, evidence('ses_0', recorded), asking);
  return { found, asked };
}

const again = (end: End): End[] => [end, end, end, end, end];

test.each<[string, End, End[], string, number]>([
  ['the same bytes', {}, [{}], 'same', 1],
  ['the same bytes at last', {}, [{ digest: 'x' }, {}], 'same', 2],
  ['other bytes, each time the same', {}, again({ digest: 'x' }), 'undecided', 5],
  ['more bytes, each time the same', {}, again({ digest: 'x', bytes: 10 }), 'different', 5],
  ['one row, and other bytes', { rows: 1 }, again({ digest: 'x', rows: 1 }), 'different', 5],
  ['other bytes each time', {}, ['u', 'v', 'w', 'x', 'y'].map((digest) => ({ digest })), 'undecided', 5],
  ['another number of rows', {}, [{ digest: 'x', rows: 3 }], 'different', 1],
  ['another end', {}, [{ status: 'refused' }], 'different', 1],
  ['a file of another version', {}, [{ digest: 'x', accesses: [access('a.csv', 'v2')] }], 'input_gone', 1],
  ['the same bytes of another file', {}, [{ accesses: [access('a.csv', 'v2')] }], 'input_gone', 1],
  ['a file that cannot be opened', {}, [{ status: 'failed', accesses: [access('a.csv', null)] }], 'input_gone', 1],
  ['a file more', {}, [{ digest: 'x', accesses: [file, access('b.csv', 'v1')] }], 'input_gone', 1],
  ['the same bytes, and a file not needed', {}, [{ accesses: [] }], 'same', 1],
  ['other bytes, and a file not opened', {}, [{ digest: 'x', accesses: [] }], 'input_gone', 1],
])('%s', async (_, recorded, runs, verdict, ran) => {
  const { found } = await replayed(recorded, ...runs);
  expect([found.verdict, found.runs.length]).toEqual([verdict, ran]);
});

test('a record without a clock lends the time of its intent, and says so', async () => {
  const { found, asked } = await replayed({}, {});
  expect(found.clock).toBe('of the intent');
  expect(asked[0]?.replay).toMatchObject({ of: 'ses_0', clockMicros: Date.UTC(2026, 10, 24, 1, 2, 3) * 1_000 });
  expect(asked[0]?.parameters).toEqual({ half: { type: 'double', value: '0.5' } });
});

test.each(['cancelled', 'crashed', 'orphaned'])('a session that was %s has nothing to compare with', async (status) => {
  await expect(replayed({ status })).rejects.toThrow(ReplayImpossible);
});
