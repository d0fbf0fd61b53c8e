import { type TSchema, Type } from 'typebox';

/** The part of a JSON Schema that decides what a layer of an environment may leave out or take away. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly object[];
}

/** Members as one file of several may have them: what a map of it leaves out, another file says. Lists are whole. */
export function relaxed<T extends Readonly<Record<string, TSchema>>>(properties: T): { [Key in keyof T]: TSchema } {
  const every = Object.entries(properties).map(([key, schema]) => [key, Type.Optional(partly(schema as Shape))]);
  return Object.fromEntries(every) as { [Key in keyof T]: TSchema };
}

function partly(schema: Shape): TSchema {
  const { required: _, ...rest } = schema;
  return { ...rest, ...inside(schema, partly) };
}

/** The same, for an editor: `null` takes a member away that a base has. What the file itself must say stays. */
export function withNulls(schema: TSchema): TSchema {
  const { properties = {}, required = [] } = schema as Shape;
  const every = Object.entries(properties).map(([key, each]) =>
    required.includes(key) || key === 'extends' ? [key, each] : [key, orNull(each)],
  );
  return { ...schema, properties: Object.fromEntries(every) as object };
}

function orNull(schema: Shape): Shape {
  const kind =
    schema.type === undefined
      ? { anyOf: [...(schema.anyOf ?? []), { type: 'null' }] }
      : { type: [schema.type, 'null'].flat() };
  return { ...schema, ...inside(schema, orNull), ...kind };
}

function inside(schema: Shape, change: (schema: Shape) => object): object {
  const each = (members: Readonly<Record<string, Shape>>): object =>
    Object.fromEntries(Object.entries(members).map(([key, member]) => [key, change(member)]));
  return {
    ...(schema.properties === undefined ? {} : { properties: each(schema.properties) }),
    ...(schema.patternProperties === undefined ? {} : { patternProperties: each(schema.patternProperties) }),
  };
}
