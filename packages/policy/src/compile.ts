import { createHash } from 'node:crypto';
import { canonicalize, fingerprint, type Boundary, type Problem } from '@ambit/contract';
import {
  type EntityJson,
  preparsePolicySet,
  preparseSchema,
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
  const answer = statefulIsAuthorized({
    principal: principal.uid as EntityRef,
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

/** Only declared claims, in the types that the schema gives them: a claim of another type is as if it were not there. */
function claimsOf(boundary: Boundary, subject: Subject): Record<string, string | number | boolean> {
  const claims: Record<string, string | number | boolean> = {};
  for (const [name, { type }] of Object.entries(boundary.claims)) {
    const value = subject.claims[name];
    if (value === undefined) continue;
    const wanted = cedarType(type);
    if (wanted === 'Boolean' && typeof value === 'boolean') claims[name] = value;
    else if (wanted === 'Long' && Number.isSafeInteger(Number(value))) claims[name] = Number(value);
    else if (wanted === 'String' && typeof value !== 'boolean') claims[name] = String(value);
  }
  return claims;
}

/** What a grant depends on, and nothing else of the subject. */
export function cacheKey(compiled: CompiledPolicies, subject: Subject, purpose: string): string {
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
  return createHash('sha256').update(canonicalize(key)).digest('base64');
}
