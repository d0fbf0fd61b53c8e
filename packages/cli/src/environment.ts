import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { formatProblem } from '@ambit/contract';
import { type BoundEnvironment, ContractsInvalid, loadEnvironment } from '@ambit/session';

import { CliError, exitCodes } from './failure.ts';

/** The environment of a file, or of a name that has a file beside these contracts, or the usual one. */
export async function environmentOf(
  named: string | undefined,
  beside: readonly string[] = [],
): Promise<BoundEnvironment> {
  const file = named === undefined ? null : await fileOf(named, beside.length === 0 ? ['.'] : beside);
  const environment = await loadEnvironment(file).catch((error: unknown) => {
    if (error instanceof ContractsInvalid) return explain(error);
    throw new CliError(exitCodes.usage, `cannot read the environment \`${file}\``, (error as Error).message, {
      cause: error,
    });
  });
  if (file !== named && named !== undefined && environment.value.name !== named) refuseOther(environment, named);
  return environment;
}

/** Whether this can be the name of an environment, and not only a path. */
export function isName(named: string): boolean {
  return /^[a-z]+$/.test(named);
}

/** Whoever asks for `production` gets nothing else, whatever a file is called. */
function refuseOther({ value, problem }: BoundEnvironment, named: string): never {
  const hint = `give the file the name \`${named}\` inside, or name it by its path`;
  const wrong = problem(['name'], `this is \`${value.name}\`, and \`${named}\` was asked for`, hint);
  return explain(new ContractsInvalid([wrong]));
}

/** A path stays what it is. A name is a file's beside the contracts, or in their folder `environments`. */
async function fileOf(named: string, beside: readonly string[]): Promise<string> {
  if (!isName(named) || (await kindOf(named)) === 'file') return named;
  const folders = await Promise.all(
    beside.map(async (path) => ((await kindOf(path)) === 'folder' ? path : dirname(path))),
  );
  const places = folders.flatMap((folder) => [
    join(folder, 'environments', `${named}.yaml`),
    join(folder, `${named}.yaml`),
  ]);
  const distinct = [...new Map(places.map((place) => [resolve(place), place])).values()];
  const kinds = await Promise.all(distinct.map(kindOf));
  const [found, ...more] = distinct.filter((_, at) => kinds[at] === 'file');
  if (found !== undefined && more.length === 0) return found;
  if (found === undefined)
    throw new CliError(exitCodes.usage, `there is no environment \`${named}\``, `looked for ${distinct.join(', ')}`);
  const many = [found, ...more].join(', ');
  throw new CliError(exitCodes.usage, `\`${named}\` could be ${many}`, 'name the file by its path');
}

async function kindOf(path: string): Promise<'file' | 'folder' | null> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}

/** Tells all that is wrong with contracts or an environment. */
export function explain(error: unknown): never {
  if (!(error instanceof ContractsInvalid)) throw error as Error;
  const count = error.problems.length;
  const said = error.problems.map(formatProblem).join('\n');
  throw new CliError(exitCodes.failed, `${count} ${count === 1 ? 'problem' : 'problems'}\n${said}`, null, {
    cause: error,
  });
}
