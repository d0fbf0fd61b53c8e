import { EngineUnavailable } from '@ambit/engine';
import { CredentialUnavailable } from './credentials/keys.ts';
import type { Told } from './records.ts';

/** What a consumer is told of a session that never ran. */
export function toldOf(error: unknown): Told {
  if (error instanceof EngineUnavailable) return noWorkerTold;
  if (error instanceof SourcesNotReady) return notReadyTold;
  return error instanceof CredentialUnavailable ? noCredentialTold : failedTold;
}

/** What a product shows of the server itself could not be made. */
export class SourcesNotReady extends Error {
  override readonly name = 'SourcesNotReady';
}

const noWorkerTold = {
  code: 'engine_unavailable',
  message: 'no worker can run the session now',
  hint: 'try again later',
  position: null,
} as const;

const notReadyTold = {
  code: 'evidence_unavailable',
  message: 'the tables of the evidence do not hold all that is in the log yet',
  hint: "try again later; if that does not help, the server's operator knows why",
  position: null,
} as const;

const noCredentialTold = {
  code: 'credential_unavailable',
  message: "the product's stores cannot be asked for its data now",
  hint: "try again later; if that does not help, the server's operator knows which credential is missing",
  position: null,
} as const;

export const failedTold = {
  code: 'internal',
  message: 'the engine failed; the session was closed',
  hint: null,
  position: null,
} as const;
