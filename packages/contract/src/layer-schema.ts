import { type TSchema, Type } from 'typebox';
import { DifferenceSchema } from './difference/schema.ts';
import { relaxed, withNulls } from './relaxed.ts';
import { PolicyTests } from './policy-tests-schema.ts';
import { Contract, Environment } from './schema.ts';
import { strict } from './schema-parts.ts';

// What one file of an environment may say, its bases being others.

const { apiVersion, kind, name, extends: base, ...inherited } = Environment.properties;
const declared = Type.Object({ apiVersion, kind, name });

/** An environment's own file, which its bases complete. */
export const EnvironmentLayer = Type.Object(
  { ...declared.properties, extends: base, ...relaxed(inherited) },
  { ...strict, title: 'Ambit environment', description: 'What a contract runs with' },
);

/** A file that environments extend, and that is none itself. */
export const EnvironmentBaseLayer = Type.Object(
  {
    apiVersion,
    kind: Type.Literal('EnvironmentBase', { description: 'What the file declares' }),
    extends: base,
    ...relaxed(inherited),
  },
  { ...strict, title: 'Ambit environment base', description: 'What environments have in common' },
);

/** JSON Schemas by file name, as `schemas/` keeps them. */
export function emitSchemas(): Readonly<Record<string, unknown>> {
  const emitted = (id: string, schema: TSchema) => ({
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `urn:ambit:schema:${id}`,
    ...schema,
  });
  return {
    'contract.schema.json': emitted('contract', Contract),
    'difference.schema.json': emitted('difference', DifferenceSchema),
    'environment.schema.json': emitted('environment', withNulls(EnvironmentLayer)),
    'environment-base.schema.json': emitted('environment-base', withNulls(EnvironmentBaseLayer)),
    'policy-tests.schema.json': emitted('policy-tests', PolicyTests),
  };
}
