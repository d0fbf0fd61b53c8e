import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DatabaseOptions } from '@ambit/evidence';
import type { BoundEnvironment } from '@ambit/session';

import { CliError, exitCodes } from './failure.ts';

/** The database that the environment's log is shared in, and the secrets for it; null if its folder is the log. */
export async function evidenceDatabase({ value, folder }: BoundEnvironment): Promise<DatabaseOptions | null> {
  const declared = value.evidenceDatabase;
  if (declared === undefined) return null;
  const { host, port = 5432, database, user, schema = 'ambit_evidence', passwordFile, tls } = declared;
  const read = (file: string | undefined): Promise<string | null> =>
    file === undefined ? Promise.resolve(null) : secretOf(resolve(folder, file));
  // Read once now: a file that is not there is told at the start, and not when the connection is lost.
  if (passwordFile !== undefined) await read(passwordFile);
  return {
    host,
    port,
    database,
    user,
    schema,
    password: passwordFile === undefined ? null : async () => ((await read(passwordFile)) ?? '').replace(/\r?\n$/, ''),
    tls:
      tls === undefined && isNear(host)
        ? null
        : { ca: await read(tls?.ca), certificate: await read(tls?.certificate), key: await read(tls?.key) },
  };
}

/** What never leaves the machine. */
function isNear(host: string): boolean {
  return host.startsWith('/') || ['localhost', '127.0.0.1', '::1'].includes(host);
}

async function secretOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CliError(
      exitCodes.failed,
      `cannot read \`${file}\` (${error.code})`,
      'see `evidenceDatabase` of the environment',
    );
  });
}
