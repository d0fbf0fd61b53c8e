import { resolve } from 'node:path';
import { type Boundary, durationMs } from '@ambit/contract';
import type { BoundEnvironment } from '../environment.ts';

/** What a reference stands for on this machine. */
export interface CredentialBinding {
  /** Absolute path of the file of its keys. */
  readonly keys: string;
  readonly role: Role | null;
}

/** A role that keys take on. */
export interface Role {
  readonly arn: string;
  readonly externalId: string | null;
  readonly endpoint: string;
  readonly region: string;
  readonly seconds: number;
}

/** Bindings of the references that a boundary has. */
export function bindingsOf(
  boundary: Boundary,
  { value, folder }: Pick<BoundEnvironment, 'value' | 'folder'>,
): Readonly<Record<string, CredentialBinding>> {
  return Object.fromEntries(
    Object.keys(boundary.credentials ?? {}).flatMap((reference) => {
      const bound = value.credentials?.[reference];
      if (bound === undefined) return [];
      const { keys, role } = bound;
      return [[reference, { keys: resolve(folder, keys), role: role === undefined ? null : roleOf(role) }]];
    }),
  );
}

type DeclaredRole = NonNullable<NonNullable<BoundEnvironment['value']['credentials']>[string]['role']>;

function roleOf({ arn, externalId, endpoint, region = 'us-east-1', duration = '15m' }: DeclaredRole): Role {
  return {
    arn,
    externalId: externalId ?? null,
    endpoint: endpoint ?? `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
    region,
    seconds: Math.ceil(durationMs(duration) / 1_000),
  };
}
