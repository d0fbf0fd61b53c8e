import { mayReadEvidence, mayReview } from '@ambit/policy';
import { approvalOf, productUnknown, subjectOn } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import * as answers from '../answers.ts';
import { asking } from '../authenticate.ts';
import { RequestRefused } from '../problems.ts';
import { visibleProducts } from '../products.ts';
import { ProductParams, refusals } from '../schemas.ts';
import { productNamed, type Serving } from '../serving.ts';

/** The boundary that is served, for those who answer for it: it names all that policies hide. */
export function addBoundaryRoute(app: FastifyInstance, serving: Serving): void {
  app.get(
    '/v1/products/:product/boundary',
    {
      schema: {
        operationId: 'showBoundary',
        summary: 'The boundary that is served, whole',
        tags: ['products'],
        params: ProductParams,
        response: {
          200: answers.json('The boundary. Its fingerprint is the SHA-256 of its canonical JSON', answers.Boundary),
          ...refusals('credential_required', 'product_unknown', 'boundary_refused', 'boundary_unapproved'),
        },
      },
    },
    (request) => {
      const { product: name } = request.params as { readonly product: string };
      const product = productNamed(serving, name);
      if (product === undefined) throw productUnknown(name);
      const subject = subjectOn(product, asking(request));
      const { policies, boundary } = product;
      if (mayReview(policies, subject).allowed || mayReadEvidence(policies, subject, null).allowed) {
        // What nobody approved gives nobody a right, and is not what is served.
        approvalOf(product, Date.now());
        return boundary;
      }
      // Who cannot open it does not learn that it is there.
      if (visibleProducts([product], () => subject).length === 0) throw productUnknown(name);
      const hint = "whom the product's policies permit `review` or `readEvidence` can ask for it";
      throw new RequestRefused('boundary_refused', `the boundary of \`${name}\` tells what you may not see`, hint);
    },
  );
}
