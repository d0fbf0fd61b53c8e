import { stringify } from 'yaml';
import type { OdcsContract } from './document.ts';

const SQL_NAME = /[^a-z0-9_]+/g;

/**
 * A contract to begin with, of an ODCS one: its tables take their columns from the file, so that they stand once. What only
 * Ambit has, somebody must say: who may ask for what is in no file that can be imported.
 */
export function fromOdcs(odcs: OdcsContract, file: string): string {
  const name = sqlName(odcs.dataProduct ?? odcs.name ?? 'product');
  const servers = odcs.servers ?? [];
  const server = servers.find(({ type }) => type === 'local') ?? servers[0];
  const format = ['parquet', 'csv', 'json', 'arrow'].find((known) => server?.format?.toLowerCase().includes(known));
  const type = format ?? 'parquet';
  const tables = odcs.schema.map((object) => {
    const table = sqlName(object.name);
    return [
      table,
      {
        ...(object.description === undefined ? {} : { description: object.description }),
        catalog: type,
        path:
          object.physicalName?.includes('.') || object.physicalName?.endsWith('/')
            ? object.physicalName
            : `${table}.${type}`,
        odcs: table === object.name ? file : `${file}#${object.name}`,
      },
    ];
  });
  const contract = {
    apiVersion: 'ambit/v1',
    kind: 'DataProduct',
    name,
    version: semantic(odcs.version),
    tenant: tenantName(odcs.tenant),
    ...(odcs.description?.purpose === undefined ? {} : { description: odcs.description.purpose }),
    owner: { team: teamOf(odcs.team) },
    purposes: { general: odcs.description?.usage ?? 'Say why somebody may ask' },
    stores: { lake: { root: server?.path ?? '.' } },
    catalogs: { [type]: { type, store: 'lake' } },
    tables: Object.fromEntries(tables) as object,
    functions: { allow: ['@aggregate'] },
  };
  const head = [
    `# Made of ${file}. Say what it cannot: purposes, row filters and masks under \`policies\`, and beside this file in`,
    `# ${name}.cedar who may open it. Without a policy nobody may.`,
  ];
  return `${head.join('\n')}\n${stringify(contract)}`;
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
