import { resolve } from 'node:path';
import type { Environment } from '@ambit/contract';
import { type Endpoint, type Exports, ExportsInvalid, type ExportsOptions, startExports } from '@ambit/export';
import { CliError, exitCodes } from './failure.ts';

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
  const within = (path: string): string => resolve(folder, path);
  const endpoint = ({ url, headers = {} }: { url: string; headers?: Record<string, { file: string }> }): Endpoint => ({
    url,
    headers: Object.fromEntries(Object.entries(headers).map(([name, { file }]) => [name, within(file)])),
  });
  const to =
    openlineage === undefined
      ? null
      : 'file' in openlineage
        ? { file: within(openlineage.file) }
        : endpoint(openlineage);
  const config = {
    folder: state,
    openlineage: to,
    otlp: otlp === undefined ? null : endpoint(otlp),
    prometheus: prometheus === undefined ? null : { host: prometheus.host ?? '127.0.0.1', port: prometheus.port },
  };
  return startExports({ ...options, config }).catch((error: unknown) => {
    if (error instanceof ExportsInvalid) throw new CliError(exitCodes.failed, error.message, error.hint);
    throw error;
  });
}
