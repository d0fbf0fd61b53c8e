import { stringify } from 'yaml';
import type { OdcsContract } from './document.ts';
import { FORMAT, PATH } from './export.ts';
import { leftOf } from './left.ts';
import { storeFrom } from './servers.ts';
import { serviceLevelsFrom } from './service-levels.ts';

const SQL_NAME = /[^a-z0-9_]+/g;
const FORMATS = ['parquet', 'csv', 'json', 'arrow'];

/**
 * A contract to begin with, of an ODCS one: its tables take their columns and rules from the file, so that they stand once. What
 * only Ambit has, somebody must say: who may ask for what is in no file that can be imported. What has no counterpart is named.
 */
export function fromOdcs(odcs: OdcsContract, file: string): string {
  const name = sqlName(odcs.dataProduct ?? odcs.name ?? 'product');
  const { server, store, left: servers } = storeFrom(odcs.servers ?? []);
  const usual = FORMATS.find((known) => server?.format?.toLowerCase().includes(known)) ?? 'parquet';
  // A view is somebody's query, and no file has its rows.
  const objects = odcs.schema.filter(({ physicalType }) => physicalType?.toLowerCase() !== 'view');
  const tables = objects.map((object) => [sqlName(object.name), tableOf(object, usual, file)] as const);
  const formats = [...new Set(tables.map(([, { catalog }]) => catalog))].toSorted();
  const names = new Map(objects.map((object) => [object.name, sqlName(object.name)]));
  const levels = serviceLevelsFrom(odcs.slaProperties ?? [], (object) => names.get(object) ?? object);
  const contract = {
    apiVersion: 'ambit/v1',
    kind: 'DataProduct',
    name,
    version: semantic(odcs.version),
    tenant: tenantName(odcs.tenant),
    ...(odcs.description?.purpose === undefined ? {} : { description: odcs.description.purpose }),
    owner: { team: teamOf(odcs.team) },
    purposes: { general: odcs.description?.usage ?? 'Say why somebody may ask' },
    stores: { lake: store },
    catalogs: Object.fromEntries(formats.map((type) => [type, { type, store: 'lake' }])),
    tables: Object.fromEntries(tables) as object,
    ...(Object.keys(levels.serviceLevels).length === 0 ? {} : { serviceLevels: levels.serviceLevels }),
    functions: { allow: ['@aggregate'] },
    ...(levels.timeout === null ? {} : { limits: { timeout: levels.timeout } }),
  };
  const head = [
    `# Made of ${file}. Say what it cannot: purposes, row filters and masks under \`policies\`, and beside this file in`,
    `# ${name}.cedar who may open it. Without a policy nobody may.`,
    ...told([...servers, ...levels.left, ...leftOf(odcs)]),
  ];
  return `${head.join('\n')}\n${stringify(contract)}`;
}

/** What was not taken, as a comment: a line each. */
function told(left: readonly string[]): readonly string[] {
  if (left.length === 0) return [];
  const plain = left.map((one) => `#   ${one.replaceAll(/\s+/g, ' ')}`);
  return ['#', '# Not taken, because a contract has no word for it:', ...plain];
}

type OdcsObject = OdcsContract['schema'][number];

function tableOf(object: OdcsObject, usual: string, file: string) {
  const { name, description, physicalName, customProperties = [] } = object;
  const said = (property: string): string | undefined => {
    const value = customProperties.find((one) => one.property === property)?.value;
    return typeof value === 'string' ? value : undefined;
  };
  const table = sqlName(name);
  const catalog = FORMATS.find((known) => known === said(FORMAT)) ?? usual;
  const named = physicalName?.includes('.') === true || physicalName?.endsWith('/') === true ? physicalName : undefined;
  return {
    ...(description === undefined ? {} : { description }),
    catalog,
    path: said(PATH) ?? named ?? `${table}.${catalog}`,
    odcs: table === name ? file : `${file}#${name}`,
  };
}

function sqlName(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(SQL_NAME, '_')
    .replaceAll(/^_+|_+$/g, '');
  return (/^[a-z]/.test(plain) ? plain : `p_${plain}`).slice(0, 63);
}

function tenantName(text: string | undefined): string {
  return text === undefined ? 'main' : sqlName(text).replaceAll('_', '-');
}

/** ODCS takes any text for a version. */
function semantic(version: string | undefined): string {
  const [, major = '1', minor = '0', patch = '0'] = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version ?? '') ?? [];
  return [major, minor, patch].map(Number).join('.');
}

/** 3.1 has a team with a name; before it was a list of people. */
function teamOf(team: unknown): string {
  const people = Array.isArray(team) ? team : ((team as { readonly members?: unknown } | null)?.members ?? []);
  const named = (team as { readonly name?: unknown } | null)?.name;
  if (typeof named === 'string' && named !== '') return named;
  const [owner] = (people as readonly { readonly username?: unknown; readonly role?: unknown }[]).toSorted(
    (a, b) => Number(b.role === 'owner') - Number(a.role === 'owner'),
  );
  return typeof owner?.username === 'string' ? owner.username : 'unknown';
}
