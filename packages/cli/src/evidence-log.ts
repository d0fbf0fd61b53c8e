import { isAbsolute, relative, resolve, sep } from 'node:path';
import {
  EvidenceDamaged,
  EvidenceKeyUnknown,
  EvidenceLocked,
  type EvidenceLog,
  EvidenceShared,
  EvidenceUnavailable,
  EvidenceWitnessInvalid,
  folderSealKeys,
  openLog,
  type SealKeys,
} from '@ambit/evidence';
import type { BoundEnvironment } from '@ambit/session';

import { evidenceDatabase } from './evidence-database.ts';
import { stateFolder } from './credentials.ts';
import { CliError, exitCodes } from './failure.ts';
import { say, type Terminal } from './terminal.ts';

/** Version of Ambit. */
export const version = '0.1.0';

/** The file or folder that the environment names, or the usual one among the state of this folder. */
export function stateOf(
  terminal: Terminal,
  { folder }: BoundEnvironment,
  path: string | undefined,
  usual: string,
): string {
  return path === undefined ? resolve(stateFolder(terminal), usual) : resolve(folder, path);
}

/** The folder of the evidence log. */
export function evidenceFolder(terminal: Terminal, environment: BoundEnvironment): string {
  return stateOf(terminal, environment, environment.value.evidence, 'evidence');
}

/** The file of the key that signs the log. */
export function evidenceKey(terminal: Terminal, environment: BoundEnvironment): string {
  return stateOf(terminal, environment, environment.value.evidenceKey, 'evidence.key');
}

/** The keys that seal literals in the log of an environment. A copy of the log must not have them with it. */
export function sealKeys(terminal: Terminal, environment: BoundEnvironment): SealKeys {
  const { evidenceSeals, evidenceSealPeriod } = environment.value;
  const folder = stateOf(terminal, environment, evidenceSeals, 'evidence.seals');
  const within = relative(evidenceFolder(terminal, environment), folder);
  if (!isAbsolute(within) && within.split(sep)[0] !== '..')
    throw new CliError(
      exitCodes.failed,
      'the keys that seal literals lie in the folder of the log',
      'name another folder as `evidenceSeals`: whoever copies the log must not copy them',
    );
  return folderSealKeys(folder, evidenceSealPeriod);
}

/** Opens the log of an environment, for this process alone. */
export async function openEvidence(terminal: Terminal, environment: BoundEnvironment): Promise<EvidenceLog> {
  const folder = evidenceFolder(terminal, environment);
  const key = evidenceKey(terminal, environment);
  const seals = sealKeys(terminal, environment);
  const database = await evidenceDatabase(environment);
  const shared = database === null ? {} : { shared: database };
  const { witnesses = [] } = environment.value;
  const tell = (message: string): void => say(terminal, `evidence: ${message}`);
  return openLog({ folder, key, seals, ambit: version, witnesses, tell, ...shared }).catch((error: unknown) =>
    explainLog(error, folder),
  );
}

/** Why there is no log to write. Without one nothing is served. */
export function explainLog(error: unknown, folder: string): never {
  if (error instanceof EvidenceLocked) {
    const hint = 'one server writes one log; stop the other, or give this one a log of its own';
    throw new CliError(exitCodes.failed, error.message, hint, { cause: error });
  }
  if (error instanceof EvidenceDamaged) {
    const hint = `\`ambit verify ${folder}\` tells more; keep the folder as it is for whoever investigates, and give the server another`;
    throw new CliError(exitCodes.failed, `the evidence log is damaged: ${error.message}`, hint);
  }
  if (error instanceof EvidenceKeyUnknown) {
    const hint = 'put the key back, or keep this log as it is and give the server another folder';
    throw new CliError(exitCodes.failed, error.message, hint);
  }
  if (error instanceof EvidenceShared) {
    throw new CliError(
      exitCodes.failed,
      error.message,
      'see `evidenceDatabase` of the environment, and "Several servers" in docs/evidence.md',
    );
  }
  if (error instanceof EvidenceWitnessInvalid) {
    throw new CliError(exitCodes.failed, error.message, 'see `witnesses` of the environment');
  }
  if (error instanceof EvidenceUnavailable) {
    throw new CliError(
      exitCodes.failed,
      error.message,
      'no log, no server: see `evidence` and `evidenceDatabase` of the environment',
    );
  }
  throw error as Error;
}
