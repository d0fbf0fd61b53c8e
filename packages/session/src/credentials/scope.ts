import type { SessionTemplate } from '@ambit/engine';
import { limits } from '../limits.ts';

/** What a credential is asked for: keys, or those that begin with a text ending with `/`, by bucket; sorted. */
export type Scope = Readonly<Record<string, readonly string[]>>;

type Template = Pick<SessionTemplate, 'stores' | 'sources'>;

/** What a session needs of a credential: the files and folders of its sources. */
export function scopeOf({ stores, sources }: Template, reference: string): Scope {
  const found: Record<string, Set<string>> = {};
  for (const { store: name, path } of Object.values(sources)) {
    const store = stores[name];
    if (store?.kind !== 's3' || store.credential !== reference) continue;
    (found[store.bucket] ??= new Set()).add(`${store.prefix}${path}`);
  }
  return Object.fromEntries(
    Object.entries(found)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([bucket, keys]) => [bucket, [...keys].toSorted()]),
  );
}

/** A session policy for it. Where it would be longer than the protocol admits, each bucket's keys are named by what they begin with. */
export function policyOf(scope: Scope, arn: string): string {
  const exact = written(scope, arn);
  if (exact.length <= limits.sessionPolicyCharactersMax) return exact;
  return written(
    Object.fromEntries(Object.entries(scope).map(([bucket, keys]) => [bucket, [commonFolder(keys)]])),
    arn,
  );
}

function written(scope: Scope, arn: string): string {
  const partition = arn.split(':')[1] ?? 'aws';
  const statements = Object.entries(scope).flatMap(([bucket, keys]) => {
    const at = `arn:${partition}:s3:::${bucket}`;
    const folders = keys.filter(isFolder);
    const read = {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: keys.map((key) => `${at}/${escaped(key)}${isFolder(key) ? '*' : ''}`),
    };
    const list = {
      Effect: 'Allow',
      Action: 's3:ListBucket',
      Resource: at,
      Condition: { StringLike: { 's3:prefix': folders.map((key) => `${escaped(key)}*`) } },
    };
    return folders.length === 0 ? [read] : [read, list];
  });
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

function isFolder(key: string): boolean {
  return key === '' || key.endsWith('/');
}

/** A name that is no pattern. */
function escaped(key: string): string {
  return key.replaceAll(/[*?$]/g, (sign) => `\${${sign}}`);
}

/** The folder that all of them lie in. */
function commonFolder(keys: readonly string[]): string {
  const [first = '', ...others] = keys;
  const names = first.split('/').slice(0, -1);
  const shared = names.findIndex((_, at) => {
    const folder = `${names.slice(0, at + 1).join('/')}/`;
    return !others.every((key) => key.startsWith(folder));
  });
  const folder = (shared < 0 ? names : names.slice(0, shared)).join('/');
  return folder === '' ? '' : `${folder}/`;
}
