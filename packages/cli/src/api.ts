import type { Receipt } from '@ambit/evidence';

import { type Answer, type Connection, call, callJson } from './connection.ts';
import type { Replayed } from '@ambit/session';
import type { SessionEvidence } from './page/evidence.ts';

/** Formats of a result, with the media type that the server is asked for. */
export const mediaTypes = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  arrow: 'application/vnd.apache.arrow.stream',
} as const;

export type ResultFormat = keyof typeof mediaTypes;

export interface Question {
  readonly product: string;
  readonly purpose: string | null;
  /** SQL, or the name of one of the product's queries. */
  readonly ask: { readonly sql: string } | { readonly query: string };
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly format: ResultFormat;
  readonly signal: AbortSignal;
}

/** Asks a question. The answer's body is the result, as it comes. */
export function ask(
  connection: Connection,
  { product, purpose, ask: what, parameters, format, signal }: Question,
): Promise<Answer> {
  const path = `v1/products/${encodeURIComponent(product)}`;
  return call(connection, {
    method: 'POST',
    path: 'sql' in what ? `${path}/query` : `${path}/queries/${encodeURIComponent(what.query)}`,
    accept: mediaTypes[format],
    body: {
      ...('sql' in what ? { sql: what.sql } : {}),
      ...(purpose === null ? {} : { purpose }),
      parameters,
    },
    signal,
  });
}

/** The session that an answer came from. */
export function sessionOf(answer: Answer): string | null {
  const value = answer.headers[sessionHeader];
  return typeof value === 'string' ? value : null;
}

/** That the version which answered comes to its end, in words; null: nobody has said so. */
export function endOf({ headers }: Answer): string | null {
  const since = /^@(-?[0-9]+)$/.exec(String(headers['deprecation']))?.[1];
  if (since === undefined) return null;
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const sunset = Date.parse(String(headers['sunset']));
  const successor = /\/v1\/products\/([^>]+)>; rel="successor-version"/.exec(String(headers['link']))?.[1];
  const words = [
    `this version is deprecated since ${day(Number(since) * 1_000)}`,
    ...(Number.isNaN(sunset) ? [] : [`it ends on ${day(sunset)}`]),
    ...(successor === undefined ? [] : [`use ${successor}`]),
  ];
  return `note: ${words.join('; ')}`;
}

const sessionHeader = 'ambit-session';

/** A product as `GET /v1/products` lists it. */
export interface ListedProduct {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly purposes: readonly { readonly name: string; readonly description: string }[];
}

interface Governed {
  readonly id: string;
  readonly description: string;
  readonly applies: boolean;
  readonly exemptedBy: readonly string[];
}

/** A product as `GET /v1/products/{product}` tells it to this subject with this purpose. */
export interface ProductDescription {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly owner: string;
  readonly environment: string;
  readonly fingerprint: string;
  readonly purpose: string;
  readonly tables: readonly {
    readonly name: string;
    readonly description: string;
    readonly filters: readonly (Governed & { readonly missingClaims: readonly string[] })[];
    readonly columns: readonly { readonly name: string; readonly type: string; readonly masks: readonly Governed[] }[];
  }[];
  readonly views: readonly {
    readonly name: string;
    readonly description: string;
    readonly columns: readonly { readonly name: string; readonly type: string }[];
  }[];
  readonly queries: readonly {
    readonly name: string;
    readonly description: string;
    readonly parameters: readonly { readonly name: string; readonly type: string }[];
  }[];
  readonly functions: readonly { readonly name: string; readonly determinedBy: readonly string[] }[];
}

/** A session as `GET /v1/sessions` lists it. */
export interface ListedSession {
  readonly session: string;
  readonly at: string;
  readonly product: string;
  readonly purpose: string;
  readonly status: string;
  readonly rows: number | null;
}

export function listProducts(connection: Connection): Promise<{ readonly products: readonly ListedProduct[] }> {
  return callJson(connection, { path: 'v1/products' });
}

export function describeProduct(
  connection: Connection,
  product: string,
  purpose: string | null,
): Promise<ProductDescription> {
  const headers = purpose === null ? {} : { 'ambit-purpose': purpose };
  return callJson(connection, { path: `v1/products/${encodeURIComponent(product)}`, headers });
}

export function listSessions(connection: Connection): Promise<{ readonly sessions: readonly ListedSession[] }> {
  return callJson(connection, { path: 'v1/sessions' });
}

export function showSession(connection: Connection, session: string): Promise<SessionEvidence> {
  return callJson(connection, { path: `v1/sessions/${encodeURIComponent(session)}` });
}

/** What proves that a session is in the log. */
export function showReceipt(connection: Connection, session: string): Promise<Receipt> {
  return callJson(connection, { path: `v1/sessions/${encodeURIComponent(session)}/receipt` });
}

/** The JSON of the boundary that a server serves, for who may see it whole. */
export async function showBoundary(connection: Connection, product: string): Promise<string> {
  const { body } = await call(connection, { path: `v1/products/${encodeURIComponent(product)}/boundary` });
  return body.text();
}

/** Runs a session again on the server, which compares. */
export function replaySession(connection: Connection, session: string): Promise<Replayed> {
  return callJson(connection, { method: 'POST', path: `v1/sessions/${encodeURIComponent(session)}/replay` });
}
