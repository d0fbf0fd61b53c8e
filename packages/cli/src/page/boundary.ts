import type { Boundary, BoundaryTable } from '@ambit/contract';
import type { Decision, Grant, GrantedColumn, GrantedTable, Governor } from '@ambit/policy';

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
        ['columns', columnsText(granted.columns, boundary)],
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
  // Where a store is, is not for everybody: then its root is empty.
  const where = store?.kind === 's3' ? store.url : store?.root;
  const place = store === undefined ? '' : ` (${[store.kind, ...(where ? [where] : [])].join(', ')})`;
  const folders = (table.partitions ?? []).map((column) => `${column}=.../`).join('');
  const credential = store?.credential ? `, credential ${store.credential}` : '';
  return printable(
    `catalog ${table.catalog} (${table.format.type}), store ${catalog?.store ?? 'unknown'}${place}, ${table.path}${folders}${credential}`,
  );
}

/** Columns that are shown as they are, then each that is masked or would be. */
function columnsText(columns: readonly GrantedColumn[], boundary: Boundary): string {
  const plain = columns.filter(({ masks }) => masks.length === 0).map(({ name }) => name);
  const governed = columns.filter(({ masks }) => masks.length > 0);
  return [
    ...(plain.length === 0 ? [] : [listed(plain, 80)]),
    ...governed.map(({ name, masks }) => {
      const said = masks.map((mask) => governorText(mask, 'masked by', boundary.masks[mask.id]?.with));
      return printable(`${name}: ${said.join(', then ')}`);
    }),
  ].join('\n');
}

function rowsText(filters: readonly Governor[], boundary: Boundary): string {
  if (filters.length === 0) return 'all';
  return filters
    .map((filter) => printable(governorText(filter, 'narrowed by', boundary.rowFilters[filter.id]?.where)))
    .join('\n');
}

/** A filter or mask as it stood: what it does, as far as this reader may know, or who lifted it. */
function governorText({ id, exemptedBy }: Governor, verb: string, sql: string | undefined): string {
  if (exemptedBy.length > 0) return `exempt from ${id}, by ${exemptedBy.join(', ')}`;
  // To its own subject a filter says what it is for, if anything.
  return sql === undefined || sql === '' ? `${verb} ${id}` : `${verb} ${id}: ${oneLine(sql)}`;
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
    `(${counted(rest, 'other')} at its own value; --json gives all)`,
  ]);
}

/** Every policy that decided, and what. What it permits column by column and function by function is counted. */
export function policies(grant: Grant): readonly string[] {
  const decided = new Map<string, Decision[]>();
  for (const decision of grant.decisions) {
    for (const policy of decision.determinedBy) decided.set(policy, [...(decided.get(policy) ?? []), decision]);
  }
  const byDefault = grant.decisions.filter(({ allowed, determinedBy }) => !allowed && determinedBy.length === 0).length;
  const lines = facts([...decided].map(([policy, decisions]) => [printable(policy), decisionsText(decisions)]));
  const rest = byDefault === 0 ? [] : [`(${counted(byDefault, 'denial')}, as no policy permits it; --json gives all)`];
  return section('Policies that decided', [...lines, ...rest]);
}

function decisionsText(decisions: readonly Decision[]): string {
  const counts = new Map<string, number>();
  const told: string[] = [];
  for (const { action, resource, allowed } of decisions) {
    const kind = resource.split('::')[0]?.toLowerCase() ?? '';
    if (allowed && (action === 'read' || action === 'call')) {
      const key = `${action} ${kind}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    } else {
      told.push(`${allowed ? 'permits' : 'forbids'} ${action} ${resource}`);
    }
  }
  const sums = [...counts].map(([key, count]) => {
    const [action = '', kind = ''] = key.split(' ');
    return `permits ${action} of ${counted(count, kind)}`;
  });
  return listed([...told, ...sums], 80);
}

function by(policyIds: readonly string[]): string {
  return policyIds.length === 0 ? 'by no policy' : `by ${printable(policyIds.join(', '))}`;
}

function oneLine(sql: string): string {
  return sql.trim().replace(/\s+/g, ' ');
}
