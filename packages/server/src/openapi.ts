import fastifySwagger from '@fastify/swagger';
import type { Grant, Subject } from '@ambit/policy';
import { grantOf, type Product } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import { isAlways, result, resultOf } from './answers.ts';
import { parameterInBody, parameterInUrl, parameterValue, resultValue } from './json-types.ts';
import { components } from './schemas.ts';

type Item = Readonly<Record<string, Operation>>;

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, object>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Item>>;
}

/** Describes the routes that are added after it, from the schemas that validate them. */
export async function addDescription(app: FastifyInstance, version: string): Promise<void> {
  for (const [name, schema] of Object.entries(components)) app.addSchema({ $id: name, ...schema });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ambit',
        version,
        description: 'Governed data products. Every request to one is a session of its own.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a JWT' } },
      },
    },
    refResolver: { buildLocalReference: (schema) => schema.$id as string },
    transform: ({ schema, url, route }) => ({
      url,
      schema: { ...schema, ...oneWay(schema.body), security: securityOf(route.config?.access) },
    }),
    transformObject: (described) => {
      const document = 'openapiObject' in described ? described.openapiObject : {};
      return withRequiredHeaders(document as Document);
    },
  });
}

/** A document tells one way to name the purpose: the header. That a body may name it instead, no schema could say. */
function oneWay(body: unknown): object {
  if (typeof body !== 'object' || body === null || !('properties' in body)) return {};
  const { purpose: _, ...properties } = body.properties as Record<string, object>;
  return { body: { ...body, properties } };
}

function securityOf(access: string | undefined): readonly Readonly<Record<string, string[]>>[] {
  if (access === 'everyone') return [];
  // Whether a product admits nobody in particular, its contract says.
  return access === 'contract' ? [{ bearer: [] }, {}] : [{ bearer: [] }];
}

/** What must be sent or is always answered, where the schema that validates leaves the answer to a boundary with a name. */
function withRequiredHeaders(document: Document): Document {
  const paths = Object.entries(document.paths).map(([path, item]) => [
    path,
    Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, withRequired(operation)] as const)),
  ]);
  return { ...document, paths: Object.fromEntries(paths) as Document['paths'] };
}

function withRequired(operation: Operation): Operation {
  const { parameters, responses } = operation;
  const answers = Object.entries(responses).map(([status, answer]) => {
    const headers = (answer as { readonly headers?: Readonly<Record<string, object>> }).headers;
    if (headers === undefined) return [status, answer];
    const all = Object.entries(headers).map(([name, header]) => [name, { ...header, required: isAlways(name) }]);
    return [status, { ...answer, headers: Object.fromEntries(all) as object }];
  });
  return {
    ...operation,
    ...(parameters === undefined
      ? {}
      : { parameters: parameters.map((one) => (one.name === PURPOSE ? { ...one, required: true } : one)) }),
    responses: Object.fromEntries(answers) as Operation['responses'],
  };
}

const PURPOSE = 'ambit-purpose';

/** One product's API for one subject and purpose: each of its named queries as an operation of its own. */
export function productDocument(
  whole: object,
  product: Product,
  asked: string,
  subject: Subject,
  purpose: string | null,
): object {
  const grant = grantOf(product, subject, purpose);
  const { boundary } = product;
  const { name, version, description } = boundary.product;
  const described = Object.entries((whole as Document).paths)
    .filter(([path]) => path.startsWith('/v1/products/{product}'))
    .flatMap(([path, item]) => {
      const own = path.replace('{product}', asked);
      if (!own.includes('{name}')) return [[own, ofProduct(item, grant, boundary)] as const];
      return grant.queries.map(
        (query) => [own.replace('{name}', query), ofQuery(item, grant, boundary, query)] as const,
      );
    });
  return { ...whole, info: { title: name, version, description }, paths: Object.fromEntries(described) };
}

type Boundary = Product['boundary'];

function ofProduct(item: Item, grant: Grant, boundary: Boundary): object {
  const operations = Object.entries(item).map(([method, operation]) => [
    method,
    { ...operation, ...narrowed(operation, grant, boundary) },
  ]);
  return Object.fromEntries(operations) as object;
}

/** What is the same in every operation of a product. */
function narrowed({ parameters = [] }: Operation, { purpose }: Grant, { anonymous }: Boundary): object {
  const others = parameters.filter((one) => one.in !== 'path' && one.name !== PURPOSE);
  // What a product's owners ask needs no purpose.
  const hasPurpose = parameters.some(({ name }) => name === PURPOSE);
  const header = { name: PURPOSE, in: 'header', required: true, schema: { type: 'string', enum: [purpose] } };
  const nobody = anonymous?.purposes.includes(purpose) === true ? [{}] : [];
  return { parameters: [...others, ...(hasPurpose ? [header] : [])], security: [{ bearer: [] }, ...nobody] };
}

function ofQuery(item: Item, grant: Grant, boundary: Boundary, query: string): object {
  const declared = boundary.queries[query];
  const columns = declared?.columns ?? [];
  const values = new Map(columns.map(({ type, nullable }) => [`${type} ${nullable}`, resultValue(type, nullable)]));
  const row = {
    type: 'array',
    minItems: columns.length,
    maxItems: columns.length,
    items: { anyOf: [...values.values()] },
  };
  const operations = Object.entries(item).map(([method, operation]) => {
    const { parameters, ...rest } = narrowed(operation, grant, boundary) as { readonly parameters: readonly object[] };
    return [
      method,
      {
        ...operation,
        ...rest,
        // Names of queries have no capitals: no two ids are the same.
        operationId: method === 'get' ? query : `${query}Post`,
        summary: declared?.description || query,
        ...(method === 'get'
          ? { parameters: [...inUrl(declared), ...parameters] }
          : { parameters, requestBody: inBody(declared) }),
        responses: { ...operation.responses, 200: result(resultOf(row, { const: columns }), true) },
      },
    ];
  });
  return Object.fromEntries(operations) as object;
}

type Query = Boundary['queries'][string] | undefined;
type Parameter = Boundary['queries'][string]['parameters'][string];

function inUrl(query: Query): readonly object[] {
  return Object.entries(query?.parameters ?? {}).map(([name, declared]) => ({
    name,
    in: 'query',
    required: declared.default === null,
    description: declared.description,
    schema: { ...parameterInUrl(declared), ...defaultOf(declared) },
  }));
}

function defaultOf({ type, default: fallback }: Parameter): object {
  return fallback === null ? {} : { default: parameterValue(type, fallback) };
}

function inBody(query: Query): object {
  const declared = Object.entries(query?.parameters ?? {});
  const required = declared.filter(([, { default: fallback }]) => fallback === null).map(([name]) => name);
  const properties = declared.map(([name, parameter]) => [
    name,
    { description: parameter.description, ...parameterInBody(parameter), ...defaultOf(parameter) },
  ]);
  const parameters = {
    type: 'object',
    properties: Object.fromEntries(properties) as object,
    required,
    additionalProperties: false,
  };
  const body = {
    type: 'object',
    properties: { parameters },
    required: required.length === 0 ? [] : ['parameters'],
    additionalProperties: false,
  };
  return { required: true, content: { 'application/json': { schema: body } } };
}
