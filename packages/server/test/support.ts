import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, engineBinary, startEngine } from '@ambit/engine';
import { disk, type EvidenceLog, type Files, openLog, type SessionEvidence } from '@ambit/evidence';
import { loadEnvironment, loadProducts, type Product } from '@ambit/session';
import { vi } from 'vitest';
import { createKey, type NewKey } from '../src/keys.ts';
import type { Limits } from '../src/limits.ts';
import { type Server, startServer } from '../src/server.ts';
import type { Issuer } from '../src/tokens.ts';
import { writeProducts } from './product.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** The whole server: real engine, real evidence, real policies, a real socket. */
export interface World {
  readonly folder: string;
  readonly engine: Engine;
  readonly evidence: EvidenceLog;
  readonly products: readonly Product[];
  readonly server: Server;
  readonly keys: string;
  readonly full: { now: boolean };
  /** What the operator was told. */
  readonly said: readonly string[];
  token(key: Partial<NewKey>): Promise<string>;
  ask(asked: Asked): Promise<Reply>;
  close(): Promise<void>;
}

/** A request; a payload makes it a POST of JSON. */
export interface Asked {
  readonly url: string;
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: object | string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  json(): Readonly<Record<string, unknown>>;
}

export const analyst: Partial<NewKey> = { principal: 'ada', roles: ['analyst'], claims: { region: 'west' } };
export const auditor: Partial<NewKey> = { principal: 'otto', roles: ['auditor'] };

export async function startWorld(
  options: {
    readonly issuers?: readonly Issuer[];
    readonly salt?: string;
    /** Time limit of a session of the product `shop`. */
    readonly timeout?: string;
    readonly limits?: Partial<Limits>;
  } = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-server-'));
  const files = await writeProducts(folder, options.salt ?? folder, options.timeout);
  const full = { now: false };
  const engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads: 2,
    memoryBytes: 256 * 1024 ** 2,
    spillBytes: 0,
    roots: [join(folder, 'data')],
    endpoints: [],
    log: () => {},
  });
  const products = await loadProducts(files, await loadEnvironment(null), engine);
  const evidence = await openLog({ folder: join(folder, 'evidence'), ambit: '0.1.0', files: fillable(full) });
  const keys = join(folder, 'keys.json');
  const said: string[] = [];
  const server = await startServer({
    products,
    engine,
    evidence,
    keys,
    issuers: options.issuers ?? [],
    host: '127.0.0.1',
    port: 0,
    tls: null,
    insecure: false,
    version: '0.1.0',
    log: (message) => void said.push(message),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  return {
    folder,
    engine,
    evidence,
    products,
    server,
    keys,
    full,
    said,
    token: async (key) => (await createKey(keys, { ...nobody, ...key })).token,
    ask: (asked) => ask(server.url, asked),
    close: async () => {
      await server.close();
      await engine.close();
      await evidence.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ask(base: string, { url, method, token, headers, payload }: Asked): Promise<Reply> {
  const answer = await fetch(`${base}${url}`, {
    method: method ?? (payload === undefined ? 'GET' : 'POST'),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(payload === undefined ? {} : { body: typeof payload === 'string' ? payload : JSON.stringify(payload) }),
  });
  const body = await answer.text();
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body,
    json: () => JSON.parse(body) as Record<string, unknown>,
  };
}

const nobody: NewKey = {
  tenant: 'north',
  principal: 'nobody',
  kind: 'user',
  roles: [],
  claims: {},
  onBehalfOf: null,
  expires: null,
};

/** The real disk, but for its room. */
function fillable(full: { readonly now: boolean }): Files {
  const room = (): void => {
    if (full.now) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  const within = (file: Awaited<ReturnType<Files['create']>>): typeof file => ({
    ...file,
    append: async (bytes) => {
      room();
      await file.append(bytes);
    },
  });
  return {
    ...disk,
    create: async (path) => within(await disk.create(path)),
    createDurable: async (path) => within(await disk.createDurable(path)),
    replace: async (path, bytes) => {
      room();
      await disk.replace(path, bytes);
    },
  };
}

/** A query of the product `shop`, for reporting. */
export function query(sql: string, parameters: object = {}): Asked {
  return { url: '/v1/products/shop/query', payload: { sql, parameters, purpose: 'reporting' } };
}

export interface Transfer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  /** The transfer had its end: what HTTP itself says. */
  readonly complete: boolean;
}

/** Over the socket, as a client without any knowledge of the formats. */
export async function transfer(
  { server }: World,
  token: string | null,
  sql: string,
  accept: string,
): Promise<Transfer> {
  const response = await send(server.url, token, sql, accept);
  const chunks: Buffer[] = [];
  const complete = await new Promise<boolean>((done) => {
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', () => undefined);
    response.on('close', () => done(response.complete));
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes: Buffer.concat(chunks),
    complete,
  };
}

/** Sends a query over a connection of its own; the caller reads the answer, or goes away. */
export function send(
  url: string,
  token: string | null,
  sql: string,
  accept = 'application/x-ndjson',
  onRequest: (leave: () => void) => void = () => {},
): Promise<IncomingMessage> {
  return new Promise((answer, fail) => {
    const request = httpRequest(`${url}/v1/products/shop/query`, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/json',
        accept,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    request.on('response', answer);
    request.on('error', fail);
    request.end(JSON.stringify({ sql, purpose: 'reporting' }));
    onRequest(() => request.destroy());
  });
}

/** Sessions of a principal, the newest first. */
export function sessionsOf({ evidence }: World, principal: string): Promise<readonly SessionEvidence[]> {
  return evidence.sessions({ tenant: 'north', principal }, 50);
}

/** Waits until something is there. Throws when it is not after `ms`. */
export async function eventually<T>(what: () => Promise<T | null | undefined>, ms: number): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await what();
    if (found !== null && found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not there after ${ms} ms`);
    await sleep(20);
  }
}
