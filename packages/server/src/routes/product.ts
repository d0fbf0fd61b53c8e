import type { Subject } from '@ambit/policy';
import { type Product, productUnknown } from '@ambit/session';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as answers from '../answers.ts';
import { asking, subjectFor } from '../authenticate.ts';
import { tellDeprecation } from '../deprecation.ts';
import { productDocument } from '../openapi.ts';
import type { ProblemCode } from '../problems.ts';
import { describeProduct, visibleProducts } from '../products.ts';
import { purposeOf } from '../purpose.ts';
import { ProductParams, PurposeHeader, refusals, refusalsOf } from '../schemas.ts';
import { productNamed, type Serving } from '../serving.ts';

const refusing: readonly ProblemCode[] = [
  'credential_required',
  'product_unknown',
  'version_ended',
  'purpose_required',
  'purpose_refused',
  'policy_failed',
  'boundary_unapproved',
];

/** Routes that say what there is. */
export function addProductRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['products'];
  app.get(
    '/v1/products',
    {
      config: { access: 'contract' },
      schema: {
        operationId: 'listProducts',
        summary: 'Products that you may open',
        tags,
        response: { 200: answers.json('Products', answers.Products), ...refusals() },
      },
    },
    ({ subject }) => {
      const asked = (product: Product): Subject | null =>
        subject ?? (product.boundary.anonymous === null ? null : subjectFor(null, product));
      return { products: visibleProducts(serving.products, asked) };
    },
  );
  app.get(
    '/v1/products/:product',
    {
      config: { access: 'contract' },
      schema: {
        operationId: 'describeProduct',
        summary: 'What you may see with this purpose, and why',
        tags,
        params: ProductParams,
        headers: PurposeHeader,
        response: { 200: answers.json('The product as you may see it', answers.Product), ...refusals(...refusing) },
      },
    },
    (request, reply) => {
      const product = found(serving, request);
      const closed = serving.drifts.closed(product);
      return told(reply, product, describeProduct(product, asking(request), purposeOf(request), closed));
    },
  );
  app.get(
    '/v1/products/:product/openapi.json',
    {
      config: { access: 'contract' },
      schema: {
        operationId: 'describeProductApi',
        summary: 'The API of this product, with its named queries',
        tags,
        params: ProductParams,
        headers: PurposeHeader,
        response: { 200: answers.json('An OpenAPI document', answers.OpenApi), ...refusals(...refusing) },
      },
    },
    (request, reply) => {
      const product = found(serving, request);
      const document = productDocument(app.swagger(), product, named(request), asking(request), purposeOf(request));
      return told(reply, product, document);
    },
  );
  addApiRoute(app);
}

function addApiRoute(app: FastifyInstance): void {
  app.get(
    '/v1/openapi.json',
    {
      config: { access: 'everyone' },
      schema: {
        operationId: 'describeApi',
        summary: 'This API',
        tags: ['products'],
        security: [],
        response: { 200: answers.json('An OpenAPI document', answers.OpenApi), ...refusalsOf('internal') },
      },
    },
    () => app.swagger(),
  );
}

/** What is told of a product, and that its version comes to its end. */
function told(reply: FastifyReply, { boundary }: Product, what: object): object {
  tellDeprecation(reply, boundary.product);
  return what;
}

function named({ params }: Pick<FastifyRequest, 'params'>): string {
  return (params as { readonly product: string }).product;
}

function found(serving: Serving, request: Pick<FastifyRequest, 'params'>): Product {
  const name = named(request);
  const product = productNamed(serving, name);
  if (product === undefined) throw productUnknown(name);
  return product;
}
