import pg from 'pg';
import { EvidenceUnavailable } from '../errors.ts';
import { limits } from '../limits.ts';
import type { DatabaseOptions } from './options.ts';

/** Connects, with settings that do not weaken what a commit promises, whatever the database's own are. */
export async function connect(options: DatabaseOptions, boot: string): Promise<pg.Client> {
  const { host, port, database, user, password, tls } = options;
  const client = new pg.Client({
    host,
    port,
    database,
    user,
    ...(password === null ? {} : { password }),
    ssl: tls === null ? false : tlsOf(host, tls),
    application_name: `ambit ${boot}`,
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.databaseAnswerMs,
    statement_timeout: limits.databaseAnswerMs,
    keepAlive: true,
  });
  // Until somebody listens: an error that nobody takes would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    // `tcp_user_timeout`: a server that is paused reads nothing, and what waits for it would fill the queue that all are told over.
    const { rows } = await client.query<{ fsync: string }>(
      `SELECT current_setting('fsync') AS fsync,
         set_config('default_transaction_isolation', 'read committed', false),
         set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
           ELSE current_setting('synchronous_commit') END, false),
         set_config('idle_in_transaction_session_timeout', $1, false),
         set_config('tcp_keepalives_idle', '5', false),
         set_config('tcp_keepalives_interval', '2', false),
         set_config('tcp_keepalives_count', '3', false),
         set_config('tcp_user_timeout', $2, false)`,
      [`${limits.turnMs}ms`, String(limits.untakenMs)],
    );
    if (rows[0]?.fsync !== 'on') {
      throw new EvidenceUnavailable(
        'the database of the evidence has `fsync` off: it does not keep what it takes',
        true,
      );
    }
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

function tlsOf(
  host: string,
  { ca, certificate, key }: NonNullable<DatabaseOptions['tls']>,
): pg.ConnectionConfig['ssl'] {
  return {
    rejectUnauthorized: true,
    host,
    ...(ca === null ? {} : { ca }),
    ...(certificate === null || key === null ? {} : { cert: certificate, key }),
  };
}

/** Whether the database itself said no, over a connection that goes on. */
export function isAnswer(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return error instanceof EvidenceUnavailable;
  return !/^(08|57P|25P0[34])/.test(error.code ?? '08');
}

/** In words that hold nothing of what was sent. */
export function unavailable(error: unknown): EvidenceUnavailable {
  if (error instanceof EvidenceUnavailable) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const why = error instanceof pg.DatabaseError ? `${told(code)} (${code})` : (code ?? message);
  return new EvidenceUnavailable(`the database of the evidence cannot be used: ${why}`);
}

function told(code: string | undefined): string {
  return REASONS[code?.slice(0, 2) ?? ''] ?? 'it refused';
}

/** By class of SQLSTATE. */
const REASONS: Readonly<Record<string, string>> = {
  '08': 'the connection was lost',
  '28': 'it did not take the credentials',
  '3D': 'there is no such database',
  '42': 'the role lacks a right, or the tables are not those of Ambit',
  '25': 'it takes no writes',
  '53': 'it lacks room, memory or connections',
  '57': 'it is stopping or starting, or ended the statement',
};
