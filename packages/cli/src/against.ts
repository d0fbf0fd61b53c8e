import { resolve } from 'node:path';
import type { Boundary } from '@ambit/contract';
import type { EvidenceRecord, Json, RequestRefused, SessionIntent } from '@ambit/evidence';
import {
  authorize,
  compareGrants,
  type Difference,
  effectOf,
  type Grant,
  type Meaning,
  type Subject,
} from '@ambit/policy';
import type { Product } from '@ambit/session';

import { stateFolder } from './credentials.ts';
import { governsOtherwise, meaningOf } from './diff/meaning.ts';
import { CliError, exitCodes } from './failure.ts';
import { keepDocument, recordsOf } from './log-folder.ts';
import { againstPage } from './page/against.ts';
import { checked, loadContracts } from './serving.ts';
import { type Terminal, writeOut } from './terminal.ts';

/** What a new boundary would change for one subject with one purpose. */
export interface Changed {
  readonly subject: Omit<Subject, 'authentication'>;
  readonly purpose: string;
  /** Recorded sessions by statement: `sql`, or `query NAME`. Refused requests count as `refused`. */
  readonly asked: Readonly<Record<string, number>>;
  /** `opened`: it was refused and would not be. `mixed`: more and less, or what nobody could tell. */
  readonly effect: 'same' | 'more' | 'less' | 'mixed' | 'refused' | 'opened';
  readonly differences: readonly Difference[];
  /** Fingerprint that the sessions ran under. */
  readonly recorded: string;
}

/** Recorded sessions against a new boundary. */
export interface Against {
  readonly product: string;
  readonly fingerprint: string;
  readonly since: string | null;
  readonly sessions: number;
  readonly subjects: readonly Changed[];
}

interface Options {
  readonly contract: string;
  readonly environment: string | undefined;
  readonly since: string | undefined;
  readonly log: string | undefined;
  readonly json: boolean;
}

/** Compares, offline, what recorded sessions were granted with what a contract would grant them. */
export async function replayAgainst(terminal: Terminal, options: Options): Promise<void> {
  const since = sinceOf(options.since);
  const folder = options.log ?? resolve(stateFolder(terminal), 'evidence');
  const products = await loadContracts(terminal, [options.contract], options.environment);
  const [product] = products;
  if (product === undefined || products.length > 1)
    throw new CliError(exitCodes.usage, `${products.length} contracts in \`${options.contract}\``, 'name one file');
  const against = await compareLog(folder, product, since);
  await writeOut(terminal, options.json ? `${JSON.stringify(against, null, 2)}\n` : againstPage(against));
  const touched = against.subjects.filter(({ effect }) => effect !== 'same').length;
  if (touched > 0) {
    const what = `the boundary changes what ${touched} of ${against.subjects.length} would see`;
    throw new CliError(exitCodes.failed, what, options.json ? null : '--json gives every difference');
  }
}

function sinceOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new CliError(exitCodes.usage, `\`${text}\` is no date`, 'such as 2026-03-01');
  return new Date(at).toISOString();
}

/** Sessions of one subject, purpose and boundary: they all had the same grant. */
interface Group {
  readonly subject: Subject;
  readonly purpose: string;
  /** Null: it was refused. */
  readonly grant: string | null;
  readonly fingerprint: string;
  readonly asked: Record<string, number>;
}

/** Compares what the sessions of a log were granted with what a product would grant them. */
export async function compareLog(folder: string, product: Product, since: string | null): Promise<Against> {
  const { name } = product.boundary.product;
  const documents = new Map<string, Json>();
  const groups = new Map<string, Group>();
  let sessions = 0;
  for await (const record of recordsOf(folder)) {
    keepDocument(documents, record);
    // An instant has as many digits here as there: text compares as time does.
    if ((since !== null && record.at < since) || !concerns(record, name)) continue;
    sessions += 1;
    count(groups, record);
  }
  const meanings = await meaningsOf([...groups.values()], documents, product);
  const subjects = [...groups.values()].map((group) => compared(group, documents, product, meanings));
  return { product: name, fingerprint: product.fingerprint, since, sessions, subjects };
}

type Asked = (SessionIntent | RequestRefused) & EvidenceRecord;

/** Sessions, and requests that policy refused. A replay repeats a session: it is no subject's own. */
function concerns(record: EvidenceRecord, product: string): record is Asked {
  if (record.type !== 'session.intent' && record.type !== 'request.refused') return false;
  if (record.product !== product || record.replay !== undefined) return false;
  if (record.type === 'session.intent') return true;
  const refusals = ['product_unknown', 'purpose_refused', 'policy_failed'];
  return record.purpose !== null && record.fingerprint !== null && refusals.includes(record.code);
}

function count(groups: Map<string, Group>, record: Asked): void {
  const subject = record.subject as unknown as Subject;
  const { authentication: _, ...who } = subject;
  const grant = record.type === 'session.intent' ? record.grant : null;
  const purpose = record.purpose ?? '';
  const key = JSON.stringify([who, purpose, grant]);
  const group = groups.get(key) ?? { subject, purpose, grant, fingerprint: record.fingerprint ?? '', asked: {} };
  groups.set(key, group);
  const what = record.type === 'session.intent' ? statementOf(record) : 'refused';
  group.asked[what] = (group.asked[what] ?? 0) + 1;
}

function statementOf({ statement }: SessionIntent): string {
  return statement.kind === 'query' ? `query ${statement.name}` : 'sql';
}

/** What row filters and masks of now show beside those of boundaries that sessions ran under, by their fingerprints. */
async function meaningsOf(
  groups: readonly Group[],
  documents: ReadonlyMap<string, Json>,
  product: Product,
): Promise<ReadonlyMap<string, Meaning>> {
  const recorded = new Set(groups.filter(({ grant }) => grant !== null).map(({ fingerprint }) => fingerprint));
  const before = [...recorded].flatMap((fingerprint) => {
    const boundary = documents.get(fingerprint) as unknown as Boundary | undefined;
    return boundary === undefined ? [] : [{ boundary, fingerprint }];
  });
  const others = before.filter((one) => governsOtherwise(one, product));
  if (others.length === 0) return new Map();
  return checked(async (engine) => {
    const told = others.map(async (one) => [one.fingerprint, await meaningOf(engine, one, product)] as const);
    return new Map(await Promise.all(told));
  });
}

function compared(
  group: Group,
  documents: ReadonlyMap<string, Json>,
  product: Product,
  meanings: ReadonlyMap<string, Meaning>,
): Changed {
  const { authentication: _, ...subject } = group.subject;
  const { purpose, asked, fingerprint: recorded } = group;
  const told = { subject, purpose, asked, recorded };
  const answer = authorize(product.policies, group.subject, purpose);
  if (group.grant === null) return { ...told, effect: answer.allowed ? 'opened' : 'same', differences: [] };
  if (!answer.allowed) return { ...told, effect: 'refused', differences: [] };
  const grant = documents.get(group.grant) as unknown as Grant | undefined;
  const boundary = documents.get(recorded) as unknown as Boundary | undefined;
  if (grant === undefined || boundary === undefined)
    throw new CliError(
      exitCodes.failed,
      'the log does not hold the grant or the boundary of a session',
      'they were pruned: choose a later --since',
    );
  const now = { grant: answer.grant, boundary: product.boundary };
  const differences = compareGrants({ grant, boundary }, now, meanings.get(recorded));
  return { ...told, effect: effectOf(differences), differences };
}
