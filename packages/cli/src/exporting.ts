import { resolve } from 'node:path';
import type { Environment } from '@ambit/contract';
import { type Endpoint, type Exports, ExportsInvalid, type ExportsOptions, startExports } from '@ambit/export';
import { CliError, exitCodes } from './failure.ts';

type Within = (path: string) => string;
type All = NonNullable<Environment['exports']>;

interface Declared extends Omit<ExportsOptions, 'config'> {
  readonly declared: Environment['exports'];
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Where the exports keep what was delivered. */
  readonly state: string;
}

/** Starts what an environment exports; null: nothing. */
export async function exportsOf({ declared, folder, state, ...options }: Declared): Promise<Exports | null> {
  if (declared === undefined) return null;
  const { openlineage, otlp, prometheus } = declared;
  const within: Within = (path) => resolve(folder, path);
  const config = {
    folder: state,
    openlineage: openlineage === undefined ? null : lineageOf(openlineage, within),
    otlp: otlp === undefined ? null : endpointOf(otlp, within),
    prometheus: prometheus === undefined ? null : { host: prometheus.host ?? '127.0.0.1', port: prometheus.port },
  };
  return startExports({ ...options, config }).catch((error: unknown) => {
    if (error instanceof ExportsInvalid) throw new CliError(exitCodes.failed, error.message, error.hint);
    throw error;
  });
}

function endpointOf({ url, headers = {} }: NonNullable<All['otlp']>, within: Within): Endpoint {
  return {
    url,
    headers: Object.fromEntries(Object.entries(headers).map(([name, { file }]) => [name, within(file)])),
  };
}

function lineageOf(
  { url, headers, file }: NonNullable<All['openlineage']>,
  within: Within,
): Endpoint | { readonly file: string } {
  if (url !== undefined && file === undefined) return endpointOf({ url, headers: headers ?? {} }, within);
  if (file !== undefined && url === undefined && headers === undefined) return { file: within(file) };
  throw new CliError(
    exitCodes.failed,
    '`exports.openlineage` does not say where events go',
    'give it a `url`, with `headers` if it needs some, or a `file`',
  );
}
