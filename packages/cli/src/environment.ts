import { formatProblem } from '@ambit/contract';
import { type BoundEnvironment, ContractsInvalid, loadEnvironment } from '@ambit/session';

import { CliError, exitCodes } from './failure.ts';

/** The environment of a file, or the usual one. */
export async function environmentOf(file: string | undefined): Promise<BoundEnvironment> {
  return loadEnvironment(file ?? null).catch((error: unknown) => {
    if (error instanceof ContractsInvalid) return explain(error);
    throw new CliError(exitCodes.usage, `cannot read the environment \`${file}\``, (error as Error).message, {
      cause: error,
    });
  });
}

/** Tells all that is wrong with contracts or an environment. */
export function explain(error: unknown): never {
  if (!(error instanceof ContractsInvalid)) throw error as Error;
  const count = error.problems.length;
  const said = error.problems.map(formatProblem).join('\n');
  throw new CliError(exitCodes.failed, `${count} ${count === 1 ? 'problem' : 'problems'}\n${said}`);
}
