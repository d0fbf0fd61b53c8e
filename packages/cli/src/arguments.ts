import { InvalidArgumentError, Option } from '@commander-js/extra-typings';

import { type Connection, connect } from './connection.ts';
import { credential } from './credentials.ts';
import type { Terminal } from './terminal.ts';

/** `--server URL`: where the server is. */
export function serverOption() {
  return new Option('--server <url>', `address of the server (default: AMBIT_SERVER, or ${defaultServer})`);
}

const defaultServer = 'http://127.0.0.1:7070';

/** `--as NAME`: the saved key to ask with. */
export function asOption() {
  return new Option(
    '--as <name>',
    'ask with the key that was saved under this name; AMBIT_TOKEN holds another credential',
  );
}

/** `--json`: data for programs instead of a page for people. */
export function jsonOption() {
  return new Option('--json', 'everything, as JSON');
}

/** Which server the options name, and which credential. */
export interface Where {
  readonly server?: string | undefined;
  readonly as?: string | undefined;
}

/** Does something over the connection that the options name, and closes it. */
export async function withConnection<Result>(
  terminal: Terminal,
  options: Where,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const server = options.server ?? (terminal.env['AMBIT_SERVER'] || defaultServer);
  const connection = connect(server, credential(terminal, options.as));
  try {
    return await work(connection);
  } finally {
    await connection.agent.destroy();
  }
}

/**
 * Collects `name=value`. A value that is a JSON number, boolean, string or null is taken as such, all else as text: so
 * `month=3`, `state=CA` and `code="007"`.
 */
export function parameterValue(
  text: string,
  before: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It is name=value.');
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`\`${name}\` is given twice.`);
  return { ...before, [name]: scalar(value) };
}

function scalar(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return text;
    // Digits that a number cannot hold stay digits: the server reads them as what the parameter is.
    return typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value) ? text : value;
  } catch {
    return text;
  }
}
