import type { Decision, Grant } from '@ambit/policy';
import { policyIds } from '@ambit/policy';
import type { Product } from '@ambit/session';
import type { Ran } from './run.ts';

/** How often tests exercised something that governs. */
export interface Governed {
  readonly name: string;
  /** Completed sessions that it narrowed, or whose decisions it made. */
  readonly applied: number;
  /** Of a row filter or mask: completed sessions that read what it governs and were exempt. */
  readonly exempted: number;
}

/** What the tests exercised of a product's policies. */
export interface Coverage {
  readonly rowFilters: readonly Governed[];
  readonly masks: readonly Governed[];
  /** Cedar policies, as `file#id`: how often they decided. */
  readonly policies: readonly Governed[];
  readonly purposes: readonly Governed[];
  readonly queries: readonly Governed[];
}

interface TableUse {
  readonly columns: readonly string[];
  readonly filters: readonly string[];
  readonly masks: Readonly<Record<string, readonly string[]>>;
}

/** What a completed session did: who narrowed it is in its evidence, not guessed from its SQL. */
interface Use {
  readonly filters: ReadonlySet<string>;
  readonly masks: ReadonlySet<string>;
  readonly exemptFilters: ReadonlySet<string>;
  readonly exemptMasks: ReadonlySet<string>;
}

/** Counts what tests exercised. */
export function coverageOf({ boundary }: Product, all: readonly Ran[]): Coverage {
  const uses = all.flatMap(useOf);
  const times = (used: (use: Use) => ReadonlySet<string>, name: string) =>
    uses.filter((use) => used(use).has(name)).length;
  const policies = all.map(decidedBy);
  const counted = (names: readonly string[], applied: (name: string) => number): readonly Governed[] =>
    names.map((name) => ({ name, applied: applied(name), exempted: 0 }));
  return {
    rowFilters: Object.keys(boundary.rowFilters).map((name) => ({
      name,
      applied: times(({ filters }) => filters, name),
      exempted: times(({ exemptFilters }) => exemptFilters, name),
    })),
    masks: Object.keys(boundary.masks).map((name) => ({
      name,
      applied: times(({ masks }) => masks, name),
      exempted: times(({ exemptMasks }) => exemptMasks, name),
    })),
    policies: counted(policyIds(boundary), (name) => policies.filter((deciders) => deciders.has(name)).length),
    purposes: counted(Object.keys(boundary.purposes), (name) => all.filter(({ test }) => test.purpose === name).length),
    queries: counted(
      Object.keys(boundary.queries),
      (name) =>
        all.filter(({ test, evidence }) => 'query' in test.ask && test.ask.query === name && evidence !== null).length,
    ),
  };
}

function useOf({ evidence }: Ran): Use[] {
  const tables = (evidence?.outcome?.engine as { readonly tables?: Record<string, TableUse> } | null)?.tables;
  const grant = (evidence?.grant?.grant ?? null) as unknown as Grant | null;
  if (evidence?.outcome?.status !== 'completed' || tables === undefined || grant === null) return [];
  const used = Object.entries(tables);
  const read = ([table, { columns }]: (typeof used)[number]) =>
    (grant.tables[table]?.columns ?? []).filter(({ name }) => columns.includes(name));
  const masksOf = (exempt: boolean) =>
    used
      .flatMap((use) => read(use).flatMap(({ masks }) => masks))
      .filter(({ exemptedBy }) => exemptedBy.length > 0 === exempt)
      .map(({ id }) => id);
  const exemptFilters = used.flatMap(([table]) => grant.tables[table]?.filters ?? []);
  return [
    {
      filters: new Set(used.flatMap(([, { filters }]) => filters)),
      masks: new Set(masksOf(false)),
      exemptFilters: new Set(exemptFilters.filter(({ exemptedBy }) => exemptedBy.length > 0).map(({ id }) => id)),
      exemptMasks: new Set(masksOf(true)),
    },
  ];
}

function decidedBy({ evidence, decisions }: Ran): ReadonlySet<string> {
  const granted = (evidence?.grant?.grant as { readonly decisions?: readonly Decision[] } | undefined)?.decisions ?? [];
  return new Set([...granted, ...decisions].flatMap(({ determinedBy }) => determinedBy));
}
