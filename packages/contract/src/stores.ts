import type { BoundaryCredential, BoundaryStore } from './boundary.ts';
import type { Draft } from './draft.ts';
import { limits } from './limits.ts';
import type { Contract, Environment } from './schema.ts';
import { durationMs } from './units.ts';

type Bound = Pick<Environment, 'stores' | 'credentials'>;

/** Where the stores of a contract are, in an environment: its binding is the whole place. */
export function storesOf(contract: Contract, environment: Bound): Record<string, BoundaryStore> {
  return Object.fromEntries(
    Object.entries(contract.stores).map(([name, declared]): [string, BoundaryStore] => {
      const bound = environment.stores?.[name];
      const place = bound ?? declared;
      if (place.url === undefined) return [name, { kind: 'local', root: place.root ?? '', credential: null }];
      const certificates = bound?.certificates;
      const store: BoundaryStore = {
        kind: 's3',
        url: place.url,
        endpoint: place.endpoint ?? null,
        region: place.region ?? 'us-east-1',
        credential: bound?.credential ?? declared.credential ?? null,
        ...(certificates === undefined ? {} : { certificates }),
      };
      return [name, store];
    }),
  );
}

/** What the references of a contract's stores stand for; undefined where they have none. */
export function credentialsOf(
  stores: Readonly<Record<string, BoundaryStore>>,
  environment: Bound,
): Record<string, BoundaryCredential> | undefined {
  const references = Object.values(stores).flatMap(({ credential }) => credential ?? []);
  if (references.length === 0) return undefined;
  return Object.fromEntries(
    references.toSorted().map((reference): [string, BoundaryCredential] => {
      const { role } = environment.credentials?.[reference] ?? {};
      if (role === undefined) return [reference, { kind: 'keys' }];
      const { arn, externalId, duration } = role;
      const minutes = Math.ceil(durationMs(duration ?? '15m') / 60_000);
      return [
        reference,
        { kind: 'role', role: arn, minutes, ...(externalId === undefined ? {} : { externalId: true as const }) },
      ];
    }),
  );
}

/** What is wrong with where stores are. */
export function checkStores(draft: Draft): void {
  const { contract, environment } = draft;
  for (const [name, declared] of Object.entries(contract.stores)) {
    const { root, url } = environment.stores?.[name] ?? declared;
    const at = ['stores', name];
    if (root === undefined && url === undefined) {
      draft.say(at, `store \`${name}\` has no root`, 'give it a `root` or a `url` here, or bind it in the environment');
    } else if (root !== undefined && url !== undefined) {
      draft.say(at, `store \`${name}\` has a root and a url`, 'it is in one place: leave one of them out');
    } else if (url === undefined) checkFolder(draft, name);
    else checkBucket(draft, name, url);
  }
}

function checkFolder(draft: Draft, name: string): void {
  const { contract, environment } = draft;
  const place = environment.stores?.[name] ?? contract.stores[name] ?? {};
  const odd = (['endpoint', 'region'] as const).find((member) => place[member] !== undefined);
  const own = contract.stores[name];
  const needless = own?.credential !== undefined && own.url === undefined && environment.stores?.[name] === undefined;
  const member = odd ?? (needless ? 'credential' : undefined);
  if (member === undefined) return;
  draft.say(
    ['stores', name],
    `store \`${name}\` is a folder: it has no ${member}`,
    'a bucket has a `url`: s3://bucket/',
  );
}

function checkBucket(draft: Draft, name: string, url: string): void {
  const { contract, environment } = draft;
  const at = ['stores', name];
  const bound = environment.stores?.[name];
  const wrong = prefixProblem(url);
  if (wrong !== null) draft.say(at, `the url of store \`${name}\` ${wrong}`, 's3://bucket/folder/, of plain names');
  const { endpoint } = bound ?? contract.stores[name] ?? {};
  if (endpoint?.startsWith('http:') === true && !LOOPBACK.test(new URL(endpoint).hostname)) {
    draft.say(at, `store \`${name}\` would be read in clear`, 'an endpoint beyond this machine is https');
  }
  const reference = bound?.credential ?? contract.stores[name]?.credential;
  if (reference === undefined) return;
  const binding = environment.credentials?.[reference];
  if (binding === undefined) {
    const known = Object.keys(environment.credentials ?? {});
    const hint = known.length === 0 ? 'bind it under `credentials` of the environment' : `bound: ${known.join(', ')}`;
    draft.say(at, `credential \`${reference}\` of store \`${name}\` is bound to nothing`, hint);
  } else if (binding.role?.duration !== undefined) {
    const ms = durationMs(binding.role.duration);
    if (ms < limits.roleMsMin || ms > limits.roleMsMax)
      draft.say(at, `credential \`${reference}\` of store \`${name}\` lives for no time that a role can`, '15m to 12h');
  }
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** A name that means nothing but itself. */
const PLAIN = /^[^\\%?#\p{Cc}]+$/u;

/** Why what follows the bucket is no prefix. */
function prefixProblem(url: string): string | null {
  const { prefix } = bucketOf(url);
  if (prefix === '') return null;
  if (!prefix.endsWith('/')) return 'does not end with `/`';
  const names = prefix.slice(0, -1).split('/');
  return names.every((name) => PLAIN.test(name) && name !== '.' && name !== '..')
    ? null
    : 'has a name in it that is not plain';
}

/** Bucket and prefix of `s3://bucket/prefix/`. */
export function bucketOf(url: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(url) ?? [];
  return { bucket, prefix };
}
