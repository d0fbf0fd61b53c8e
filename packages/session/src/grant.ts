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
    // Policies that nobody approved tell nobody more than that.
    approvalOf(product, Date.now());
    return answer.grant;
  }
  const { code, message, hint, decisions } = answer.refusal;
  throw new Refused(code, message, hint, decisions);
}

/** There is no such product: in the words for one that a subject may not open. */
export function productUnknown(name: string): Refused {
  const message = `no product \`${name}\` for this subject`;
  return new Refused('product_unknown', message, 'list the products that you may open', []);
}
