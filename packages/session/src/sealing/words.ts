import type { Boundary } from '@ambit/contract';
import type { Grant } from '@ambit/policy';

/** Words of SQL. They are everybody's: to show one tells nothing of whoever wrote it. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `all and any array as asc at between bigint binary boolean both by bytea case cast char column cross cube current current_date
   current_time current_timestamp date day decimal default desc distinct double else end escape except exclude exists explain
   extract false fetch filter first float following for from full group grouping groups having hour ignore ilike in inner int
   integer intersect interval into is isnull join last lateral leading left like limit minute month natural next no not notnull
   null nulls numeric offset on only or order ordinality others outer over overlay partition position preceding precision
   qualify quarter range real recursive regexp replace respect right rlike rollup row rows second select semi anti sets similar
   smallint some string struct substring symmetric table text then ties time timestamp timestamptz tinyint to trailing trim
   true try_cast unbounded union unknown unnest unsigned using values varchar view week when where window with within without
   year zone`.split(/\s+/),
);

/** Words that may be shown: of SQL, and those that a subject was granted. What is not here is never shown. */
export interface Words {
  /** A name as the contract writes it, by how SQL without quotes would: null if it is none. */
  name(word: string): string | null;
  /** The same for a name in quotes: exactly this one. */
  quoted(word: string): string | null;
  /** A parameter of a named query. */
  parameter(word: string): string | null;
  keyword(word: string): string | null;
}

const made = new WeakMap<Grant, Words>();

/**
 * Words of a grant. Not of the boundary: who asks for a name and sees whether it is shown would learn which names there are
 * that they were denied.
 */
export function wordsOf(boundary: Boundary, grant: Grant): Words {
  const known = made.get(grant);
  if (known !== undefined) return known;
  const queries = grant.queries.flatMap((name) => boundary.queries[name] ?? []);
  const columns = [
    ...Object.values(grant.tables).flatMap((table) => table.columns),
    ...Object.keys(grant.views).flatMap((name) => boundary.views[name]?.columns ?? []),
    ...queries.flatMap((query) => query.columns),
  ].map(({ name }) => name);
  const names = new Set([...Object.keys(grant.tables), ...Object.keys(grant.views), ...grant.functions, ...columns]);
  const folded = new Map([...names].map((name) => [name.toLowerCase(), name]));
  const parameters = new Set(queries.flatMap((query) => Object.keys(query.parameters)));
  const words: Words = {
    name: (word) => folded.get(word.toLowerCase()) ?? null,
    quoted: (word) => (names.has(word) ? word : null),
    parameter: (word) => (parameters.has(word) ? word : null),
    keyword: (word) => (KEYWORDS.has(word.toLowerCase()) ? word.toUpperCase() : null),
  };
  made.set(grant, words);
  return words;
}
