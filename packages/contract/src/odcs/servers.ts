import type { Boundary, BoundaryFormat, BoundaryStore, BoundaryTable } from '../boundary.ts';
import type { OdcsContract } from './document.ts';

// Where data lies, from ODCS and to it. A kind of store has a line in each of the two maps.

type Server = NonNullable<OdcsContract['servers']>[number];

/** A store, or a path in it, as the keys that ODCS has for such a server. */
const TO: {
  readonly [Kind in BoundaryStore['kind']]: (store: Extract<BoundaryStore, { kind: Kind }>, path: string) => object;
} = {
  local: ({ root }, path) => ({ type: 'local', path: path === '' ? root : `${root.replace(/\/+$/, '')}/${path}` }),
  s3: ({ url, endpoint }, path) => ({
    type: 's3',
    location: `${url}${path}`,
    ...(endpoint === null ? {} : { endpointUrl: endpoint }),
  }),
};

function serverTo(store: BoundaryStore, path: string): object {
  return store.kind === 's3' ? TO.s3(store, path) : TO.local(store, path);
}

/** A server of ODCS as a store of a contract. */
const FROM: Readonly<Record<string, (server: Server) => object>> = {
  local: ({ path }) => ({ root: path ?? '.' }),
  s3: ({ location, endpointUrl }) => ({
    url: folderOf(location ?? ''),
    ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
  }),
};

/** What is before a placeholder or a pattern is the place of all files. */
function folderOf(location: string): string {
  const plain = location.replace(/[{*?].*$/, '');
  return plain.endsWith('/') ? plain : plain.slice(0, plain.lastIndexOf('/') + 1);
}

/** The server to begin with, as a store, and why the others are not taken. */
export function storeFrom(servers: readonly Server[]): {
  readonly server: Server | null;
  readonly store: object;
  readonly left: readonly string[];
} {
  const declared = servers.filter(({ customProperties = [] }) => !customProperties.some(isOfOneTable));
  // A folder needs nothing else to begin with.
  const [server = null] = Object.keys(FROM).flatMap((known) => declared.filter(({ type }) => type === known));
  const others = declared.filter((one) => one !== server);
  return {
    server,
    store: server === null ? { root: '.' } : (FROM[server.type ?? '']?.(server) ?? { root: '.' }),
    left: others.map(({ server: name = '?', type = '?' }) =>
      Object.hasOwn(FROM, type)
        ? `server ${name}: an environment can bind it`
        : `server ${name}: there is no store of type ${type} here`,
    ),
  };
}

const ONE_TABLE = 'ambitTable';

function isOfOneTable({ property }: { readonly property?: string }): boolean {
  return property === ONE_TABLE;
}

/** A server for each store, and one for each table alone: tools read one kind of file a server. */
export function serversOf(boundary: Boundary): readonly object[] {
  const { stores, tables, environment, catalogs } = boundary;
  const ofStores = Object.entries(stores).map(([name, store]) => ({
    server: `${environment}_${name}`,
    ...serverTo(store, ''),
    environment,
    format: formatsOf(boundary, name),
  }));
  const ofTables = Object.entries(tables).flatMap(([name, table]) => {
    const store = stores[catalogs[table.catalog]?.store ?? ''];
    if (store === undefined) return [];
    return [
      {
        server: `${environment}_${name}`,
        ...serverTo(store, filesOf(table)),
        environment,
        description: `Table ${name} alone`,
        ...formatTo(table.format),
        customProperties: [{ property: ONE_TABLE, value: name }],
      },
    ];
  });
  const named = new Set(ofStores.map(({ server }) => server));
  return [
    ...ofStores,
    ...ofTables.map((one) => (named.has(one.server) ? { ...one, server: `${one.server}_table` } : one)),
  ];
}

/** A file, or what matches the files of a folder. */
function filesOf({ path, format, partitions = [] }: BoundaryTable): string {
  if (!path.endsWith('/')) return path;
  return `${path}${partitions.length > 0 ? '**/' : ''}*.${format.type}`;
}

function formatTo(format: BoundaryFormat): object {
  if (format.type !== 'json') return { format: format.type };
  return { format: format.type, delimiter: format.array ? 'array' : 'new_line' };
}

function formatsOf({ catalogs }: Boundary, store: string): string {
  const formats = Object.values(catalogs).filter((catalog) => catalog.store === store);
  return [...new Set(formats.map(({ type }) => type))].toSorted().join(', ') || 'none';
}
