import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// A product that somebody owns, and people with keys.

/** Makes somebody an Ed25519 key, `NAME.pem` in a folder, and gives what a contract lists of it. */
export function makePerson(folder: string, name: string): string {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, `${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
  return `${raw} ${name}@example.org`;
}

/** Buyers of the tenant `north` read, and its auditors look back. */
export const POLICY = `@id("buyers")
permit (principal in Role::"north/buyer", action in [Action::"open", Action::"read"], resource);
@id("auditors")
permit (principal in Role::"north/auditor", action in [Action::"open", Action::"readEvidence"], resource);
`;

/** A contract over `data/orders.csv`. Each reviewer is `NAME: KEY ADDRESS`. */
export function ownedContract(product: string, reviewers: readonly string[]): string {
  return `apiVersion: ambit/v1
kind: DataProduct
name: ${product}
version: 1.0.0
tenant: north
owner:
  team: shop-data
  reviewers:
${reviewers.map((reviewer) => `    ${reviewer}\n`).join('')}purposes: { buying: Buy }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders: { catalog: csv, path: orders.csv, columns: { id: { type: bigint }, customer: { type: string } } }
`;
}
