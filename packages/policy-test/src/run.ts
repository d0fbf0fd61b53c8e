import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@ambit/engine';
import { type EvidenceLog, openLog, type SessionEvidence } from '@ambit/evidence';
import { type Decision, mayReadEvidence, type Subject } from '@ambit/policy';
import { type Answer, Path, type Product, Refused, Served, SessionFailed } from '@ambit/session';
import { complaints, type Seen } from './expectation.ts';
import type { PolicyTest } from './suite.ts';

/** A test that was run. */
export interface Ran {
  readonly test: PolicyTest;
  /** What was not as expected; none: it passed. */
  readonly complaints: readonly string[];
  readonly millis: number;
  /** What the session left; null where none was opened. */
  readonly evidence: SessionEvidence | null;
  /** Of the policy, where it refused. */
  readonly decisions: readonly Decision[];
}

/** What tests run with. */
export interface Running {
  readonly engine: Engine;
  /** Ends them early: the session that runs is cancelled, and its reason is thrown. */
  readonly signal: AbortSignal;
}

/**
 * Runs tests of a product on the one path, each with a session of its own. What they leave as evidence is in a folder that is
 * gone afterwards. `until`: stops after the first test for which it is true.
 */
export async function runTests(
  product: Product,
  tests: readonly PolicyTest[],
  { engine, signal }: Running,
  until: (ran: Ran) => boolean = () => false,
): Promise<readonly Ran[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-test-'));
  try {
    const log = await openLog({ folder: join(folder, 'evidence'), ambit: 'policy-test' });
    try {
      const path = new Path(new Served({ products: [product], engine }), log);
      const all: Ran[] = [];
      for (const test of tests) {
        const ran = await runTest(path, product, log, test, signal);
        signal.throwIfAborted();
        all.push(ran);
        if (until(ran)) break;
      }
      return all;
    } finally {
      await log.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runTest(
  path: Path,
  product: Product,
  log: EvidenceLog,
  test: PolicyTest,
  signal: AbortSignal,
): Promise<Ran> {
  const started = performance.now();
  const { seen, session, decisions } = await ask(path, product, test, signal);
  const evidence = session === null ? null : await log.session(session);
  const millis = Math.round(performance.now() - started);
  return { test, complaints: complaints(test.expect, seen), millis, evidence, decisions };
}

interface Asked {
  readonly seen: Seen;
  readonly session: string | null;
  readonly decisions: readonly Decision[];
}

async function ask(path: Path, product: Product, test: PolicyTest, signal: AbortSignal): Promise<Asked> {
  const subject = subjectOf(test, product);
  if ('action' in test.ask) {
    const decision = mayReadEvidence(product.policies, subject, test.purpose);
    return { seen: { allowed: decision.allowed }, session: null, decisions: [decision] };
  }
  try {
    const answer = await path.run({
      id: 'policy-test',
      subject,
      product: product.boundary.product.name,
      purpose: test.purpose,
      ask: test.ask,
      parameters: test.parameters,
      parametersFrom: 'json',
      format: 'json',
      traceparent: null,
      signal,
    });
    return { seen: await rowsOf(answer), session: answer.session, decisions: [] };
  } catch (error) {
    if (error instanceof Refused) return { seen: refused(error), session: null, decisions: error.decisions };
    if (error instanceof SessionFailed) return { seen: refused(error), session: error.session, decisions: [] };
    throw error;
  }
}

function refused({ code, message }: Refused | SessionFailed): Seen {
  return { refused: code, message };
}

async function rowsOf({ body }: Answer): Promise<Seen> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const { columns, rows } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
    readonly columns: readonly { readonly name: string }[];
    readonly rows: readonly (readonly unknown[])[];
  };
  return { columns: columns.map(({ name }) => name), rows };
}

/** As authentication would make it of a credential. */
function subjectOf({ as, subject, file }: PolicyTest, { boundary }: Product): Subject {
  const { tenant: owner } = boundary.product;
  const { kind = 'user', channel = 'http', onBehalfOf } = subject;
  const authentication = { method: 'policy-test', reference: file } as const;
  if (kind === 'anonymous') {
    const claims = boundary.anonymous?.claims ?? {};
    const nobody = { tenant: owner, principal: 'anonymous', kind, roles: [], claims, channel } as const;
    return { ...nobody, onBehalfOf: null, authentication };
  }
  return {
    tenant: subject.tenant ?? owner,
    principal: subject.principal ?? as,
    kind,
    roles: (subject.roles ?? []).toSorted(),
    claims: subject.claims ?? {},
    channel,
    onBehalfOf:
      onBehalfOf === undefined ? null : { tenant: onBehalfOf.tenant ?? owner, principal: onBehalfOf.principal },
    authentication,
  };
}
