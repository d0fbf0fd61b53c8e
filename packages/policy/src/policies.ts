import { nearest, placeOf, type Boundary, type Problem } from '@ambit/contract';
import {
  checkParseSchema,
  type DetailedError,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { cedarSchema } from './schema.ts';

/** One policy of a product. */
export interface Policy {
  /** `file#id`: what decisions name. */
  readonly id: string;
  readonly file: string;
  /** Offset of its text in the file. */
  readonly start: number;
  readonly text: string;
  readonly json: PolicyJson;
}

/** An entity as Cedar's JSON names it. */
export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

/** Reads every policy file of a boundary. Whatever is wrong is a problem with its place, all of them at once. */
export function readPolicies(boundary: Boundary): {
  readonly policies: readonly Policy[];
  readonly problems: readonly Problem[];
} {
  const policies: Policy[] = [];
  const problems: Problem[] = [];
  for (const [file, text] of Object.entries(boundary.policies)) {
    const parts = policySetTextToParts(text);
    if (parts.type === 'failure') {
      problems.push(...parts.errors.map((error) => cedarProblem(file, text, 0, error)));
      continue;
    }
    for (const template of parts.policy_templates) {
      problems.push(
        at(file, text, text.indexOf(template), 'policy templates are not supported', 'write a policy for each case'),
      );
    }
    const starts = new Set<number>();
    for (const part of parts.policies) {
      // Cedar gives the parts in an order of its own.
      const start = unseen(text, part, starts);
      starts.add(start);
      const read = policyToJson(part);
      if (read.type === 'failure') {
        problems.push(...read.errors.map((error) => cedarProblem(file, text, start, error)));
        continue;
      }
      const id = read.json.annotations?.['id'] ?? '';
      if (id === '')
        problems.push(at(file, text, start, 'a policy has no id', 'put `@id("...")` before it: the evidence names it'));
      policies.push({ id: `${file}#${id}`, file, start, text: part, json: read.json });
    }
  }
  if (problems.length > 0) return { policies, problems };
  return {
    policies,
    problems: [...duplicates(boundary, policies), ...checkRules(boundary, policies), ...checkTypes(boundary, policies)],
  };
}

/** Ids of a boundary's policies, as decisions name them. */
export function policyIds(boundary: Boundary): readonly string[] {
  return readPolicies(boundary).policies.map(({ id }) => id);
}

/** The boundary without one of its policies, for each of them. */
export function withoutPolicies(boundary: Boundary): readonly { readonly id: string; readonly boundary: Boundary }[] {
  return readPolicies(boundary).policies.map(({ id, file, start, text }) => {
    const whole = boundary.policies[file] ?? '';
    const rest = whole.slice(0, start) + whole.slice(start + text.length);
    return { id, boundary: { ...boundary, policies: { ...boundary.policies, [file]: rest } } };
  });
}

/** Where a part stands; two that read the same stand at two places. */
function unseen(text: string, part: string, starts: ReadonlySet<number>): number {
  let start = text.indexOf(part);
  while (starts.has(start)) start = text.indexOf(part, start + 1);
  return Math.max(0, start);
}

function duplicates(boundary: Boundary, policies: readonly Policy[]): readonly Problem[] {
  const seen = new Set<string>();
  return policies.flatMap((policy) => {
    if (!seen.has(policy.id)) {
      seen.add(policy.id);
      return [];
    }
    return [
      policyProblem(
        boundary,
        policy,
        `another policy has the id \`${policy.id.split('#')[1]}\``,
        'ids are unique in a file',
      ),
    ];
  });
}

/** Ambit's own rules, on Cedar's JSON: text can be written in many ways. */
function checkRules(boundary: Boundary, policies: readonly Policy[]): readonly Problem[] {
  return policies.flatMap((policy) => {
    const problems: Problem[] = [];
    if (policy.json.effect === 'permit' && policy.json.action.op === 'All') {
      problems.push(
        policyProblem(
          boundary,
          policy,
          'a permit with an open action would cover `exempt`',
          'name the actions: a permit that lifts masks must say `Action::"exempt"`',
        ),
      );
    }
    for (const [attribute, word] of comparedWords(policy.json.conditions)) {
      const known = attribute === 'purpose' ? Object.keys(boundary.purposes) : CHANNELS;
      if (known.includes(word)) continue;
      const near = nearest(word, known);
      const hint = near === null ? `there are: ${known.join(', ')}` : `did you mean \`${near}\``;
      problems.push(policyProblem(boundary, policy, `there is no ${attribute} \`${word}\``, hint));
    }
    for (const entity of mentioned(policy.json)) {
      const known = knownIds(boundary, entity.type);
      if (known === null || known.includes(entity.id)) continue;
      const word = nearest(entity.id, known);
      problems.push(
        policyProblem(
          boundary,
          policy,
          `the product has no ${entity.type} \`${entity.id}\``,
          word === null ? `it has: ${known.slice(0, 20).join(', ')}` : `did you mean \`${word}\``,
        ),
      );
    }
    return problems;
  });
}

const CHANNELS = ['http', 'flight-sql', 'postgres', 'mcp', 'cli'];

/** Words that a policy compares `context.purpose` or `context.channel` with: a forbid with a slip in one forbids nothing. */
function comparedWords(part: unknown): readonly (readonly ['purpose' | 'channel', string])[] {
  if (Array.isArray(part)) return part.flatMap(comparedWords);
  if (part === null || typeof part !== 'object') return [];
  const object = part as Record<string, unknown>;
  const inner = Object.values(object).flatMap(comparedWords);
  for (const operator of ['==', '!=', 'contains', 'containsAny']) {
    const sides = object[operator] as { left?: unknown; right?: unknown } | undefined;
    if (sides === undefined) continue;
    for (const [one, other] of [
      [sides.left, sides.right],
      [sides.right, sides.left],
    ]) {
      const attribute = attributeOf(one);
      if (attribute !== null) inner.push(...wordsOf(other).map((word) => [attribute, word] as const));
    }
  }
  return inner;
}

function attributeOf(part: unknown): 'purpose' | 'channel' | null {
  const access = (part as { '.'?: { left?: { Var?: string }; attr?: string } } | undefined)?.['.'];
  const attribute = access?.left?.Var === 'context' ? access.attr : undefined;
  return attribute === 'purpose' || attribute === 'channel' ? attribute : null;
}

function wordsOf(part: unknown): readonly string[] {
  const { Value: value, Set: set } = (part ?? {}) as { Value?: unknown; Set?: readonly unknown[] };
  if (set !== undefined) return set.flatMap(wordsOf);
  if (Array.isArray(value)) return value.filter((word): word is string => typeof word === 'string');
  return typeof value === 'string' ? [value] : [];
}

/** Ids of a type of resource that a policy may name, or null where ids are free. */
function knownIds(boundary: Boundary, type: string): readonly string[] | null {
  switch (type) {
    case 'Product':
      return [boundary.product.name];
    case 'Table':
      return Object.keys(boundary.tables);
    case 'Column':
      return Object.entries(boundary.tables).flatMap(([table, { columns }]) =>
        columns.map(({ name }) => `${table}.${name}`),
      );
    case 'View':
      return Object.keys(boundary.views);
    case 'Function':
      return boundary.functions;
    case 'RowFilter':
      return Object.keys(boundary.rowFilters);
    case 'Mask':
      return Object.keys(boundary.masks);
    case 'Tag':
      return [...tagsOf(boundary)].toSorted();
    default:
      return null;
  }
}

/** Every tag of a column of the boundary. */
export function tagsOf(boundary: Boundary): ReadonlySet<string> {
  return new Set(Object.values(boundary.tables).flatMap(({ columns }) => columns.flatMap(({ tags }) => tags)));
}

/** Every entity that a piece of a policy names. */
export function mentioned(part: unknown): readonly EntityRef[] {
  if (Array.isArray(part)) return part.flatMap(mentioned);
  if (part === null || typeof part !== 'object') return [];
  const object = part as Record<string, unknown>;
  const entity = object['__entity'] ?? object;
  if (isEntity(entity)) return [entity];
  return Object.values(object).flatMap(mentioned);
}

function isEntity(value: unknown): value is EntityRef {
  const entity = value as Partial<EntityRef> | null;
  return typeof entity === 'object' && typeof entity?.type === 'string' && typeof entity.id === 'string';
}

function checkTypes(boundary: Boundary, policies: readonly Policy[]): readonly Problem[] {
  const schema = cedarSchema(boundary);
  const parsed = checkParseSchema(schema);
  if (parsed.type === 'failure') throw new Error(`the policy schema does not parse: ${parsed.errors[0]?.message}`);
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const answer = validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') {
    return answer.errors.map((error) => ({
      file: Object.keys(boundary.policies)[0] ?? '',
      line: 1,
      column: 1,
      message: error.message,
      hint: error.help,
    }));
  }
  const found = [...answer.validationErrors, ...answer.validationWarnings].map(({ policyId, error }) => {
    const policy = byId.get(policyId);
    const text = policy === undefined ? '' : (boundary.policies[policy.file] ?? '');
    return cedarProblem(policy?.file ?? policyId, text, policy?.start ?? 0, error);
  });
  // Cedar checks a policy for every kind of principal, and says the same of each.
  const seen = new Set<string>();
  return found.filter(({ file, line, column }) => {
    const place = `${file}:${line}:${column}`;
    const first = !seen.has(place);
    seen.add(place);
    return first;
  });
}

function cedarProblem(file: string, text: string, start: number, error: DetailedError): Problem {
  // Cedar counts bytes.
  const bytes = Buffer.from(text.slice(start)).subarray(0, error.sourceLocations?.[0]?.start ?? 0);
  const offset = start + bytes.toString('utf8').length;
  const message = error.message.replace(/^for policy `[^`]*`, /, '');
  return at(file, text, offset, message, error.help);
}

function policyProblem(boundary: Boundary, policy: Policy, message: string, hint: string): Problem {
  return at(policy.file, boundary.policies[policy.file] ?? '', policy.start, message, hint);
}

function at(file: string, text: string, offset: number, message: string, hint: string | null): Problem {
  return { file, ...placeOf(text, Math.max(0, offset)), message, hint };
}
