import type { ClaimValue } from '@ambit/contract';
import { authorize, mayReadEvidence, type Subject } from '@ambit/policy';
import { isServed } from '../approval.ts';
import type { BoundEnvironment } from '../environment.ts';
import { ContractsInvalid } from '../errors.ts';
import type { Backing, Checker, Product } from '../load.ts';
import { evidenceContract, loadProduct } from '../load.ts';
import { productOf } from '../served.ts';
import { type Row, settingsOf } from './rows.ts';
import { type EvidenceTables, tablesFolder } from './tables.ts';

/** The role that sees the sessions of its own tenant. */
const TENANTS_AUDITOR = 'evidence-auditor';

/** Loads the product that every server has. Stores of the environment are not its own: its tables lie beside the log. */
export async function loadEvidenceProduct(
  environment: BoundEnvironment,
  engine: Checker,
  log: string,
): Promise<Product> {
  const { stores: _, ...value } = environment.value;
  const loaded = await loadProduct(evidenceContract, { ...environment, value }, engine, await engine.catalog());
  if ('problems' in loaded) throw new ContractsInvalid(loaded.problems);
  return { ...loaded, roots: { tables: tablesFolder(log) } };
}

/** The settings of products, as they are served by their names now. */
export function servedSettings(products: readonly Product[]): readonly Row[] {
  const meant = products.filter((product) => productOf({ products }, product.boundary.product.name) === product);
  return meant.flatMap(({ boundary, fingerprint }) => settingsOf(boundary, fingerprint));
}

/** The evidence of these products and of itself, on its tables. */
export function backedEvidence(evidence: Product, products: readonly Product[], tables: EvidenceTables): Product {
  const backing: Backing = {
    subject: (subject) => ({ ...subject, claims: claimsOf(evidence, products, subject) }),
    ready: async (before) => ({ claims: { before }, release: await tables.ready(before) }),
  };
  return { ...evidence, backing };
}

/** What policies may know of a subject who looks back. Nothing that its credential claims is among it. */
function claimsOf(
  evidence: Product,
  products: readonly Product[],
  subject: Subject,
): Readonly<Record<string, ClaimValue>> {
  const plain = { ...subject, claims: {} };
  const names = (of: readonly Product[]): string => of.map(({ boundary }) => boundary.product.name).join(',');
  // What nobody approved gives nobody a right.
  const served = products.filter((product) => isServed(product, Date.now()));
  // Evidence is by name: who may not for each version of a product may not.
  const all = (may: (product: Product) => boolean): readonly Product[] => {
    const not = new Set(served.filter((one) => !may(one)).map(({ boundary }) => boundary.product.name));
    const meant = served.filter((one) => productOf({ products: served }, one.boundary.product.name) === one);
    return meant.filter(({ boundary }) => !not.has(boundary.product.name));
  };
  const reads = all(({ policies }) => mayReadEvidence(policies, subject, null).allowed);
  const own = mayReadEvidence(evidence.policies, plain, null).allowed ? [evidence] : [];
  return {
    principal: subject.principal,
    kind: subject.kind,
    evidence_auditor: subject.roles.includes(TENANTS_AUDITOR),
    reads: names([...reads, ...own]),
    // The evidence itself is open to everybody who gets here.
    opens: names([...all((product) => opens(product, subject)), evidence]),
  };
}

function opens({ boundary, policies }: Product, subject: Subject): boolean {
  return Object.keys(boundary.purposes).some((purpose) => authorize(policies, subject, purpose).allowed);
}
