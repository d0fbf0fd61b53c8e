import { Type, type Static } from 'typebox';

// What is read of a contract in the Open Data Contract Standard, v3. All else in it may stand there.

const text = Type.String();
const opt = Type.Optional;

const CustomProperties = Type.Array(Type.Object({ property: opt(text), value: opt(Type.Unknown()) }));

// What cannot be taken of a rule is told; nothing in it makes the file wrong.
const Quality = Type.Object({
  id: opt(text),
  name: opt(text),
  description: opt(text),
  dimension: opt(text),
  type: opt(text),
  metric: opt(text),
  arguments: opt(Type.Record(text, Type.Unknown())),
  query: opt(text),
  engine: opt(text),
  unit: opt(text),
  mustBe: opt(Type.Unknown()),
  mustNotBe: opt(Type.Unknown()),
  mustBeGreaterThan: opt(Type.Unknown()),
  mustBeGreaterOrEqualTo: opt(Type.Unknown()),
  mustBeLessThan: opt(Type.Unknown()),
  mustBeLessOrEqualTo: opt(Type.Unknown()),
  mustBeBetween: opt(Type.Unknown()),
  mustNotBeBetween: opt(Type.Unknown()),
  severity: opt(text),
  customProperties: opt(CustomProperties),
});

const SlaProperty = Type.Object({
  id: opt(text),
  property: text,
  value: opt(Type.Unknown()),
  unit: opt(text),
  element: opt(text),
  driver: opt(text),
  description: opt(text),
});

const Property = Type.Cyclic(
  {
    Property: Type.Object({
      name: opt(text),
      physicalName: opt(text),
      logicalType: opt(text),
      logicalTypeOptions: opt(Type.Record(text, Type.Unknown())),
      physicalType: opt(text),
      description: opt(text),
      required: opt(Type.Boolean()),
      classification: opt(text),
      tags: opt(Type.Array(text)),
      partitioned: opt(Type.Boolean()),
      partitionKeyPosition: opt(Type.Integer()),
      quality: opt(Type.Array(Quality)),
      items: opt(Type.Ref('Property')),
      properties: opt(Type.Array(Type.Ref('Property'))),
    }),
  },
  'Property',
);

/** A data contract as ODCS v3 has it. */
export const OdcsContract = Type.Object({
  apiVersion: Type.String({ pattern: '^v3\\.', description: 'Version 3 of the standard' }),
  kind: Type.Literal('DataContract', { description: 'What the file declares' }),
  name: opt(text),
  version: opt(text),
  tenant: opt(text),
  dataProduct: opt(text),
  description: opt(Type.Object({ purpose: opt(text), usage: opt(text), limitations: opt(text) })),
  team: opt(Type.Unknown()),
  servers: opt(
    Type.Array(
      Type.Object({
        server: opt(text),
        type: opt(text),
        path: opt(text),
        location: opt(text),
        endpointUrl: opt(text),
        format: opt(text),
        customProperties: opt(CustomProperties),
      }),
    ),
  ),
  slaProperties: opt(Type.Array(SlaProperty)),
  customProperties: opt(CustomProperties),
  schema: Type.Array(
    Type.Object({
      name: text,
      physicalName: opt(text),
      physicalType: opt(text),
      description: opt(text),
      properties: opt(Type.Array(Property)),
      quality: opt(Type.Array(Quality)),
      customProperties: opt(CustomProperties),
    }),
    { description: 'Objects and their properties' },
  ),
});

export type OdcsContract = Static<typeof OdcsContract>;

/** A rule as ODCS has it. */
export type OdcsQuality = Static<typeof Quality>;

/** A column, or a part of one, as ODCS has it. */
export interface OdcsProperty {
  readonly name?: string;
  readonly physicalName?: string;
  readonly logicalType?: string;
  readonly logicalTypeOptions?: Readonly<Record<string, unknown>>;
  readonly physicalType?: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly classification?: string;
  readonly tags?: readonly string[];
  readonly partitioned?: boolean;
  readonly partitionKeyPosition?: number;
  readonly quality?: readonly OdcsQuality[];
  readonly items?: OdcsProperty;
  readonly properties?: readonly OdcsProperty[];
}
