import { digest } from '@ambit/contract';
import type { SessionTemplate, StoreCredential } from '@ambit/engine';
import type { CredentialIssued, EvidenceLog, Json } from '@ambit/evidence';
import { limits } from '../limits.ts';
import type { Product } from '../load.ts';
import type { CredentialBinding } from './binding.ts';
import { CredentialUnavailable, type Keys, readKeys } from './keys.ts';
import { assumeRole } from './role.ts';
import { type Scope, scopeOf } from './scope.ts';

/** A credential as a session has it. */
export interface Issued {
  readonly reference: string;
  readonly keys: StoreCredential;
  /** What the evidence keeps of it: no secret. */
  readonly record: Omit<CredentialIssued, 'type'>;
}

type Asking = Pick<Product, 'boundary' | 'credentials'>;

/** Gives sessions what their stores are asked with. Keys of a role are kept until they are too old for another session. */
export class Issuer {
  readonly #roles = new Map<string, Promise<Keys & { readonly expires: number }>>();

  /**
   * The credentials that the stores of a template name, good until a time in milliseconds since 1970. Throws
   * `CredentialUnavailable`.
   */
  async issue(product: Asking, template: Pick<SessionTemplate, 'stores' | 'sources'>, until: number) {
    const named = Object.values(template.stores).flatMap((store) =>
      store.kind === 's3' ? (store.credential ?? []) : [],
    );
    return Promise.all([...new Set(named)].toSorted().map((one) => this.#issueOne(product, template, one, until)));
  }

  async #issueOne(
    { boundary, credentials }: Asking,
    template: Pick<SessionTemplate, 'stores' | 'sources'>,
    reference: string,
    until: number,
  ): Promise<Issued> {
    const binding = credentials[reference];
    if (binding === undefined) throw new CredentialUnavailable(reference, 'is bound to nothing');
    const scope = scopeOf(template, reference);
    const keys = await this.#keys(reference, binding, scope, boundary.product.name, until);
    if (keys.expires !== null && keys.expires < until)
      throw new CredentialUnavailable(reference, `expires before the session may end: ${instant(keys.expires)}`);
    const { keyId, secretKey, sessionToken, expires } = keys;
    const said = {
      reference,
      product: boundary.product.name,
      keyId,
      role: binding.role?.arn ?? null,
      scope: binding.role === null ? null : (scope as Json),
      expires: expires === null ? null : instant(expires),
    };
    return { reference, keys: { keyId, secretKey, sessionToken }, record: { digest: digest(said), ...said } };
  }

  async #keys(
    reference: string,
    binding: CredentialBinding,
    scope: Scope,
    product: string,
    until: number,
  ): Promise<Keys> {
    const { keys: file, role } = binding;
    if (role === null) return readKeys(reference, file);
    const key = JSON.stringify([file, role, scope, product]);
    const kept = await this.#roles.get(key)?.catch(() => undefined);
    if (kept !== undefined && kept.expires > until + limits.keySpareMs) return kept;
    const taken = readKeys(reference, file).then((keys) => assumeRole(reference, role, keys, scope, product));
    this.#keep(key, taken);
    return taken;
  }

  #keep(key: string, taken: Promise<Keys & { readonly expires: number }>): void {
    this.#roles.delete(key);
    const [oldest] = this.#roles.keys();
    if (this.#roles.size >= limits.rolesKeptMax && oldest !== undefined) this.#roles.delete(oldest);
    this.#roles.set(key, taken);
    // Whoever waits is told.
    taken.catch(() => this.#roles.get(key) === taken && this.#roles.delete(key));
  }
}

/** What the engine is given, by reference. */
export function keysOf(issued: readonly Issued[]): Record<string, StoreCredential> {
  return Object.fromEntries(issued.map(({ reference, keys }) => [reference, keys]));
}

/** Writes what was issued, once a segment, before anything is asked for with it. */
export async function recordIssued(evidence: EvidenceLog, issued: readonly Issued[]): Promise<void> {
  await Promise.all(issued.map(({ record }) => evidence.ensureCredential(record)));
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
