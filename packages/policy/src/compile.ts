import { createHash } from 'node:crypto';
import { fingerprint, type Boundary, type Problem } from '@ambit/contract';
import {
  type AuthorizationAnswer,
  type EntityJson,
  preparsePolicySet,
  preparseSchema,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { Decision, Subject } from './grant.ts';
import { type EntityRef, mentioned, readPolicies } from './policies.ts';
import { cedarSchema, cedarType } from './schema.ts';

/** A boundary's policies, ready to decide. */
export interface CompiledPolicies {
  readonly boundary: Boundary;
  readonly fingerprint: string;
  /** Resources that some policy names, as `Type::id`. The others of a kind and kin cannot be told apart by any policy. */
  readonly named: ReadonlySet<string>;
  /** Name under which Cedar holds the parsed set. */
  readonly handle: string;
}

/** The policies are wrong: they were not loaded. */
export class PolicyInvalid extends Error {
  override readonly name = 'PolicyInvalid';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super('the policies are not valid');
    this.problems = problems;
  }
}

/** Everything that is wrong with a boundary's policies. */
export function validatePolicies(boundary: Boundary): readonly Problem[] {
  return readPolicies(boundary).problems;
}

/** Parses once. Throws `PolicyInvalid`. */
export function compilePolicies(boundary: Boundary): CompiledPolicies {
  const { policies, problems } = readPolicies(boundary);
  if (problems.length > 0) throw new PolicyInvalid(problems);
  const handle = fingerprint(boundary);
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const parsed = [preparsePolicySet(handle, { staticPolicies }), preparseSchema(handle, cedarSchema(boundary))];
  for (const answer of parsed) {
    if (answer.type === 'failure') throw new Error(`Cedar refused what it had validated: ${answer.errors[0]?.message}`);
  }
  const named = new Set(policies.flatMap(({ json }) => mentioned(json)).map(({ type, id }) => `${type}::${id}`));
  return { boundary, fingerprint: handle, named, handle };
}

/** Cedar could not decide. Never taken for an allow, nor for a deny that another policy could outweigh. */
export class PolicyFailed extends Error {
  override readonly name = 'PolicyFailed';
}

/** A resource and all that it is in. */
export interface Resource {
  readonly uid: EntityRef;
  readonly attrs?: Record<string, string>;
  readonly parents: readonly Resource[];
}

/** Asks Cedar one question. Throws `PolicyFailed` on any evaluation error: Cedar skips a policy that errs, a forbid too. */
export function decide(
  compiled: CompiledPolicies,
  subject: Subject,
  purpose: string,
  action: Decision['action'],
  resource: Resource,
): Pick<Decision, 'allowed' | 'determinedBy'> {
  const principal = principalOf(subject);
  const answer = ask({
    principal: principal.uid,
    action: { type: 'Action', id: action },
    resource: resource.uid,
    context: {
      purpose,
      environment: compiled.boundary.environment,
      channel: subject.channel,
      claims: claimsOf(compiled.boundary, subject),
    },
    preparsedSchemaName: compiled.handle,
    validateRequest: true,
    preparsedPolicySetId: compiled.handle,
    entities: [principal, ...roleEntities(subject), ...entitiesOf(resource)],
  });
  if (answer.type === 'failure') throw new PolicyFailed(answer.errors[0]?.message ?? 'no answer');
  const [error] = answer.response.diagnostics.errors;
  if (error !== undefined) throw new PolicyFailed(`policy \`${error.policyId}\` could not be evaluated`);
  return { allowed: answer.response.decision === 'allow', determinedBy: answer.response.diagnostics.reason.toSorted() };
}

/** Cedar throws on what it cannot even read, as half a surrogate pair in a name. */
function ask(call: StatefulAuthorizationCall): AuthorizationAnswer {
  try {
    return statefulIsAuthorized(call);
  } catch (error) {
    throw new PolicyFailed('the question could not be read', { cause: error });
  }
}

const TYPES = { user: 'User', service: 'Service', agent: 'Agent', anonymous: 'Anonymous' } as const;

function principalOf(subject: Subject): EntityJson {
  const { tenant, principal, kind, onBehalfOf } = subject;
  const uid = { type: TYPES[kind], id: `${tenant}/${principal}` };
  if (kind === 'anonymous') return { uid, attrs: { tenant }, parents: [] };
  const behalf = kind === 'agent' && onBehalfOf !== null ? { onBehalfOf: { ...onBehalfOf } } : {};
  return { uid, attrs: { tenant, principal, ...behalf }, parents: subject.roles.map((role) => roleUid(subject, role)) };
}

function roleUid(subject: Subject, role: string): EntityRef {
  return { type: 'Role', id: `${subject.tenant}/${role}` };
}

function roleEntities(subject: Subject): EntityJson[] {
  return subject.roles.map((role) => ({ uid: { ...roleUid(subject, role) }, attrs: {}, parents: [] }));
}

function entitiesOf(resource: Resource): EntityJson[] {
  const found = new Map<string, EntityJson>();
  const visit = ({ uid, attrs, parents }: Resource): void => {
    found.set(`${uid.type}::${uid.id}`, {
      uid: { ...uid },
      attrs: attrs ?? {},
      parents: parents.map((parent) => ({ ...parent.uid })),
    });
    parents.forEach(visit);
  };
  visit(resource);
  return [...found.values()];
}

/**
 * Declared claims alone, in the types that the schema gives them. A claim of another type is a failure, not an absence: a
 * forbid on it would never fire.
 */
function claimsOf(boundary: Boundary, subject: Subject): Record<string, string | number | boolean> {
  const claims: Record<string, string | number | boolean> = {};
  for (const [name, { type }] of Object.entries(boundary.claims)) {
    if (!Object.hasOwn(subject.claims, name)) continue;
    const value = subject.claims[name];
    const wanted = cedarType(type);
    if (wanted === 'Bool' && typeof value === 'boolean') claims[name] = value;
    else if (wanted === 'Long' && value !== '' && typeof value !== 'boolean' && Number.isSafeInteger(Number(value))) {
      claims[name] = Number(value);
    } else if (wanted === 'String' && (typeof value === 'string' || typeof value === 'number')) {
      claims[name] = String(value);
    } else throw new PolicyFailed(`claim \`${name}\` is not of its declared type \`${type}\``);
  }
  return claims;
}

/** What a grant depends on, and nothing else of the subject. */
export function cacheKey(compiled: CompiledPolicies, subject: Subject, purpose: string | null): string {
  const { tenant, principal, kind, roles, channel, onBehalfOf } = subject;
  const key = {
    tenant,
    principal,
    kind,
    roles,
    channel,
    onBehalfOf,
    purpose,
    claims: claimsOf(compiled.boundary, subject),
  };
  return createHash('sha256').update(JSON.stringify(key, sorted)).digest('base64');
}

/** Keys in one order. Not canonical JSON: a claim may hold a fraction or ill-formed text, which is no reason to fail. */
function sorted(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
