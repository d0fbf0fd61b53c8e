import type { AppliedOpening, AppliedReview, SessionCredential } from '@ambit/evidence';
import type { Subject } from '@ambit/policy';

import { bytesText, counted, microsText, printable } from '../display.ts';
import { couldSee, policies, settings } from './boundary.ts';
import type { Access, EngineReport, Outcome, SessionEvidence } from './evidence.ts';
import { block, facts, listed, section } from './layout.ts';
import { lineageLines } from './lineage.ts';
import { planLines } from './plan.ts';
import { didRead } from './reads.ts';

/** A session as a page that a person understands: everything that it could see and did. */
export function sessionPage(evidence: SessionEvidence): string {
  const { outcome, grant, boundary } = evidence;
  const report = outcome?.engine ?? null;
  const lines = [
    `Session ${printable(evidence.session)}: ${outcome === null ? 'running' : outcome.status}`,
    '',
    ...who(evidence),
    ...asked(evidence),
    ...couldSee(boundary, grant),
    ...didRead(evidence),
    ...lineageLines(report?.lineage),
    ...functions(evidence),
    ...settings(boundary),
    ...credentials(evidence),
    ...policies(grant),
    ...planLines(report?.operators),
    ...ended(outcome),
    ...leftBehind(report),
    ...(evidence.whole ? [] : ['', "This is what its own subject may know; the product's owner reads more."]),
  ];
  return `${lines.join('\n')}\n`;
}

function who({ intent, outcome, boundary, review }: SessionEvidence): readonly string[] {
  const { subject, purpose } = intent;
  const described = boundary.purposes[purpose]?.description;
  return facts([
    ['who', subjectText(subject)],
    [
      'for',
      subject.onBehalfOf === null
        ? 'themselves'
        : printable(`${subject.onBehalfOf.principal} of ${subject.onBehalfOf.tenant}`),
    ],
    ['why', printable(described === undefined || described === '' ? purpose : `${purpose}: ${described}`)],
    [
      'replay',
      intent.replay === undefined
        ? null
        : printable(
            `of ${intent.replay.of}, for ${intent.replay.by.principal} of ${intent.replay.by.tenant}: its rows left to nobody`,
          ),
    ],
    ['when', outcome === null ? intent.at : `${intent.at} to ${outcome.at}`],
    [
      'boundary',
      printable(`${intent.product} ${intent.version}, ${intent.environment}, owned by ${boundary.product.owner.team}`),
    ],
    ['', printable(intent.fingerprint)],
    ['approved', approvedLines(review?.reviews ?? [])],
    ['break-glass', openedText(review?.breakGlass ?? null)],
    ['evidence', outcome === null ? `intent at ${intent.seq}` : `intent at ${intent.seq}, outcome at ${outcome.seq}`],
  ]);
}

function approvedLines(reviews: readonly AppliedReview[]): string | null {
  const lines = reviews.map(({ who: name, reason, expires, key }) => `by ${name} until ${expires}: ${reason} (${key})`);
  return lines.length === 0 ? null : lines.map((line) => printable(line)).join('\n');
}

function openedText(opening: AppliedOpening | null): string | null {
  if (opening === null) return null;
  const { who: name, reason, until, key } = opening;
  return printable(`no owner approved it; ${name} opened it until ${until}: ${reason} (${key})`);
}

function subjectText({ tenant, principal, kind, roles, claims, channel, authentication }: Subject): string {
  const claimed = Object.entries(claims).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return [
    `${principal} of ${tenant} (${[kind, ...roles].join(', ')})`,
    ...(claimed.length === 0 ? [] : [`claims ${claimed.join(', ')}`]),
    `over ${channel}, known by ${authentication.method} ${authentication.reference}`,
  ]
    .map((line) => printable(line))
    .join('\n');
}

function asked({ intent: { statement, format }, seal }: SessionEvidence): readonly string[] {
  const parameters = Object.entries(statement.parameters).map(
    ([name, { type, value }]) => `${name} = ${JSON.stringify(value)} (${type})`,
  );
  return section('Asked', [
    ...(statement.name === null ? [] : [`the named query ${printable(statement.name)}`]),
    ...block(statement.sql),
    ...(parameters.length === 0 ? [] : [printable(`with ${parameters.join(', ')}`)]),
    `as ${format}`,
    ...sealLines(seal),
  ]);
}

/** Whether what stands here is what was asked. */
function sealLines(seal: SessionEvidence['seal']): readonly string[] {
  if (seal === undefined) return [];
  const { state, key, destroyed } = seal;
  const id = printable(key);
  const when = printable(destroyed ?? '');
  const told = {
    opened: `sealed under key ${id}, which is there: it is shown as it was asked`,
    destroyed: `sealed, key ${id} destroyed on ${when}: each ? stands for what nobody can read any more`,
    unknown: `sealed under key ${id}, which is not here: each ? stands for what was asked`,
    broken: `sealed under key ${id}, and what was sealed was changed since: \`ambit verify\` tells more`,
  };
  return [told[state]];
}

function functions({ outcome, grant }: SessionEvidence): readonly string[] {
  const called = outcome?.engine?.functions ?? [];
  const others = grant.functions.filter((name) => !called.includes(name)).length;
  return section(
    'Functions',
    facts([
      ['called', listed(called)],
      ['could call', `${counted(others, 'other')}; --json gives all`],
    ]),
  );
}

function credentials({ intent, outcome }: SessionEvidence): readonly string[] {
  const could = Object.entries(intent.credentials).flatMap(([store, reference]) =>
    reference === null ? [] : [`${reference} on store ${store}`],
  );
  const accesses = outcome?.engine?.accesses ?? [];
  const used = new Set(accesses.flatMap(({ credential }) => (credential === null ? [] : [credential])));
  if (could.length === 0 && used.size === 0) return section('Credentials', ['none: its stores need none']);
  return section(
    'Credentials',
    facts([
      ['could use', listed(could)],
      ['used', listed([...used].map((reference) => useText(reference, accesses)))],
      ...(outcome?.issued ?? []).map((issued): [string, string] => [issued.reference, issuedText(issued)]),
    ]),
  );
}

/** How much a credential was used, where that is told. */
function useText(reference: string, accesses: readonly Access[]): string {
  const own = accesses.filter(({ credential }) => credential === reference);
  if (own.some(({ requests }) => requests === undefined)) return printable(reference);
  const requests = own.reduce((sum, one) => sum + (one.requests ?? 0), 0);
  const bytes = own.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
  return printable(`${reference}: ${counted(requests, 'request')}, ${bytesText(bytes)}`);
}

function issuedText({ keyId, role, expires }: SessionCredential): string {
  const of = role === null ? 'keys of an account' : `keys of ${role} for this session's tables alone`;
  return printable(`${of}, key ${keyId}, ${expires === null ? 'for good' : `until ${expires}`}`);
}

function ended(outcome: Outcome | null): readonly string[] {
  if (outcome === null) return section('Ended', ['not yet']);
  const { status, error, rows, bytes, engine, steps } = outcome;
  const total = Object.values(steps).reduce((sum, micros) => sum + micros, 0);
  return section(
    'Ended',
    facts([
      [status, `${counted(rows, 'row')} and ${bytesText(bytes)} delivered, in ${microsText(total)}`],
      ['error', error === null ? null : printable(`${error.message} [${error.code}]`)],
      ['detail', error?.detail ? printable(error.detail, 'keep') : null],
      ['memory', engine?.memoryPeakBytes === undefined ? null : `${bytesText(engine.memoryPeakBytes)} at most`],
      ['spilled', engine?.spillBytes ? bytesText(engine.spillBytes) : null],
      ['steps', listed(inOrder(steps).map(([step, micros]) => `${step} ${microsText(micros)}`))],
    ]),
  );
}

/** Steps in the order of the one path; one that is not known comes last. */
function inOrder(steps: Outcome['steps']): readonly (readonly [string, number])[] {
  const order = ['authorize', 'admit', 'intent', 'sources', 'credentials', 'plan', 'run'];
  const rank = (step: string): number => (order.includes(step) ? order.indexOf(step) : order.length);
  return Object.entries(steps).toSorted(([a], [b]) => rank(a) - rank(b));
}

function leftBehind(report: EngineReport | null): readonly string[] {
  const residue = report?.residue;
  if (residue === undefined) return section('Left behind', ['not known: the engine could not say']);
  const { memoryBytes, spillBytes, tasks } = residue;
  if (memoryBytes === 0 && spillBytes === 0 && tasks === 0) return section('Left behind', ['nothing']);
  return section('Left behind', [
    `${bytesText(memoryBytes)} of memory, ${bytesText(spillBytes)} of spill, ${counted(tasks, 'task')}`,
  ]);
}
