import type { Boundary } from '@ambit/contract';
import { authorize, type Decision, type Grant, type Governor, type Subject } from '@ambit/policy';
import { grantOf, isEnded, type Product, subjectOn } from '@ambit/session';
import { reviewOf } from './approval.ts';

/** Products that a subject may open, and for which purposes. */
export function visibleProducts(
  products: readonly Product[],
  subjectOf: (product: Product) => Subject | null,
): readonly object[] {
  return products.flatMap((product) => {
    const subject = subjectOf(product);
    if (subject === null || isEnded(product)) return [];
    const purposes = openPurposes(product, subject);
    if (purposes.length === 0) return [];
    const { name, version, tenant, description, owner, deprecation } = product.boundary.product;
    const listed = {
      name,
      version,
      tenant,
      description,
      owner: owner.team,
      fingerprint: product.fingerprint,
      purposes,
      ...reviewOf(product),
    };
    return [deprecation === undefined ? listed : { ...listed, deprecation }];
  });
}

/** Purposes for which a subject may open a product. */
export function openPurposes(product: Product, subject: Subject): readonly object[] {
  const known = subjectOn(product, subject);
  return Object.entries(product.boundary.purposes)
    .filter(([purpose]) => authorize(product.policies, known, purpose).allowed)
    .map(([name, { description }]) => ({ name, description }));
}

/** What this subject with this purpose may see, and why. Throws `Refused`. */
export function describeProduct(
  product: Product,
  subject: Subject,
  purpose: string | null,
  closed: ReadonlySet<string>,
): object {
  const grant = grantOf(product, subject, purpose);
  const { boundary, fingerprint } = product;
  const { name, version, tenant, description, owner, deprecation } = boundary.product;
  return {
    name,
    version,
    tenant,
    description,
    owner: owner.team,
    ...(deprecation === undefined ? {} : { deprecation }),
    environment: boundary.environment,
    fingerprint,
    purpose: grant.purpose,
    determinedBy: decidedBy(grant, 'open', 'Product', name),
    tables: tables(product, grant, subject, closed),
    views: Object.entries(grant.views).map(([view, { determinedBy }]) => ({
      name: view,
      description: boundary.views[view]?.description ?? '',
      columns: boundary.views[view]?.columns ?? [],
      determinedBy,
    })),
    functions: grant.functions.map((fn) => ({ name: fn, determinedBy: decidedBy(grant, 'call', 'Function', fn) })),
    queries: grant.queries.map((query) => ({ name: query, ...queryOf(boundary, query) })),
    limits: boundary.limits,
  };
}

/** Policies that permitted an action on a resource. */
function decidedBy({ decisions }: Grant, action: Decision['action'], type: string, id: string): readonly string[] {
  const resource = `${type}::${JSON.stringify(id)}`;
  return decisions.find((one) => one.action === action && one.resource === resource)?.determinedBy ?? [];
}

/** A named query as its consumer sees it. */
function queryOf(boundary: Boundary, name: string): object {
  const query = boundary.queries[name];
  const parameters = Object.entries(query?.parameters ?? {}).map(([parameter, declared]) => ({
    name: parameter,
    ...declared,
  }));
  return { description: query?.description ?? '', parameters, columns: query?.columns ?? [] };
}

function tables(
  { boundary, backing }: Product,
  grant: Grant,
  subject: Subject,
  closed: ReadonlySet<string>,
): readonly object[] {
  // Where the server gives the claims, none is missing.
  const missingOf = (filter: Governor): readonly string[] =>
    backing === undefined ? missing(filter, boundary.rowFilters[filter.id]?.claims ?? [], subject) : [];
  return Object.entries(grant.tables).map(([name, granted]) => ({
    name,
    description: boundary.tables[name]?.description ?? '',
    closed: closed.has(name),
    determinedBy: granted.determinedBy,
    filters: granted.filters.map((filter) => ({
      ...explain(filter, boundary.rowFilters[filter.id]?.description ?? ''),
      missingClaims: missingOf(filter),
    })),
    columns: granted.columns.map((column) => {
      const declared = boundary.tables[name]?.columns.find((candidate) => candidate.name === column.name);
      return {
        name: column.name,
        type: declared?.type ?? '',
        nullable: declared?.nullable ?? true,
        description: declared?.description ?? '',
        determinedBy: column.determinedBy,
        masks: column.masks.map((mask) => explain(mask, boundary.masks[mask.id]?.description ?? '')),
      };
    }),
  }));
}

function explain({ id, exemptedBy }: Governor, description: string): object {
  return { id, description, applies: exemptedBy.length === 0, exemptedBy };
}

/** Claims that the subject would need: without them the table refuses. */
function missing({ exemptedBy }: Governor, claims: readonly string[], subject: Subject): readonly string[] {
  return exemptedBy.length > 0 ? [] : claims.filter((claim) => !(claim in subject.claims));
}
