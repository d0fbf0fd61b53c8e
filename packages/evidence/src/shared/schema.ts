import type { ClientBase } from 'pg';
import { EvidenceUnavailable } from '../errors.ts';

/** Of the tables. Another version's are not touched. */
const VERSION = 2;

/** Tables of a shared log, by what they hold. */
export interface Tables {
  readonly log: string;
  readonly batches: string;
  readonly entries: string;
  readonly servers: string;
}

/** The tables of a schema, as statements name them. */
export function tablesOf(schema: string): Tables {
  const named = (table: string): string => `${quoted(schema)}.${table}`;
  return { log: named('log'), batches: named('batches'), entries: named('entries'), servers: named('servers') };
}

/** Makes the tables where there are none. Servers that start together wait for each other. */
export async function ensureTables(client: ClientBase, schema: string): Promise<void> {
  if (await versionHolds(client, schema)) return;
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('ambit evidence ' || $1))`, [schema]);
    if (!(await versionHolds(client, schema)))
      await client.query(definition(schema, await schemaIsThere(client, schema)));
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    if ((error as { readonly code?: string }).code !== '42501') throw error;
    throw new EvidenceUnavailable(
      `the role may not make the tables of the evidence: an administrator can run CREATE SCHEMA ${quoted(schema)} AUTHORIZATION of it`,
    );
  }
}

async function schemaIsThere(client: ClientBase, schema: string): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  return rows.length > 0;
}

async function versionHolds(client: ClientBase, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    `${quoted(schema)}.format`,
  ]);
  if (rows[0]?.there !== true) return false;
  const found = await client.query<{ version: number }>(`SELECT version FROM ${quoted(schema)}.format`);
  const version = found.rows[0]?.version;
  if (version === VERSION) return true;
  throw new EvidenceUnavailable(`the tables of the evidence have version ${version}, and this Ambit reads ${VERSION}`);
}

function definition(schema: string, there: boolean): string {
  const { log, batches, entries, servers } = tablesOf(schema);
  const format = `${quoted(schema)}.format`;
  return `
    ${there ? '' : `CREATE SCHEMA ${quoted(schema)};`}
    CREATE TABLE ${format} (version integer NOT NULL);
    INSERT INTO ${format} VALUES (${VERSION});
    -- The head: whoever moves it has appended.
    CREATE TABLE ${log} (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      log uuid NOT NULL,
      key text NOT NULL,
      position bigint NOT NULL,
      -- It is being put here out of a folder: nobody serves it yet.
      sharing boolean NOT NULL
    );
    -- What the segments of every server are made of, in order.
    CREATE TABLE ${batches} (
      first bigint NOT NULL,
      records integer NOT NULL CHECK (records >= 0),
      id uuid NOT NULL UNIQUE,
      boot uuid NOT NULL,
      segment integer NOT NULL,
      start bigint NOT NULL,
      bytes bytea NOT NULL,
      checkpoint text NOT NULL,
      PRIMARY KEY (segment, start)
    );
    -- Entry bundles of the tree, for records whose batches were removed.
    CREATE TABLE ${entries} (
      bundle bigint PRIMARY KEY,
      bytes bytea NOT NULL
    );
    -- Process runs. One that serves holds the advisory lock of its place.
    CREATE TABLE ${servers} (
      boot uuid PRIMARY KEY,
      place integer GENERATED ALWAYS AS IDENTITY UNIQUE,
      state text NOT NULL CHECK (state IN ('serving', 'ended', 'fenced')),
      fenced_by uuid
    );`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
