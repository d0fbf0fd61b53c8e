import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Replayed } from '@ambit/session';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// An incident review: a session is explained on one page, run again from its evidence, and held against new boundaries.

const subjects = {
  maria: { tenant: 'mobility', roles: ['operator'], claims: { state: 'CA' } },
  noah: { tenant: 'mobility', roles: ['researcher'] },
  vera: { tenant: 'mobility', roles: ['auditor'] },
  eve: { tenant: 'other', roles: ['operator'] },
};
type Name = keyof typeof subjects;

const folder = mkdtempSync(join(tmpdir(), 'ambit-replay-'));
let server: Server<Name>;
beforeAll(async () => {
  flights('1,SFO,10\n2,LAX,20\n3,JFK,30\n');
  writeFileSync(join(folder, 'airports.csv'), 'iata,state\nSFO,CA\nLAX,CA\nJFK,NY\n');
  contract(folder);
  server = await startServer({ paths: [folder], subjects });
}, 120_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function flights(rows: string): void {
  writeFileSync(join(folder, 'flights.csv'), `id,origin,delay\n${rows}`);
}

interface Changes {
  readonly columns?: string;
  readonly where?: string;
  readonly masks?: string;
  readonly tens?: string;
  readonly functions?: string;
  readonly cedar?: string;
}

function contract(to: string, changes: Changes = {}): string {
  const file = join(to, 'flights.yaml');
  writeFileSync(
    file,
    `apiVersion: ambit/v1
kind: DataProduct
name: flights
version: 1.0.0
tenant: mobility
owner: { team: test }
purposes: { operations: run an airport, research: study }
claims: { state: { type: string } }
stores: { lake: { root: . } }
catalogs: { lists: { type: csv, store: lake } }
tables:
  flights:
    catalog: lists
    path: flights.csv
    columns: { id: { type: bigint }, origin: { type: string }${changes.columns ?? ', delay: { type: bigint }'} }
  airports:
    catalog: lists
    path: airports.csv
    columns: { iata: { type: string }, state: { type: string } }
functions: { allow: ["@aggregate", "@datetime", random${changes.functions ?? ''}] }
policies:
  rows:
    own-state: { table: flights, where: "${changes.where ?? 'origin IN (SELECT iata FROM airports WHERE state = $claims.state)'}" }
  masks:
    tens: { table: flights, column: id, with: "${changes.tens ?? 'value / 10'}" }
${changes.masks ?? ''}
queries:
  late:
    parameters: { minutes: { type: bigint, default: 15 } }
    sql: SELECT count(*) AS n FROM flights WHERE id >= $minutes
`,
  );
  const opening = 'action in [Action::"open", Action::"read", Action::"call"], resource';
  writeFileSync(
    join(to, 'flights.cedar'),
    `@id("operators") permit (principal in Role::"mobility/operator", ${opening}) when { context.purpose == "operations" };
@id("see-ids") permit (principal in Role::"mobility/operator", action == Action::"exempt", resource == Mask::"tens");
@id("evidence") permit (principal in Role::"mobility/auditor", action == Action::"readEvidence", resource);
${
  changes.cedar ??
  `@id("researchers") permit (principal in Role::"mobility/researcher", ${opening}) when { context.purpose == "research" };
@id("all-states") permit (principal in Role::"mobility/researcher", action == Action::"exempt", resource == RowFilter::"own-state");`
}
`,
  );
  return file;
}

async function ask(name: Name, sql: string, purpose = 'operations', format = 'application/json'): Promise<string> {
  const headers = { accept: format };
  const answer = await server.as(name, '/v1/products/flights/query', { body: { sql, purpose }, headers });
  const body = await answer.text();
  const { session = '' } = answer.ok ? {} : (JSON.parse(body) as { session?: string });
  return answer.headers.get('ambit-session') ?? session;
}

async function replayed(session: string, name: Name = 'vera'): Promise<Replayed> {
  const answer = await server.as(name, `/v1/sessions/${session}/replay`, { method: 'POST' });
  const body = await answer.text();
  if (!answer.ok) throw new Error(body);
  return JSON.parse(body) as Replayed;
}

async function lookBack(sql: string): Promise<unknown> {
  const answer = await server.as('vera', '/v1/products/evidence/query', { body: { sql, purpose: 'review' } });
  return ((await answer.json()) as { readonly rows?: unknown }).rows;
}

function ambit(
  words: readonly string[],
  name: Name | null = null,
): Promise<{ code: number; out: string; err: string }> {
  const command = [join(root, 'packages/cli/bin/ambit.js'), ...words];
  const as = name === null ? {} : { AMBIT_SERVER: server.url, AMBIT_TOKEN: server.token(name) };
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: folder, env: { ...process.env, ...as } }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const log = (): string => join(server.folder, '.ambit/evidence');

describe('explain', () => {
  const sql = 'SELECT origin, max(id) AS last FROM flights GROUP BY origin ORDER BY origin';

  test('the owner reads on one page who, why, what of, by which policies, and how it went', async () => {
    const session = await ask('maria', sql);
    const { code, out } = await ambit(['session', 'explain', session], 'vera');
    expect(code).toBe(0);
    for (const told of [
      /who +maria of mobility \(user, operator\)\n +claims state = "CA"/,
      /why +operations: run an airport/,
      /supplied by +catalog lists, store lake/,
      /file +flights\.csv of store lake, version [0-9a-f.-]+, \d+ requests?, \d+ B of \d+ B\n +bytes 0-/,
      /rows +narrowed by own-state/,
      /for policies\n +file +airports\.csv of store lake, version /,
      /flights\.cedar#see-ids +permits exempt Mask::"tens"/,
      /Lineage\n +origin +flights\.origin \(identity\)\n +last +flights\.id \(aggregation\)\n +\(all rows\) +flights\.origin \(/,
      /called +max/,
      /= .* by Ambit/,
      /Plan\n +operator +inside +rows +time/,
      / flights +2 /,
      /Left behind\n +nothing/,
    ])
      expect(out).toMatch(told);
    const offline = await ambit(['session', 'explain', session, '--log', log()]);
    expect(offline.out).toBe(out);
  });

  test('its own subject reads neither what the policy read nor how much', async () => {
    const session = await ask('maria', sql);
    const { out } = await ambit(['session', 'explain', session], 'maria');
    expect(out).toMatch(/file +flights\.csv of store lake\n/);
    for (const hidden of ['requests', 'Plan\n', 'SELECT iata', folder]) expect(out).not.toContain(hidden);
    expect((await ambit(['session', 'explain', session], 'eve')).code).toBe(1);
  });
});

describe('replay', () => {
  const stable = 'SELECT id, origin, now() AS at FROM flights ORDER BY id';

  test('a session runs again with the clock that it had, and gives the same bytes, in each format', async () => {
    const formats = ['application/json', 'text/csv', 'application/x-ndjson', 'application/vnd.apache.arrow.stream'];
    for (const format of formats) {
      const session = await ask('maria', stable, 'operations', format);
      expect(await replayed(session)).toMatchObject({ verdict: 'same', inputs: [], runs: [{ ended: { rows: 2 } }] });
    }
  });

  test('it is recorded as its subject’s session, for whoever asked; its rows are in no answer', async () => {
    const session = await ask('maria', stable);
    const found = await replayed(session);
    expect(JSON.stringify(found)).not.toContain('SFO');
    const answer = await server.as('vera', `/v1/sessions/${found.runs[0]?.session}`);
    const { intent, outcome } = (await answer.json()) as Record<string, Record<string, unknown>>;
    expect(intent).toMatchObject({
      subject: { principal: 'maria' },
      replay: { of: session, by: { tenant: 'mobility', principal: 'vera', kind: 'user' } },
    });
    expect(outcome).toMatchObject({ status: 'completed', rows: 2 });
    const own = await server.as('maria', `/v1/sessions/${found.runs[0]?.session}`);
    expect(((await own.json()) as { intent: { replay: object } }).intent.replay).toEqual({
      of: session,
      by: { tenant: 'mobility', principal: 'vera', kind: 'user' },
    });
    const page = await ambit(['session', 'explain', found.runs[0]?.session ?? ''], 'vera');
    expect(page.out).toContain(`replay    of ${session}, for vera of mobility`);
  });

  test('a named query with its parameters, and a refusal, are the same again', async () => {
    const headers = { 'ambit-purpose': 'operations' };
    const answer = await server.as('maria', '/v1/products/flights/queries/late?minutes=2', { headers });
    await answer.text();
    expect(await replayed(answer.headers.get('ambit-session') ?? '')).toMatchObject({ verdict: 'same' });
    const refused = await ask('maria', 'SELECT nosuch FROM flights');
    expect(await replayed(refused)).toMatchObject({
      verdict: 'same',
      recorded: { status: 'refused', code: 'column_unknown', resultDigest: null },
    });
  });

  test('bytes that differ from run to run decide nothing', async () => {
    const found = await replayed(await ask('maria', 'SELECT id, random() AS r FROM flights'));
    expect(found).toMatchObject({ verdict: 'undecided', inputs: [] });
    expect(new Set(found.runs.map(({ ended }) => ended.resultDigest)).size).toBe(5);
    const rows = await lookBack(`SELECT count(*) AS n FROM sessions WHERE replayed_by = 'mobility/vera'
      AND replay_of = '${found.session}' AND principal = 'maria'`);
    expect(rows).toEqual([[5]]);
  });

  test('the command says it in a word, and with its exit status', async () => {
    const { code, out, err } = await ambit(['replay', await ask('maria', stable)], 'vera');
    expect([code, out.split('\n')[0], err]).toEqual([0, 'same: the same result', '']);
  });

  test('only who may read all of the evidence replays; to others the session is not there', async () => {
    const session = await ask('maria', stable);
    const status = async (name: Name | null) =>
      (await server.as(name, `/v1/sessions/${session}/replay`, { method: 'POST' })).status;
    expect([await status('maria'), await status('noah'), await status(null)]).toEqual([403, 404, 401]);
  });

  test('sessions on the evidence itself are not replayed', async () => {
    const body = { sql: 'SELECT count(*) AS n FROM sessions', purpose: 'review' };
    const answer = await server.as('vera', '/v1/products/evidence/query', { body });
    const session = answer.headers.get('ambit-session') ?? '';
    const refused = await server.as('vera', `/v1/sessions/${session}/replay`, { method: 'POST' });
    expect(refused.status).toBe(403);
  });

  test('a file that is another, and one that is not there, are named', async () => {
    const session = await ask('maria', stable);
    const constant = await ask('maria', 'SELECT count(*) AS n FROM airports');
    flights('1,SFO,10\n2,LAX,20\n3,JFK,30\n4,LAX,40\n');
    const changed = await replayed(session);
    expect(changed).toMatchObject({
      verdict: 'input_gone',
      inputs: [{ store: 'lake', object: 'flights.csv', change: 'changed' }],
    });
    expect(changed.reason).toContain('the result is another');
    rmSync(join(folder, 'flights.csv'));
    const gone = await ambit(['replay', session], 'vera');
    expect(gone.code).toBe(1);
    expect(gone.out).toMatch(/^input gone: /);
    expect(gone.out).toMatch(/flights\.csv of store lake +gone: it was version /);
    expect(await replayed(constant)).toMatchObject({ verdict: 'same' });
    flights('1,SFO,10\n2,LAX,20\n3,JFK,30\n');
  });

  test('under another contract nothing runs', async () => {
    const session = await ask('maria', stable);
    contract(folder, { functions: ', lower' });
    server = await server.restart();
    const found = await replayed(session);
    expect(found).toMatchObject({ verdict: 'boundary_gone', runs: [] });
    expect(found.boundary.now).not.toBe(found.boundary.recorded);
    contract(folder);
    server = await server.restart();
    expect(await replayed(session)).toMatchObject({ verdict: 'same' });
  });
});

describe('replay --against', () => {
  interface Against {
    readonly subjects: readonly {
      readonly subject: { readonly principal: string };
      readonly effect: string;
      readonly differences: readonly { readonly effect: string; readonly kind: string; readonly name: string }[];
    }[];
  }

  /** Effects by principal, and all differences, of recorded sessions against a changed contract. */
  async function against(changes: Changes, more: readonly string[] = []) {
    const other = mkdtempSync(join(folder, 'other-'));
    try {
      const file = contract(other, changes);
      const ran = await ambit(['replay', '--against', file, '--log', log(), '--json', ...more]);
      const { subjects: found } = JSON.parse(ran.out) as Against;
      const differences = found.flatMap((one) =>
        one.differences.map(({ effect, kind, name }) => `${effect} ${kind} ${name}`),
      );
      return {
        code: ran.code,
        effects: found.map(({ subject, effect }) => `${subject.principal} ${effect}`),
        differences,
      };
    } finally {
      rmSync(other, { recursive: true });
    }
  }

  let since = '';
  beforeAll(async () => {
    since = new Date().toISOString();
    await ask('maria', 'SELECT id FROM flights');
    await ask('noah', 'SELECT id FROM flights', 'research');
    await ask('eve', 'SELECT id FROM flights');
  });

  test('the same contract changes nothing', async () => {
    const found = await against({}, ['--since', since]);
    expect(found).toEqual({ code: 0, effects: ['maria same', 'noah same', 'eve same'], differences: [] });
  });

  test('a wider one shows more', async () => {
    const cedar = `@id("all") permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);
@id("wide") permit (principal, action == Action::"exempt", resource);`;
    const found = await against({ cedar, functions: ', lower' }, ['--since', since]);
    expect(found.effects).toEqual(['maria more', 'noah more', 'eve opened']);
    expect(found.differences).toEqual([
      'more row filter flights: own-state',
      'more function lower',
      'more mask flights.id: tens',
      'more function lower',
    ]);
    expect(found.code).toBe(1);
  });

  test('a narrower one shows less', async () => {
    const masks = '    coarse: { table: flights, column: origin, with: "substr(value, 1, 1)" }';
    const found = await against({ columns: '', masks }, ['--since', since]);
    expect(found.effects).toEqual(['maria less', 'noah less', 'eve same']);
    expect(found.differences.slice(0, 2)).toEqual(['less column flights.delay', 'less mask flights.origin: coarse']);
  });

  test('a filter that says something else is for people to read', async () => {
    const found = await against({ where: "origin = 'SFO'" }, ['--since', since]);
    expect(found.effects).toEqual(['maria mixed', 'noah same', 'eve same']);
    expect(found.differences).toEqual(['changed row filter flights: own-state']);
  });

  test('where the engine can tell what other words mean, nobody has to read them', { timeout: 120_000 }, async () => {
    const coarser = await against({ tens: 'CASE WHEN value / 10 > 5 THEN 1 ELSE 0 END' }, ['--since', since]);
    expect(coarser.effects).toEqual(['maria same', 'noah less', 'eve same']);
    expect(coarser.differences).toEqual(['less mask flights.id: tens']);
    const finer = await against({ tens: 'value' }, ['--since', since]);
    expect(finer.effects).toEqual(['maria same', 'noah more', 'eve same']);
    const other = await against({ tens: 'value / 7' }, ['--since', since]);
    expect(other.effects).toEqual(['maria same', 'noah mixed', 'eve same']);
    const own = 'origin IN (SELECT iata FROM airports WHERE state = $claims.state)';
    const fewer = await against({ where: `${own} AND origin <> 'LAX'` }, ['--since', since]);
    expect(fewer.differences).toEqual(['less row filter flights: own-state']);
    const same = await against({ where: `(${own}) AND true` }, ['--since', since]);
    expect(same).toEqual({ code: 0, effects: ['maria same', 'noah same', 'eve same'], differences: [] });
  });

  test('one that refuses says whom, on a page too, and a copy of the log will do', async () => {
    const found = await against({ cedar: '' }, ['--since', since]);
    expect(found.effects).toEqual(['maria same', 'noah refused', 'eve same']);
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(log(), copy, { recursive: true });
    const other = mkdtempSync(join(folder, 'other-'));
    const page = await ambit(['replay', '--against', contract(other, { cedar: '' }), '--log', copy, '--since', since]);
    expect(page.code).toBe(1);
    expect(page.out).toMatch(
      /Would be refused \(1\)\n +noah of mobility \(user, researcher\), for research\n +asked +sql 1×/,
    );
    expect(page.err).toContain('would see');
  });

  test('a log that was changed decides nothing', async () => {
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(log(), copy, { recursive: true });
    const segment = join(copy, '00000001.segment');
    writeFileSync(segment, readFileSync(segment, 'utf8').replace('"maria"', '"mario"'));
    const ran = await ambit(['replay', '--against', join(folder, 'flights.yaml'), '--log', copy]);
    expect([ran.code, ran.out]).toEqual([1, '']);
    expect(ran.err).toContain('the log is damaged');
  });
});
