import type { Subject } from '@ambit/policy';
import { authorize } from '@ambit/policy';
import { Refused, type Product } from '@ambit/session';

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
}

/** One product's API for one subject and purpose: its named queries as operations of their own. */
export function productDocument(
  whole: object,
  { boundary, policies }: Product,
  subject: Subject,
  purpose: string | null,
): object {
  const answer = authorize(policies, subject, purpose);
  if (!answer.allowed) {
    const { code, message, hint, decisions } = answer.refusal;
    throw new Refused(code, message, hint, decisions);
  }
  const { paths } = whole as Document;
  const base = paths['/v1/products/{product}/queries/{name}']?.['get'] ?? {};
  const { name, version, description } = boundary.product;
  const queries = answer.grant.queries.map((query) => {
    const declared = boundary.queries[query];
    const parameters = Object.entries(declared?.parameters ?? {}).map(
      ([parameter, { type, description: text, default: fallback }]) => ({
        name: parameter,
        in: 'query',
        required: fallback === null,
        description: text,
        schema: { ...jsonType(type), ...(fallback === null ? {} : { default: fallback }) },
      }),
    );
    const header = {
      name: 'ambit-purpose',
      in: 'header',
      required: true,
      schema: { type: 'string', enum: [answer.grant.purpose] },
    };
    const operation = {
      ...base,
      operationId: query,
      summary: declared?.description || query,
      parameters: [...parameters, header],
    };
    return [`/v1/products/${name}/queries/${query}`, { get: operation }] as const;
  });
  const own = Object.entries(paths)
    .filter(([path]) => path === '/v1/products/{product}/query')
    .map(([path, item]) => [path.replace('{product}', name), withoutPathParameters(item)] as const);
  return { ...whole, info: { title: name, version, description }, paths: Object.fromEntries([...queries, ...own]) };
}

function withoutPathParameters(item: Readonly<Record<string, object>>): object {
  return Object.fromEntries(
    Object.entries(item).map(([method, operation]) => {
      const { parameters = [], ...rest } = operation as { parameters?: readonly { in: string }[] };
      return [method, { ...rest, parameters: parameters.filter((parameter) => parameter.in !== 'path') }];
    }),
  );
}

function jsonType(type: string): object {
  if (['tinyint', 'smallint', 'int', 'bigint'].includes(type)) return { type: 'integer' };
  if (['real', 'double'].includes(type)) return { type: 'number' };
  if (type === 'boolean') return { type: 'boolean' };
  if (type === 'date') return { type: 'string', format: 'date' };
  return { type: 'string' };
}
