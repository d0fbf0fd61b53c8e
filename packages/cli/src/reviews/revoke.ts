import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import {
  instant,
  keepRevocation,
  NOTHING,
  readArchive,
  readEnvelope,
  REVIEW_NAMESPACE,
  REVIEW_TYPE,
  type ReviewStatement,
  REVOCATION_TYPE,
  type RevocationStatement,
  type Signed,
  signedStatement,
  signStatement,
  subjectOf,
} from '@ambit/review';

import { CliError, exitCodes } from '../failure.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';
import { confirmed, holderOf, type KeyOptions, signerOf, toldFailure, whoOf } from './signing.ts';

export interface RevokeOptions extends KeyOptions {
  readonly reason: string;
  readonly itself?: true | undefined;
  readonly yes?: true | undefined;
}

/** Takes a review back: signs that, and writes it beside the review. */
export async function revoke(terminal: Terminal, file: string, options: RevokeOptions): Promise<void> {
  const review = await reviewIn(file);
  const signer = await signerOf(options);
  const { boundaries } = await readArchive(dirname(file));
  const { predicate } = review.statement;
  const owners = [predicate.from, predicate.to].filter((one) => one !== NOTHING).map((one) => boundaries.get(one));
  const who = holderOf(
    signer.key,
    owners.flatMap((boundary) => boundary?.product.owner.reviewers ?? []),
  );
  if (who === null) {
    throw new CliError(exitCodes.failed, 'no reviewer of the contract has this key', 'a listed reviewer revokes');
  }
  const { product, version, environment, to } = predicate;
  const scope = options.itself === true ? 'itself' : 'all';
  say(terminal, `${predicate.who.name}'s review of ${product} ${version} in ${environment}: ${predicate.reason}`);
  const more = scope === 'all' ? ' What was approved on top of it falls too.' : '';
  await confirmed(terminal, `Does ${who.name} take it back?${more}`, options.yes);
  const statement: RevocationStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectOf(product, to),
    predicateType: REVOCATION_TYPE,
    predicate: {
      product,
      version,
      environment,
      reason: options.reason,
      who: whoOf(who, signer),
      signedAt: instant(Date.now()),
      review: review.digest,
      scope,
    },
  };
  const text = await toldFailure(signStatement(statement, signer, REVIEW_NAMESPACE));
  await writeOut(terminal, `${relative(terminal.cwd, await keepRevocation(dirname(file), statement, text))}\n`);
}

async function reviewIn(file: string): Promise<Signed<ReviewStatement>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError(exitCodes.usage, (cause as Error).message, 'name the file of a review', { cause });
  });
  const envelope = readEnvelope(text);
  const signed = envelope === null ? null : signedStatement(file, envelope);
  if (signed?.statement.predicateType === REVIEW_TYPE) return signed as Signed<ReviewStatement>;
  throw new CliError(exitCodes.failed, `\`${file}\` is no review`, 'reviews lie beside the contract, in `reviews`');
}
