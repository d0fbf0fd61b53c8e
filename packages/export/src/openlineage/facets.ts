import type { Json } from '@ambit/evidence';

/** Version of the specification that events follow. */
const EVENT_SCHEMA = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';

/** Facets of the specification that events carry, each with the schema that it follows. */
const SCHEMAS = {
  columnLineage: '1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet',
  errorMessage: '1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet',
  jobType: '2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet',
  outputStatistics: '1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet',
  processing_engine: '1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet',
  schema: '1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet',
} as const;

/** Who made an event. */
function producerOf(version: string): string {
  return `urn:ambit:producer:${version}`;
}

/** What all events have. */
export function eventBase(version: string): { readonly producer: string; readonly schemaURL: string } {
  return { producer: producerOf(version), schemaURL: EVENT_SCHEMA };
}

/** A facet of the specification. */
export function facet(version: string, name: keyof typeof SCHEMAS, content: { readonly [name: string]: Json }) {
  const schema = `https://openlineage.io/spec/facets/${SCHEMAS[name]}`;
  return { [name]: { _producer: producerOf(version), _schemaURL: schema, ...content } };
}

/** The run facet that is Ambit's own: what the session was. `sessionFacetSchema` describes it. */
export function sessionFacet(version: string, content: { readonly [name: string]: Json }) {
  return { ambit_session: { _producer: producerOf(version), _schemaURL: sessionFacetSchema.$id, ...content } };
}

const text = (description: string) => ({ type: 'string', description }) as const;
const textOrNull = (description: string) => ({ type: ['string', 'null'], description }) as const;

/** JSON Schema of the `ambit_session` facet, as `schemas/` keeps it. */
export const sessionFacetSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:ambit:schema:openlineage-session-facet',
  title: 'Ambit session',
  description: 'The run facet `ambit_session`: which session a run was, for whom, why, and under which boundary',
  type: 'object',
  required: [
    '_producer',
    '_schemaURL',
    'session',
    'evidence',
    'product',
    'version',
    'fingerprint',
    'grant',
    'purpose',
    'tenant',
    'principal',
    'kind',
    'statement',
    'traceId',
  ],
  properties: {
    _producer: text('Which Ambit wrote it'),
    _schemaURL: text('This schema'),
    session: text('Id of the session'),
    evidence: { type: 'integer', description: 'Position in the evidence log of the record that the event was made of' },
    product: text('Name of the data product'),
    version: text('Version of the data product'),
    fingerprint: text('SHA-256 of the boundary'),
    grant: text('SHA-256 of the grant'),
    purpose: text('Why the subject asked'),
    tenant: textOrNull('Tenant of the subject'),
    principal: textOrNull('Who asked'),
    kind: textOrNull('user, service, agent or anonymous'),
    statement: text('SHA-256 of the statement; an HMAC of it where its literals are sealed'),
    traceId: textOrNull('Trace of whoever asked'),
    status: text('How the session ended; absent when it starts'),
  },
  additionalProperties: false,
} as const;
