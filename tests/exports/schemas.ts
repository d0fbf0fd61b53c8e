import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sessionFacetSchema } from '@ambit/export';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { root } from '../server.ts';

export interface Event {
  readonly eventType: string;
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, Facet>> };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Readonly<Record<string, Facet>> };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}

type Facet = Readonly<Record<string, unknown>>;

interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Readonly<Record<string, Facet>>;
  readonly outputFacets?: Readonly<Record<string, Facet>>;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
const folder = join(root, 'packages/export/test/published');
for (const name of readdirSync(folder).filter((one) => one.endsWith('.json'))) {
  ajv.addSchema(JSON.parse(readFileSync(join(folder, name), 'utf8')) as object);
}
ajv.addSchema(sessionFacetSchema);

/** What the published schemas say against an event, and against each facet that it carries. */
export function problemsOf(event: Event): readonly string[] {
  const facets = [
    event.run.facets,
    event.job.facets,
    ...[...event.inputs, ...event.outputs].flatMap((set) => [set.facets, set.outputFacets ?? {}]),
  ].flatMap((some) => Object.values(some));
  return [
    ...wrong('https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent', event),
    ...facets.flatMap((facet) => wrong(facet['_schemaURL'], facet)),
  ];
}

function wrong(schema: unknown, value: unknown): readonly string[] {
  const validate = typeof schema === 'string' ? ajv.getSchema(schema) : undefined;
  if (validate === undefined) return [`no schema ${String(schema)}`];
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${String(schema)}: ${instancePath} ${message}`);
}
