import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { root as checkout } from '../server.ts';
import { logsOf, metricsOf, type Span, spansOf } from './otlp.ts';
import { type Receiver, startReceiver, until } from './receiver.ts';
import { ENDLESS, expectNothing, expectNothingIn, LITERAL, sessionOf, startWorld, TOKEN, type World } from './world.ts';

let world: World | null = null;
let receiver: Receiver | null = null;
afterEach(async () => {
  await world?.close();
  if (receiver !== null) expectNothingIn(receiver);
  await receiver?.close();
  world = null;
  receiver = null;
});

const otlp = ({ url }: Receiver): string =>
  `  otlp: { url: "${url}", headers: { authorization: { file: TOKEN_FILE } } }\n`;

const traceparent = (trace: string, flags: string): Record<string, string> => ({
  traceparent: `00-${trace.repeat(32)}-${trace.repeat(16)}-${flags}`,
});

const spansOfSession = (to: Receiver, session: string): readonly Span[] => {
  const spans = spansOf(to.taken);
  const root = spans.find(({ attributes }) => attributes['ambit.session'] === session);
  return root === undefined ? [] : spans.filter(({ traceId }) => traceId === root.traceId);
};

test('a session is a trace: steps and operators below the span of whoever asked, at their times', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(otlp(to));
  const before = BigInt(Date.now()) * 1_000_000n;
  const sql = `SELECT count(*), '${LITERAL}' FROM emp WHERE name <> '${LITERAL}'`;
  const session = await sessionOf(await world.ask(sql, traceparent('b', '01')));
  const spans = await until(() => {
    const found = spansOfSession(to, session);
    return found.length > 0 ? found : null;
  });
  const after = BigInt(Date.now()) * 1_000_000n;
  const [root] = spans;
  if (root === undefined) throw new Error('no span');
  expect(root).toMatchObject({
    traceId: 'b'.repeat(32),
    parentSpanId: 'b'.repeat(16),
    name: 'SELECT emp',
    kind: 2,
    status: 0,
    attributes: {
      'db.system.name': 'other_sql',
      'db.namespace': 'people',
      'db.operation.name': 'SELECT',
      'db.query.summary': 'SELECT emp',
      'db.collection.name': 'emp',
      'db.response.returned_rows': 1,
      'ambit.purpose': 'analytics',
      'ambit.status': 'completed',
    },
  });
  expect(Object.keys(root.attributes)).not.toContain('db.query.text');
  const named = new Map(spans.map((span) => [span.name, span]));
  const steps = ['authorize', 'admit', 'intent', 'plan', 'run', 'outcome'].map((name) => named.get(`ambit.${name}`));
  let at = root.start;
  for (const step of steps) {
    expect(step?.parentSpanId).toBe(root.spanId);
    expect(step?.start).toBeGreaterThanOrEqual(at - 1_000_000n);
    expect(step?.end).toBeLessThanOrEqual(root.end + 1_000_000n);
    at = step?.end ?? 0n;
  }
  expect(root.start).toBeGreaterThan(before - 50_000_000n);
  expect(root.end).toBeLessThan(after);
  const run = named.get('ambit.engine.run');
  expect(run?.parentSpanId).toBe(named.get('ambit.run')?.spanId);
  const operators = spans.filter(({ name }) => name.endsWith('Exec'));
  expect(operators[0]?.parentSpanId).toBe(run?.spanId);
  // Each at its own time, within the run.
  const [began, ended] = [run?.start ?? 0n, run?.end ?? 0n];
  for (const { start, end } of operators)
    expect([start >= began, end >= start, end <= ended]).toEqual([true, true, true]);
  expect(operators.some(({ start, end }) => start > began && end < ended)).toBe(true);
  const inside = operators.filter(({ attributes }) => attributes['ambit.operator.inside'] === 'emp');
  expect(inside.length).toBeGreaterThan(1);
  for (const { attributes } of inside) expect(Object.keys(attributes)).not.toContain('ambit.operator.output_rows');
  const ids = new Set(spans.map(({ spanId }) => spanId));
  expect(ids.size).toBe(spans.length);
  for (const { parentSpanId } of spans.slice(1)) expect(ids.has(parentSpanId ?? '')).toBe(true);
  expect(new Set(to.came.map(({ headers }) => headers.authorization))).toEqual(new Set([TOKEN]));
});

test('what fails says why, in a trace and in a log; what is not sampled is not sent', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(otlp(to));
  const unsampled = await sessionOf(await world.ask('SELECT 1 AS a', traceparent('c', '00')));
  const failed = await sessionOf(await world.ask(`SELECT 1 / (id - 1), '${LITERAL}' FROM emp`));
  await world.server.as('stranger', '/v1/products/people/query', { body: { sql: 'SELECT 1', purpose: LITERAL } });
  await world.server.as('stranger', `/v1/products/${LITERAL.toLowerCase()}/query`, { body: { sql: 'SELECT 1' } });
  const root = await until(() => spansOfSession(to, failed)[0]);
  expect(root).toMatchObject({ status: 2, attributes: { 'error.type': 'compute_failed', 'ambit.status': 'failed' } });
  const refused = await until(() => {
    const found = logsOf(to.taken).filter(({ eventName }) => eventName === 'ambit.request.refused');
    return found.length === 2 ? found : null;
  });
  for (const { attributes } of refused) {
    expect(attributes['error.type']).toBe('product_unknown');
    expect(attributes['db.namespace'] ?? 'people').toBe('people');
  }
  const log = logsOf(to.taken).find(({ eventName }) => eventName === 'ambit.session.failed');
  expect(log).toMatchObject({ traceId: root.traceId, spanId: root.spanId, severity: 'WARN' });
  await world.stop();
  expect(spansOfSession(to, unsampled)).toEqual([]);
  const metrics = metricsOf(to.taken);
  for (const name of ['ambit.sessions', 'ambit.evidence.sync.records', 'ambit.evidence.sync.duration']) {
    expect([...metrics.keys()]).toContain(name);
  }
  expect(metrics.get('ambit.sessions')).toMatchObject({
    'service.name': 'ambit',
    'deployment.environment.name': 'test',
  });
  for (const { text } of to.came) expect(text.toLowerCase()).not.toContain(LITERAL.toLowerCase());
});

test('a session of a process that was killed is a trace and a log of its next run', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(otlp(to));
  const asked = world.ask(ENDLESS).catch(() => null);
  await until(async () => {
    const answer = await (world as World).server.as('ann', '/v1/sessions');
    return ((await answer.json()) as { sessions: unknown[] }).sessions.length > 0;
  });
  await world.restart();
  await asked;
  const log = await until(() => logsOf(to.taken).find(({ eventName }) => eventName === 'ambit.session.orphaned'));
  expect(log).toMatchObject({ severity: 'ERROR', attributes: { 'error.type': 'orphaned', 'db.namespace': 'people' } });
  const session = String(log.attributes['ambit.session']);
  expect((await until(() => spansOfSession(to, session)[0])).attributes['ambit.status']).toBe('orphaned');
});

const METRICS = /metrics at (http:\S+)/;

test('Prometheus reads what products are asked, and nothing of who asks', async () => {
  world = await startWorld('  prometheus: { port: 0 }\n');
  const running = world;
  await sessionOf(await running.ask(`SELECT name FROM emp WHERE name <> '${LITERAL}'`));
  await sessionOf(await running.ask('SELECT nosuch FROM emp'));
  await running.server.as('stranger', `/v1/products/${LITERAL.toLowerCase()}/query`, { body: { sql: 'SELECT 1' } });
  const [, url = ''] = METRICS.exec(running.server.said()) ?? [];
  const text = await until(async () => {
    const read = await (await fetch(url)).text();
    return read.includes('code="product_unknown"') ? read : null;
  });
  const value = (pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
  expect(value(/^ambit_sessions_total\{product="people",purpose="analytics",status="completed"[^}]*\} (\S+)/m)).toBe(1);
  expect(value(/^ambit_refusals_total\{product="people",code="column_unknown"[^}]*\} (\S+)/m)).toBe(1);
  expect(value(/^ambit_refusals_total\{product="",code="product_unknown"[^}]*\} (\S+)/m)).toBe(1);
  expect(value(/^ambit_result_rows_total\{product="people"[^}]*\} (\S+)/m)).toBe(2);
  expect(value(/^ambit_engine_workers(?:\{[^}]*\})? (\S+)/m)).toBe(1);
  expect(value(/^ambit_evidence_writable(?:\{[^}]*\})? (\S+)/m)).toBe(1);
  expect(value(/^ambit_sessions_running\{product="people"[^}]*\} (\S+)/m)).toBe(0);
  expect(text).toMatch(/^ambit_step_duration_bucket\{step="intent"/m);
  expect(text).toMatch(/^ambit_evidence_append_duration_bucket\{type="session.intent"/m);
  const syncs = value(/^ambit_evidence_sync_records_count(?:\{[^}]*\})? (\S+)/m);
  // Two sessions, each with an intent and an outcome that waits for it, and a refusal.
  expect(syncs).toBeGreaterThanOrEqual(4);
  expect(value(/^ambit_evidence_sync_duration_count(?:\{[^}]*\})? (\S+)/m)).toBe(syncs);
  expect(value(/^ambit_evidence_sync_records_sum(?:\{[^}]*\})? (\S+)/m)).toBeGreaterThanOrEqual(syncs);
  expect(text).toMatch(/^ambit_evidence_sync_records_bucket\{.*le="1024"/m);
  expect(text).not.toMatch(/tenant|principal|"ann"|"a"|ses_/);
  expect(text.toLowerCase()).not.toContain(LITERAL.toLowerCase());
  expectNothing(text);
  expect((await fetch(url.replace('/metrics', '/'))).status).toBe(404);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  expect((await running.server.as('ann', '/metrics')).status).toBe(404);
});

test('a page of another site that gives its own name to this address reads no metrics', async () => {
  world = await startWorld('  prometheus: { port: 0 }\n');
  const [, url = ''] = METRICS.exec(world.server.said()) ?? [];
  const { get } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    get(url, { headers: { host: 'rebound.example:9464' } }, ({ statusCode }) => resolve(statusCode)).on(
      'error',
      reject,
    );
  });
  expect(status).toBe(421);
});

test('that files which changed are served, or are not, is a log', async () => {
  receiver = await startReceiver();
  const to = receiver;
  world = await startWorld(otlp(to));
  const contract = join(world.folder, 'people.yaml');
  const before = readFileSync(contract, 'utf8');
  const logged = (name: string) => until(() => logsOf(to.taken).find(({ eventName }) => eventName === name));
  writeFileSync(contract, `${before}description: People\n`);
  expect(await logged('ambit.reload.applied')).toMatchObject({
    severity: 'INFO',
    attributes: { 'ambit.reload.cause': 'files', 'ambit.reload.products': 2 },
  });
  writeFileSync(contract, `${before}descriptoin: People\n`);
  expect(await logged('ambit.reload.refused')).toMatchObject({
    severity: 'ERROR',
    attributes: { 'ambit.reload.cause': 'files', 'ambit.reload.problems': 1 },
  });
  for (const { text } of to.came) expect(text).not.toContain('descriptoin');
});

test('break-glass is a log when it begins, when a session runs under it, and when it ends, and a metric', async () => {
  receiver = await startReceiver();
  const to = receiver;
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const listed = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
  const environment = `review: required\nbreakGlass: { maxHours: 1, operators: { olga: ${listed} olga@example.org } }\n`;
  world = await startWorld(`${otlp(to)}  prometheus: { port: 0 }\n`, environment);
  const { server, folder } = world;
  expect((await world.ask('SELECT 1 AS a')).status).toBe(503);
  const key = join(folder, 'olga.pem');
  writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const ambit = (...words: readonly string[]): void =>
    void execFileSync(process.execPath, [join(checkout, 'packages/cli/bin/ambit.js'), 'break-glass', ...words], {
      cwd: server.folder,
      stdio: 'ignore',
    });
  const where = ['--environment', join(server.folder, 'environment.yaml')];
  ambit('open', 'people', folder, ...where, '--for', '1h', '--reason', 'REASONVALUE', '--key', key, '--yes');
  const logged = (name: string) => until(() => logsOf(to.taken).find(({ eventName }) => eventName === name));
  const opened = await logged('ambit.break_glass.opened');
  expect(opened).toMatchObject({
    severity: 'ERROR',
    attributes: { 'db.namespace': 'people', 'ambit.break_glass.operator': 'olga' },
  });
  await sessionOf(await world.ask('SELECT 1 AS a'));
  expect(await logged('ambit.review.applied')).toMatchObject({
    severity: 'WARN',
    attributes: {
      'db.namespace': 'people',
      'ambit.fingerprint': opened.attributes['ambit.fingerprint'],
      'ambit.break_glass': 'yes',
      'ambit.review.people': 0,
      'ambit.review.needed': 2,
    },
  });
  const [, url = ''] = /metrics at (http:\S+)/.exec(server.said()) ?? [];
  const metrics = async (): Promise<string> => (await fetch(url)).text();
  expect(await metrics()).toMatch(/^ambit_break_glass_open\{[^}]*product="people"[^}]*\} 1$/m);
  ambit('close', 'people', ...where);
  expect(await logged('ambit.break_glass.ended')).toMatchObject({
    severity: 'WARN',
    attributes: { 'ambit.break_glass.cause': 'closed' },
  });
  expect(await metrics()).toMatch(/^ambit_break_glass_open\{[^}]*product="people"[^}]*\} 0$/m);
  for (const { text } of to.came) expect(text).not.toContain('REASONVALUE');
});
