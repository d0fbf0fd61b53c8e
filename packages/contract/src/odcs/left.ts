import type { OdcsContract, OdcsProperty } from './document.ts';
import { FORMAT, PATH } from './export.ts';

// Keys of a contract of the standard that have no counterpart here. Rules and service levels tell of themselves.

const OF_CONTRACT = [
  'apiVersion',
  'kind',
  'name',
  'version',
  'tenant',
  'dataProduct',
  'description',
  'team',
  'servers',
  'schema',
  'slaProperties',
  'customProperties',
];
const OF_DESCRIPTION = ['purpose', 'usage'];
const OF_OBJECT = [
  'name',
  'physicalName',
  'physicalType',
  'logicalType',
  'description',
  'properties',
  'quality',
  'customProperties',
];
const OF_PROPERTY = [
  'name',
  'physicalName',
  'logicalType',
  'logicalTypeOptions',
  'physicalType',
  'description',
  'required',
  'classification',
  'tags',
  'partitioned',
  'partitionKeyPosition',
  'quality',
  'items',
  'properties',
];
const OF_OPTIONS = ['timezone'];

/** What an import leaves out, a line for each key. */
export function leftOf(odcs: OdcsContract): readonly string[] {
  return [
    ...others(odcs, OF_CONTRACT),
    ...customOf(odcs.customProperties ?? []),
    ...ofTeam(odcs.team),
    ...others(odcs.description ?? {}, OF_DESCRIPTION).map((key) => `description.${key}`),
    ...odcs.schema
      .filter(({ physicalType }) => physicalType?.toLowerCase() === 'view')
      .map(({ name }) => `view ${name}`),
    ...odcs.schema.flatMap((object) => [
      ...others(object, OF_OBJECT).map((key) => `${key} of ${object.name}`),
      ...customOf(object.customProperties ?? []).map((key) => `${key} of ${object.name}`),
    ]),
    ...ofProperties(odcs),
  ];
}

/** Of a list of people, as it was before 3.1, the owner is taken. */
function ofTeam(team: unknown): readonly string[] {
  if (Array.isArray(team)) return team.length > 1 ? ['team but for its owner'] : [];
  return others(team ?? {}, ['name']).map((key) => `team.${key}`);
}

/** The same key of many properties is one line. */
function ofProperties({ schema }: OdcsContract): readonly string[] {
  const found = new Map<string, string[]>();
  const look = (property: OdcsProperty, place: string): void => {
    const options = others(property.logicalTypeOptions ?? {}, OF_OPTIONS).map((key) => `logicalTypeOptions.${key}`);
    for (const key of [...others(property, OF_PROPERTY), ...options])
      found.set(key, [...(found.get(key) ?? []), place]);
  };
  for (const { name, properties = [] } of schema) {
    for (const property of properties as readonly OdcsProperty[])
      look(property, `${name}.${property.physicalName ?? property.name ?? '?'}`);
  }
  return [...found].map(([key, places]) => `${key} of ${places.join(', ')}`);
}

function others(value: object, known: readonly string[]): readonly string[] {
  return Object.keys(value).filter((key) => !known.includes(key));
}

function customOf(properties: readonly { readonly property?: string }[]): readonly string[] {
  return properties.flatMap(({ property = '?' }) =>
    [PATH, FORMAT].includes(property) ? [] : [`customProperties.${property}`],
  );
}
