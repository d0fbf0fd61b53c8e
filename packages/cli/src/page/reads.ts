import type { Boundary } from '@ambit/contract';

import { bytesText, counted, printable } from '../display.ts';
import type { Access, EngineReport, SessionEvidence, TableUse } from './evidence.ts';
import { facts, indented, listed, section } from './layout.ts';

/** What the session read: each table with the catalog that supplied it and the versions of its files. */
export function didRead({ boundary, outcome }: SessionEvidence): readonly string[] {
  const report = outcome?.engine ?? null;
  const accesses = report?.accesses ?? [];
  const used = Object.entries(report?.tables ?? {});
  const own = used.map(([name]) => filesOf(name, boundary, accesses));
  const others = accesses.filter((access) => !own.some((files) => files.includes(access)));
  const lines = [
    ...used.flatMap(([name, use], at) => [
      printable(name),
      ...indented(tableLines(name, use, own[at] ?? [], boundary)),
    ]),
    ...viewsOf(report),
    // What row filters look up, the consumer's statement does not name.
    ...(others.length === 0 ? [] : ['for policies', ...indented(facts(others.map((one) => ['file', fileText(one)])))]),
  ];
  return section('Did read', lines.length === 0 ? ['nothing'] : lines);
}

function tableLines(name: string, use: TableUse, files: readonly Access[], boundary: Boundary): readonly string[] {
  const table = boundary.tables[name];
  const store = boundary.catalogs[table?.catalog ?? '']?.store;
  const masked = Object.entries(use.masks).filter(([column]) => use.columns.includes(column));
  return facts([
    ['supplied by', table === undefined ? null : printable(`catalog ${table.catalog}, store ${store ?? 'unknown'}`)],
    ['columns', listed(use.columns, 80)],
    [
      'masked',
      masked.length === 0
        ? null
        : listed(
            masked.map(([column, ids]) => `${column} by ${ids.join(', then ')}`),
            80,
          ),
    ],
    ['rows', use.filters.length === 0 ? null : printable(`narrowed by ${use.filters.join(', ')}`)],
    ...files.map((access) => ['file', fileText(access)] as const),
  ]);
}

function viewsOf(report: EngineReport | null): readonly string[] {
  return (report?.views ?? []).map((view) => `view ${printable(view)}`);
}

/** Objects of a table: its file, or those of its folder. */
function filesOf(name: string, boundary: Boundary, accesses: readonly Access[]): readonly Access[] {
  const table = boundary.tables[name];
  const store = boundary.catalogs[table?.catalog ?? '']?.store;
  const path = table?.path ?? '';
  const within = (object: string): boolean => object === path || (path.endsWith('/') && object.startsWith(path));
  return accesses.filter((access) => access.store === store && within(access.object));
}

function fileText({ store, object, requests, bytes, ranges, size, version, failures }: Access): string {
  const parts = [
    ...(version === null || version === undefined ? [] : [`version ${version}`]),
    // How much was read tells of rows that the subject does not see: the owner's page alone has it.
    ...(requests === undefined ? [] : [counted(requests, 'request')]),
    ...(bytes === undefined ? [] : [`${bytesText(bytes)}${typeof size === 'number' ? ` of ${bytesText(size)}` : ''}`]),
    ...(failures === undefined || failures === 0 ? [] : [counted(failures, 'failure')]),
  ];
  const first = printable([`${object} of store ${store}`, ...parts].join(', '));
  return ranges === undefined || ranges.length === 0 ? first : `${first}\nbytes ${rangesText(ranges)}`;
}

const RANGES_SHOWN = 6;

/** As HTTP has them: both ends included. */
function rangesText(ranges: readonly (readonly [number, number])[]): string {
  const shown = ranges.slice(0, RANGES_SHOWN).map(([start, end]) => `${start}-${end - 1}`);
  const rest = ranges.length - shown.length;
  return listed(rest === 0 ? shown : [...shown, `and ${counted(rest, 'other')}`], 80);
}
