import { sunsetOf } from '@ambit/contract';
import { authorize, type Grant, type Subject } from '@ambit/policy';
import { approvalOf } from './approval.ts';
import { Refused } from './errors.ts';
import { type Product, subjectOn } from './load.ts';

/** What a subject with a purpose may do with a product. Throws `Refused`. */
export function grantOf(
  product: Product,
  subject: Subject,
  purpose: string | null,
): Grant & { readonly digest: string } {
  const answer = authorize(product.policies, subjectOn(product, subject), purpose);
  if (answer.allowed) {
    refuseEnded(product);
    // Policies that nobody approved tell nobody more than that.
    approvalOf(product, Date.now());
    return answer.grant;
  }
  const { code, message, hint, decisions } = answer.refusal;
  throw new Refused(code, message, hint, decisions);
}

/** Whether a version has ended. */
export function isEnded({ boundary }: Pick<Product, 'boundary'>): boolean {
  const sunset = sunsetOf(boundary.product.deprecation);
  return sunset !== null && Date.now() >= sunset;
}

/** Told to those alone who may open it: to others it was never there. */
function refuseEnded(product: Product): void {
  if (!isEnded(product)) return;
  const { name, version, deprecation } = product.boundary.product;
  const successor = deprecation?.successor ?? null;
  const hint = successor === null ? `ask for \`${name}\` without a version` : `ask for \`${name}@${successor}\``;
  const message = `version ${version} of \`${name}\` ended on ${deprecation?.sunset}`;
  throw new Refused('version_ended', message, hint, []);
}

/** There is no such product: in the words for one that a subject may not open. */
export function productUnknown(name: string): Refused {
  const message = `no product \`${name}\` for this subject`;
  return new Refused('product_unknown', message, 'list the products that you may open', []);
}
