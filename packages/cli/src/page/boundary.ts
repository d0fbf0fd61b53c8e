import type { Boundary, BoundaryTable } from '@ambit/contract';
import type { Grant, GrantedColumn, GrantedTable, Governor } from '@ambit/policy';

import { counted, printable } from '../display.ts';
import { facts, indented, listed, section } from './layout.ts';

/** What the session could see: every table with where it comes from and how it was narrowed. */
export function couldSee(boundary: Boundary, grant: Grant): readonly string[] {
  const tables = Object.entries(grant.tables).flatMap(([name, granted]) => tableLines(name, granted, boundary));
  const views = Object.entries(grant.views).map(
    ([name, { determinedBy }]) => [`view ${printable(name)}`, by(determinedBy)] as const,
  );
  const queries: readonly (readonly [string, string | null])[] =
    grant.queries.length === 0 ? [] : [['named queries', listed(grant.queries)]];
  const others = facts([...views, ...queries]);
  return section('Could see', [...tables, ...(others.length === 0 ? [] : ['', ...others])]);
}

function tableLines(name: string, granted: GrantedTable, boundary: Boundary): readonly string[] {
  const table = boundary.tables[name];
  return [
    printable(name),
    ...indented(
      facts([
        ['from', table === undefined ? null : supply(table, boundary)],
        ['columns', granted.columns.map((column) => columnText(column, boundary)).join('\n')],
        ['rows', rowsText(granted.filters, boundary)],
        ['permitted', by(granted.determinedBy)],
      ]),
    ),
  ];
}

/** Which catalog and store supply a table. */
function supply(table: BoundaryTable, boundary: Boundary): string {
  const catalog = boundary.catalogs[table.catalog];
  const store = catalog === undefined ? undefined : boundary.stores[catalog.store];
  const place = store === undefined ? '' : ` (${store.kind}, ${store.root})`;
  const credential = store?.credential ? `, credential ${store.credential}` : '';
  return printable(
    `catalog ${table.catalog} (${table.format.type}), store ${catalog?.store ?? 'unknown'}${place}, ${table.path}${credential}`,
  );
}

function columnText({ name, masks }: GrantedColumn, boundary: Boundary): string {
  const said = masks.map((mask) => governorText(mask, 'masked by', boundary.masks[mask.id]?.with));
  return printable([name, ...said].join(': '));
}

function rowsText(filters: readonly Governor[], boundary: Boundary): string {
  if (filters.length === 0) return 'all';
  return filters
    .map((filter) => printable(governorText(filter, 'only where', boundary.rowFilters[filter.id]?.where)))
    .join('\n');
}

/** A filter or mask as it stood: what it does, or who lifted it. */
function governorText({ id, exemptedBy }: Governor, verb: string, sql: string | undefined): string {
  const text = oneLine(sql ?? '');
  if (exemptedBy.length > 0) return `exempt from ${id}, by ${exemptedBy.join(', ')}`;
  return verb === 'only where' ? `only where ${text}  (${id})` : `masked by ${id}, as ${text}`;
}

/** Settings that do not have DataFusion's own value, with who set them. */
export function settings(boundary: Boundary): readonly string[] {
  const changed = Object.entries(boundary.settings).filter(([, { origin }]) => origin !== 'datafusion');
  const origins = { contract: 'the contract', environment: 'the environment', ambit: 'Ambit' } as const;
  const lines = facts(
    changed.map(([key, { value, origin }]) => [
      printable(`${key} = ${value === '' ? "''" : value}`),
      origin === 'datafusion' ? null : `by ${origins[origin]}`,
    ]),
  );
  const rest = Object.keys(boundary.settings).length - changed.length;
  return section("Settings that differ from DataFusion's", [
    ...lines,
    `(${rest} others have its own values; --json gives them all)`,
  ]);
}

/** Every policy that decided, and what. */
export function policies(grant: Grant): readonly string[] {
  const decided = new Map<string, string[]>();
  for (const { action, resource, allowed, determinedBy } of grant.decisions) {
    for (const policy of determinedBy) {
      const said = `${allowed ? '' : 'forbids '}${action} ${resource}`;
      decided.set(policy, [...(decided.get(policy) ?? []), said]);
    }
  }
  const byDefault = grant.decisions.filter(({ allowed, determinedBy }) => !allowed && determinedBy.length === 0).length;
  const lines = facts([...decided].map(([policy, said]) => [printable(policy), listed(said)]));
  const rest =
    byDefault === 0 ? [] : [`(${counted(byDefault, 'denial')} because no policy permits it; --json gives all)`];
  return section('Policies that decided', [...lines, ...rest]);
}

function by(policyIds: readonly string[]): string {
  return policyIds.length === 0 ? 'by no policy' : `by ${printable(policyIds.join(', '))}`;
}

function oneLine(sql: string): string {
  return sql.trim().replace(/\s+/g, ' ');
}
