import { readFile, stat } from 'node:fs/promises';
import { limits } from './limits.ts';

/** Where a receiver is, and the files that hold its headers: secrets are never in the environment itself. */
export interface Endpoint {
  readonly url: string;
  /** Absolute path of the file that holds the value, by the header's name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is exported, and to whom. */
export interface ExportsConfig {
  /** Holds the cursor: up to where OpenLineage was delivered. */
  readonly folder: string;
  readonly openlineage: Endpoint | { readonly file: string } | null;
  /** Base URL of an OTLP receiver: `/v1/traces`, `/v1/metrics` and `/v1/logs` are added. */
  readonly otlp: Endpoint | null;
  /** Where `GET /metrics` is answered. This machine alone. */
  readonly prometheus: { readonly host: string; readonly port: number } | null;
}

/** What is declared cannot be exported. The message names the declaration, never a secret. */
export class ExportsInvalid extends Error {
  override readonly name = 'ExportsInvalid';
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const LOOPBACK = ['127.0.0.1', '[::1]', '::1', 'localhost'];

export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host);
}

/** Throws `ExportsInvalid` for a receiver that what is sent must not go to. */
export function checkedUrl(where: string, text: string): URL {
  const url = parsed(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new ExportsInvalid(`\`${where}.url\` is no http or https URL`, 'such as https://collector.example:4318');
  }
  if (url.username !== '' || url.password !== '') {
    throw new ExportsInvalid(`\`${where}.url\` holds a credential`, 'name a file that holds it, in `headers`');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ExportsInvalid(`\`${where}.url\` has more than a path`, 'a credential goes into `headers`');
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    const hint = 'use https, or a collector on this machine that sends it on';
    throw new ExportsInvalid(`\`${where}.url\` would send who reads what over the network in clear`, hint);
  }
  return url;
}

function parsed(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Reads the values of headers. Throws `ExportsInvalid` if one cannot be. */
export async function readHeaders(where: string, files: Endpoint['headers']): Promise<Record<string, string>> {
  const read = await Promise.all(
    Object.entries(files).map(async ([name, file]) => [name, await readHeader(where, name, file)] as const),
  );
  return Object.fromEntries(read);
}

async function readHeader(where: string, name: string, file: string): Promise<string> {
  const invalid = (what: string): ExportsInvalid =>
    new ExportsInvalid(
      `\`${where}.headers.${name}\`: ${what}`,
      'a file that holds the value of the header, on one line',
    );
  try {
    if ((await stat(file)).size > limits.headerFileBytesMax) throw invalid('its file is too large');
    const value = (await readFile(file, 'utf8')).trim();
    if (!/^[\x20-\x7e]+$/.test(value)) throw invalid('its file holds no value that a header can have');
    return value;
  } catch (error) {
    if (error instanceof ExportsInvalid) throw error;
    throw invalid(`its file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}
