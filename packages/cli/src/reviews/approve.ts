import { relative } from 'node:path';
import type { Signer } from '@ambit/contract';
import {
  differenceDigest,
  instant,
  keepBoundary,
  keepReview,
  NOTHING,
  REVIEW_NAMESPACE,
  REVIEW_TYPE,
  type ReviewStatement,
  short,
  signStatement,
  subjectOf,
} from '@ambit/review';

import { CliError, exitCodes } from '../failure.ts';
import { gitOf } from '../git/checkout.ts';
import { addedIn, authorsIn, authorsNow } from '../git/history.ts';
import { differencePage } from '../page/difference.ts';
import { calledOf, titleOf } from '../page/review.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';
import { refuseUntested, reportsOf } from './reports.ts';
import { ownerBefore, type Reviewed, reviewedProducts, reviewersEver, sourcesOf } from './reviewed.ts';
import { confirmed, holderOf, type KeyOptions, momentOf, signerOf, toldFailure, whoOf } from './signing.ts';

export interface ApproveOptions extends KeyOptions {
  readonly environment: string;
  readonly reason: string;
  readonly expires: string;
  readonly from?: string | undefined;
  readonly author?: readonly string[] | undefined;
  /** Where the policy tests are; true: beside the contract. */
  readonly tests?: true | readonly string[] | undefined;
  /** Folder of the log; true: that of the environment. */
  readonly replay?: true | string | undefined;
  readonly yes?: true | undefined;
}

/** Shows what differs, asks, signs, and writes the review beside the contract. */
export async function approve(terminal: Terminal, contract: string, options: ApproveOptions): Promise<void> {
  const now = Date.now();
  const expires = momentOf(options.expires, now);
  if (expires === null) {
    throw new CliError(exitCodes.usage, `\`${options.expires}\` is no time to come`, 'a date as 2027-01-31, or 90d');
  }
  const signer = await signerOf(options);
  const reviewed = await onlyOne(terminal, contract, options);
  const who = reviewer(reviewed, signer.key);
  if (options.tests === undefined) refuseUntested(reviewed);
  const authors = await authorsOf(terminal, reviewed, options.author);
  if (who.emails.some((email) => authors.includes(email))) {
    throw new CliError(exitCodes.failed, `${who.name} wrote the change`, 'somebody else approves it');
  }
  say(terminal, titleOf(reviewed));
  terminal.err.write(differencePage(reviewed.verdict.difference, calledOf(reviewed), false));
  say(terminal, `written by ${authors.join(', ')}`);
  const reports = await reportsOf(terminal, reviewed, options);
  await confirmed(terminal, `Does ${who.name} approve this until ${instant(expires)}?`, options.yes);

  const { product, folder, verdict } = reviewed;
  const { boundary, fingerprint } = product;
  const statement: ReviewStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectOf(boundary.product.name, fingerprint),
    predicateType: REVIEW_TYPE,
    predicate: {
      product: boundary.product.name,
      version: boundary.product.version,
      environment: boundary.environment,
      from: verdict.from,
      to: fingerprint,
      effect: verdict.effect,
      difference: differenceDigest(verdict.difference),
      authors: [...authors],
      reason: options.reason,
      who: whoOf(who, signer),
      signedAt: instant(now),
      expires: instant(expires),
      ...reports,
    },
  };
  const text = await toldFailure(signStatement(statement, signer, REVIEW_NAMESPACE));
  const kept = await keepBoundary(folder, boundary);
  const file = await keepReview(folder, statement, text);
  const [after] = await reviewedProducts(terminal, [product.file], options.environment, { from: verdict.from });
  for (const path of [file, kept]) await writeOut(terminal, `${relative(terminal.cwd, path)}\n`);
  const left = after === undefined || after.verdict.covered ? 0 : after.verdict.needed - after.verdict.counted.length;
  say(terminal, left === 0 ? 'approved: commit both files' : `${left} more to approve; commit both files`);
}

async function onlyOne(terminal: Terminal, contract: string, { environment, from }: ApproveOptions): Promise<Reviewed> {
  const found = await reviewedProducts(terminal, [contract], environment, { from });
  const [reviewed] = found;
  if (reviewed === undefined || found.length > 1) {
    throw new CliError(exitCodes.usage, `${found.length} contracts in \`${contract}\``, 'name one file');
  }
  if (reviewed.verdict.refusals.some(({ code }) => code === 'chain_broken')) {
    const [why] = reviewed.verdict.refusals;
    throw new CliError(exitCodes.failed, why?.message ?? '', why?.hint ?? null);
  }
  return reviewed;
}

/** Whoever has the key, if a review of theirs can count. */
function reviewer(reviewed: Reviewed, key: string): Signer {
  const { verdict } = reviewed;
  const { owner } = reviewed.product.boundary.product;
  const before = verdict.from === NOTHING ? owner : ownerBefore(reviewed);
  const agents = [...(owner.agents ?? []), ...(before?.agents ?? [])];
  if (holderOf(key, agents) !== null) {
    throw new CliError(exitCodes.failed, 'this is the key of an agent', 'a person approves: agents never count');
  }
  const found = holderOf(key, before?.reviewers ?? []);
  if (found !== null) return found;
  const listed = (before?.reviewers ?? []).map(({ name }) => name).join(', ') || 'nobody';
  throw new CliError(
    exitCodes.failed,
    holderOf(key, owner.reviewers) === null
      ? 'the contract lists this key nowhere'
      : 'the change itself lists this key: it was not listed before',
    `\`owner.reviewers\` as it was before the change (${short(verdict.from)}) lists ${listed}`,
  );
}

/** Who wrote the change: as it is said, or else as git knows it, since what was approved before. */
async function authorsOf(
  terminal: Terminal,
  reviewed: Reviewed,
  given: readonly string[] | undefined,
): Promise<readonly string[]> {
  const git = await gitOf(terminal.cwd);
  const said = (given ?? []).map((address) => address.toLowerCase());
  if (git === null) {
    if (said.length > 0) return said;
    throw new CliError(
      exitCodes.usage,
      'nobody knows who wrote the change: this is no git checkout',
      'name them: --author ADDRESS',
    );
  }
  const files = sourcesOf(reviewed.product, reviewed.files, git.root);
  const { from } = reviewed.verdict;
  const kept = relative(git.root, `${reviewed.folder}/boundaries/${from.replace('sha256:', '')}.json`);
  const since = from === NOTHING ? null : await addedIn(git, kept);
  const range = since === null ? 'HEAD' : `${since}..HEAD`;
  const signers = reviewersEver(reviewed.archive, reviewed.product);
  const committed = await authorsIn(git, range, files, signers).catch(() => []);
  const known = [...new Set([...committed, ...(await authorsNow(git, files)), ...said])].toSorted();
  if (known.length > 0) return known;
  throw new CliError(exitCodes.usage, 'git does not know who wrote the change', 'name them: --author ADDRESS');
}
