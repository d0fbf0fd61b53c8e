import { describe, expect, test } from 'vitest';
import type { ProblemCode } from '@ambit/server';
import { asQuery, type Options, type Query, type Reply, startWorld, type World } from './world.ts';

// How an answer is judged. Two worlds show the same rows and hide others; a third product holds, without any policy,
// what the policy would leave.

export interface Worlds {
  readonly w: World;
  readonly x: World;
  close(): Promise<void>;
}

export async function startWorlds(options: Options = {}): Promise<Worlds> {
  const [w, x] = await Promise.all([startWorld('w', options), startWorld('x', options)]);
  return {
    w,
    x,
    close: async () => {
      const closed = await Promise.allSettled([w.close(), x.close()]);
      for (const end of closed) if (end.status === 'rejected') throw end.reason;
    },
  };
}

/** What must happen. */
export type Must =
  /** It answers: alike in both worlds, and like the product without policy. Rows in order where the statement orders. */
  | 'same'
  | 'same, in order'
  /** It answers exactly this, in both worlds. */
  | { readonly rows: readonly (readonly unknown[])[] }
  /** It fails on a row that alice sees: alike in both worlds, and without policy. */
  | { readonly fails: ProblemCode }
  /** Nothing runs: a problem with this code, alike in both worlds, and an evidence that says so. */
  | { readonly refused: ProblemCode };

/** An attack. `{table}` in its statement stands for each table of the product in turn. */
export interface Case extends Query {
  readonly id: string;
  /** What it tries. */
  readonly tries: string;
  readonly must: Must;
}

/** A test for each case. */
export function tries(cases: readonly Case[], worlds: () => Worlds): void {
  test.each(cases.map((attack) => [attack.id, attack.tries, attack] as const))('%s %s', async (_, __, attack) => {
    await judge(worlds(), attack, attack.must);
  });
}

/** The same cases over many tables: a test for each case, so that a failure names the attack; its message the table. */
export function triesOn(tables: readonly string[], cases: readonly Case[], worlds: () => Worlds): void {
  test.each(cases.map((attack) => [attack.id, attack.tries, attack] as const))('%s %s', async (_, __, attack) => {
    await Promise.all(
      tables.map((table) =>
        judge(worlds(), { ...attack, sql: attack.sql.replaceAll('{table}', table) }, attack.must, table === tables[0]),
      ),
    );
  });
}

/** `evidence`: what the subject reads of its session afterwards is compared too. */
export async function judge(worlds: Worlds, query: Query, must: Must, evidence = true): Promise<void> {
  if (must === 'same' || must === 'same, in order') {
    const reply = await noninterfering(worlds, query, must === 'same, in order', evidence);
    expect(answered(reply), query.sql).toBe(true);
    await likeWithoutPolicy(worlds, query, reply, must === 'same, in order');
  } else if ('rows' in must) {
    const reply = await noninterfering(worlds, query, false);
    expect(answered(reply) ? tableOf(reply, false).rows : reply.text, query.sql).toEqual(sorted(must.rows));
  } else if ('fails' in must) {
    const reply = await noninterfering(worlds, query, false);
    expect(codeOf(reply), query.sql).toBe(must.fails);
    await likeWithoutPolicy(worlds, query, reply, false);
  } else {
    await failsClosed(worlds, query, must.refused);
  }
}

/** NI: whatever a consumer can observe is the same in both worlds. */
export async function noninterfering(
  { w, x }: Worlds,
  query: Query,
  ordered: boolean,
  evidence = true,
): Promise<Reply> {
  const [one, other] = await Promise.all([w.ask(query), x.ask(query)]);
  expect(observed(other, ordered), `in the other world: ${query.sql}`).toEqual(observed(one, ordered));
  if (!evidence) return one;
  const [own, others] = await Promise.all([ownEvidence(w, query, one, ordered), ownEvidence(x, query, other, ordered)]);
  expect(others, `its own evidence, in the other world: ${query.sql}`).toEqual(own);
  return one;
}

/** DE: the answer of the product without policy over what the policy leaves. */
async function likeWithoutPolicy({ w }: Worlds, query: Query, reply: Reply, ordered: boolean): Promise<void> {
  const plain = await w.ask({ ...query, product: 'plain' });
  if (answered(reply)) {
    expect(tableOf(reply, ordered), query.sql).toEqual(answered(plain) ? tableOf(plain, ordered) : plain.text);
  } else {
    expect(codeOf(plain), query.sql).toBe(codeOf(reply));
  }
}

/** FC and EV: refused before anything was read, and recorded. */
export async function failsClosed(worlds: Worlds, query: Query, code: ProblemCode): Promise<Reply> {
  const reply = await noninterfering(worlds, query, false);
  expect({ code: codeOf(reply), sql: query.sql }).toEqual({ code, sql: query.sql });
  expect(reply.headers['content-type']).toContain('application/problem+json');
  const session = reply.json<{ session: string | null }>().session;
  if (session !== null) {
    const { outcome } = (await worlds.w.send('auditor', `/v1/sessions/${session}`)).json<Evidence>();
    expect(outcome, query.sql).toMatchObject({ rows: 0, bytes: 0, error: { code } });
    expect(outcome?.engine?.accesses ?? [], 'objects that were opened').toEqual([]);
  }
  return reply;
}

export interface Evidence {
  readonly intent: Readonly<Record<string, unknown>>;
  readonly outcome: {
    readonly status: string;
    readonly rows: number;
    readonly bytes: number;
    readonly error: { readonly code: string; readonly message: string; readonly detail: string | null } | null;
    readonly engine:
      | ({ readonly accesses?: readonly { readonly object: string; readonly bytes: number }[] } & Readonly<
          Record<string, unknown>
        >)
      | null;
  } | null;
  readonly grant: { readonly tables: Readonly<Record<string, unknown>> };
  readonly boundary: Readonly<Record<string, unknown>>;
}

export const answered = (reply: Reply): boolean => reply.status === 200 && reply.complete;

export function codeOf(reply: Reply): ProblemCode | null {
  if (reply.status === 200) return null;
  return reply.json<{ code: ProblemCode }>().code;
}

/** Columns and rows of a JSON answer; as a multiset unless they are ordered. */
export function tableOf(reply: Reply, ordered: boolean) {
  const { columns, rows, complete } = reply.json<{ columns: object[]; rows: unknown[][]; complete?: true }>();
  return { columns, rows: ordered ? rows : sorted(rows), complete };
}

const sorted = (rows: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] =>
  rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** Ids and times differ between any two answers; nothing else may. */
function observed(reply: Reply, ordered: boolean): unknown {
  const { date: _, 'ambit-request': __, 'ambit-session': ___, 'ambit-evidence': ____, ...headers } = reply.headers;
  const json = (headers['content-type'] ?? '').startsWith('application/json');
  const body = json ? tableOf(reply, ordered) : reply.text.replaceAll(/(ses|req)_[0-9a-f-]{32,36}/g, '$1_');
  return { status: reply.status, headers, body };
}

/** The evidence of a session as its own subject sees it, without ids and times. The digest is of rows as they came. */
async function ownEvidence(world: World, query: Query, reply: Reply, ordered: boolean): Promise<unknown> {
  const session =
    reply.headers['ambit-session'] ?? (answered(reply) ? null : reply.json<{ session: string }>().session);
  if (session === null) return null;
  const { as = 'alice' } = asQuery(query);
  const evidence = (await world.send(as, `/v1/sessions/${session}`)).json();
  return timeless(evidence, ordered ? IDS_AND_TIMES : [...IDS_AND_TIMES, 'resultDigest']);
}

const IDS_AND_TIMES = ['at', 'boot', 'clockMicros', 'monotonic', 'reference', 'request', 'seq', 'session', 'steps'];

function timeless(value: unknown, without: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => timeless(item, without));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    // The outcome's `intent` is a position in the log.
    ([name, inner]) => !without.includes(name) && !(name === 'intent' && typeof inner === 'number'),
  );
  return Object.fromEntries(kept.map(([name, inner]) => [name, timeless(inner, without)]));
}

/** Statements that differ in one word, of something denied and something that was never there: one answer. */
export function oneAnswer(
  worlds: () => Worlds,
  pairs: readonly (readonly [id: string, tries: string, sql: string, denied: string, absent: string])[],
): void {
  describe('what is denied and what was never there get one answer', () => {
    test.each(pairs)('%s %s', async (_, __, sql, denied, absent) => {
      const { w } = worlds();
      const texts = await Promise.all(
        [denied, absent].map(async (word) => {
          const reply = await w.ask(sql.replaceAll('{name}', word));
          const body = reply.text.replaceAll(/(ses|req)_[0-9a-f-]{32,36}/g, '$1_').replaceAll(word, '{name}');
          return `${reply.status} ${body}`;
        }),
      );
      expect(texts[0]).toBe(texts[1]);
      expect(texts[0]?.startsWith('200')).toBe(false);
    });
  });
}
