import type { Signer } from '@ambit/contract';
import { keyId } from '@ambit/contract';
import { pemSigner, type SigningKey, SigningFailed, sshSigner } from '@ambit/review';

import { CliError, exitCodes } from '../failure.ts';
import type { Terminal } from '../terminal.ts';

/** Which key signs. */
export interface KeyOptions {
  readonly key?: string | undefined;
  readonly ssh?: string | undefined;
}

/** The key that the options name. Throws `CliError`. */
export async function signerOf({ key, ssh }: KeyOptions): Promise<SigningKey> {
  if ((key === undefined) === (ssh === undefined)) {
    const hint = '--ssh FILE is an SSH key (its .pub file asks the agent), --key FILE an Ed25519 key in PEM';
    throw new CliError(exitCodes.usage, 'one key signs', hint);
  }
  return toldFailure(key === undefined ? sshSigner(ssh ?? '') : pemSigner(key));
}

/** What comes of signing, or why nothing does, in words. */
export async function toldFailure<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (error instanceof SigningFailed) throw new CliError(exitCodes.failed, error.message, 'nothing was written');
    throw error;
  });
}

/** Whoever of those listed has the key; null if nobody has. */
export function holderOf(key: string, signers: readonly Signer[]): Signer | null {
  return signers.find(({ keys }) => keys.includes(key)) ?? null;
}

/** `NAME` and key of whoever signs, as statements say it. */
export function whoOf({ name }: Signer, { key }: SigningKey): { readonly name: string; readonly key: string } {
  return { name, key: keyId(key) };
}

/** Goes on if whoever sits at the terminal says so, or `--yes` does. */
export async function confirmed(terminal: Terminal, question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  const answer = (await terminal.question?.(`${question} Type yes: `)) ?? null;
  if (answer === null)
    throw new CliError(exitCodes.usage, 'nobody is there to be asked', 'add --yes if you have looked at it');
  if (answer.trim().toLowerCase() !== 'yes') throw new CliError(exitCodes.failed, 'nothing was signed');
}

const DAY_MS = 86_400_000;

/** A moment from now, as `90d`, or a date. Null: it is neither, or over. */
export function momentOf(text: string, now: number): number | null {
  const [, days] = /^([1-9][0-9]{0,3})d$/.exec(text) ?? [];
  const at = days === undefined ? Date.parse(text) : now + Number(days) * DAY_MS;
  const dated = days !== undefined || /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text);
  return dated && Number.isFinite(at) && at > now ? at : null;
}
