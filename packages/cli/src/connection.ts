import { Agent, type Dispatcher, request } from 'undici';

import { CliError, exitCodes } from './failure.ts';
import { limits } from './limits.ts';

/** A server and the credential that it is asked with. */
export interface Connection {
  readonly server: URL;
  readonly credential: string | null;
  readonly agent: Dispatcher;
}

/** An answer whose body has not been read. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
}

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Prepares to talk to a server. Throws when the credential would cross a network in clear.
 */
export function connect(address: string, credential: string | null): Connection {
  let server: URL;
  try {
    server = new URL(address.endsWith('/') ? address : `${address}/`);
  } catch (cause) {
    throw new CliError(exitCodes.usage, `\`${address}\` is no address of a server`, 'such as http://127.0.0.1:7070', {
      cause,
    });
  }
  if (server.protocol !== 'https:' && server.protocol !== 'http:') {
    throw new CliError(
      exitCodes.usage,
      `\`${address}\` is no address of a server`,
      'it begins with https:// or http://',
    );
  }
  if (server.protocol === 'http:' && credential !== null && !loopback.test(server.hostname)) {
    throw new CliError(
      exitCodes.usage,
      `the key would cross the network in clear to \`${server.host}\``,
      "use https://, or a tunnel to the server's own machine",
    );
  }
  // Statements have limits of their own, which the server keeps: a slow answer is no fault of the connection.
  const agent = new Agent({ connect: { timeout: limits.connectMsMax }, headersTimeout: 0, bodyTimeout: 0 });
  return { server, credential, agent };
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Relative to the server's address. */
  readonly path: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** Makes a call. An answer that is no success is thrown as the problem that it describes. */
export async function call(
  connection: Connection,
  { method = 'GET', path, accept = 'application/json', headers = {}, body, signal }: Call,
): Promise<Answer> {
  let answer: Dispatcher.ResponseData;
  try {
    answer = await request(new URL(path, connection.server), {
      method,
      dispatcher: connection.agent,
      headers: {
        accept: `${accept}, application/problem+json`,
        ...(connection.credential === null ? {} : { authorization: `Bearer ${connection.credential}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unreachable(connection, cause);
  }
  if (answer.statusCode >= 200 && answer.statusCode < 300) {
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }
  throw await problem(answer);
}

/** Makes a call whose answer is a JSON value of moderate size. */
export async function callJson<T>(connection: Connection, what: Call): Promise<T> {
  const { body } = await call(connection, what);
  try {
    return (await body.json()) as T;
  } catch (cause) {
    throw new CliError(exitCodes.incomplete, 'the answer broke off', 'try again', { cause });
  }
}

function unreachable(connection: Connection, cause: unknown): CliError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new CliError(
    exitCodes.unavailable,
    `cannot reach \`${connection.server.origin}\`: ${code ?? message}`,
    'is the server up? `ambit serve FOLDER` starts one; `--server URL` or AMBIT_SERVER names another',
    { cause },
  );
}

/** The parts of an RFC 9457 problem that are told. */
interface Problem {
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly code?: unknown;
  readonly hint?: unknown;
  readonly session?: unknown;
}

/** What the server says about a request that it did not serve. */
export class ProblemError extends CliError {
  readonly status: number;
  readonly code: string | null;
  /** The session that was refused or failed, if there was one. */
  readonly session: string | null;

  constructor(status: number, { title, detail, code, hint, session }: Problem) {
    const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
    const said = text(detail) ?? text(title) ?? `the server answered with status ${status}`;
    const exitCode = status === 502 || status === 503 || status === 504 ? exitCodes.unavailable : exitCodes.failed;
    super(exitCode, text(code) === null ? said : `${said} [${text(code)}]`, text(hint));
    this.status = status;
    this.code = text(code);
    this.session = text(session);
  }
}

async function problem(answer: Dispatcher.ResponseData): Promise<ProblemError> {
  const text = await answer.body.text().catch(() => '');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return new ProblemError(answer.statusCode, value);
  } catch {
    // A proxy's page says nothing that the status does not.
  }
  return new ProblemError(answer.statusCode, {});
}
