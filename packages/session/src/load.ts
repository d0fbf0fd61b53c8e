import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Boundary,
  boundaryOf,
  breaks,
  type CheckReport,
  type CheckRequest,
  type ClaimValue,
  Contract,
  type DeclaredContract,
  type Document,
  type EngineFacts,
  fingerprint,
  formatProblem,
  inOrder,
  judgeRules,
  notesOf,
  prepare,
  type Problem,
  readDocument,
  reportProblems,
} from '@ambit/contract';
import { odcsFiles, withColumns } from './odcs.ts';
import { type CompiledPolicies, compilePolicies, type Subject, validatePolicies } from '@ambit/policy';
import type { Standing } from '@ambit/review';
import { operatorProblems } from './operators.ts';
import type { BoundEnvironment } from './environment.ts';
import { bindingsOf, type CredentialBinding } from './credentials/binding.ts';
import { ContractsInvalid } from './errors.ts';
import { certificatesOf, rootsOf } from './stores.ts';

/** A product that can be served. */
export interface Product {
  readonly file: string;
  readonly boundary: Boundary;
  readonly fingerprint: string;
  readonly policies: CompiledPolicies;
  /** Absolute roots of the local stores: bound by the environment, not part of the boundary. */
  readonly roots: Readonly<Record<string, string>>;
  /** PEM of the certificates that vouch for the servers of stores, by store; one that is not here is vouched for as usual. */
  readonly certificates: Readonly<Record<string, string>>;
  /** What the references of its stores stand for. */
  readonly credentials: Readonly<Record<string, CredentialBinding>>;
  /** Whether owners approved it, at a time in milliseconds since 1970. Absent where nobody has to. */
  readonly standing?: (now: number) => Standing;
  /** What the environment overrules of the contract. */
  readonly notes: readonly Problem[];
  /** A problem of its contract, in its place. */
  readonly problem: Document<unknown>['problem'];
  /** Files that it is made of: the contract and its policies. */
  readonly files: readonly string[];
  /** Where the server itself makes what the product shows. */
  readonly backing?: Backing;
}

/** What the server does for a product that it makes itself. */
export interface Backing {
  /** The subject, with what the server knows of it in place of what its credential claims. */
  subject(subject: Subject): Subject;
  /** Makes the sources hold every record before that `seq`, the session's intent. */
  ready(before: number): Promise<Ready>;
}

/** Sources that a session can read. */
export interface Ready {
  /** What policies may know of this state of the sources. */
  readonly claims: Readonly<Record<string, ClaimValue>>;
  /** Called when the session has ended. Once more does nothing. */
  readonly release: () => void;
}

/** Name of the product that every server serves: its own evidence. */
export const EVIDENCE = 'evidence';

/** Its contract, a file that is shipped: beside the sources, and beside what is compiled of them. */
export const evidenceContract = fileURLToPath(new URL('../contracts/evidence.yaml', import.meta.url));

/** The subject as a product knows it. */
export function subjectOn({ backing }: Pick<Product, 'backing'>, subject: Subject): Subject {
  return backing === undefined ? subject : backing.subject(subject);
}

/** The part of the engine that loading needs. */
export interface Checker {
  catalog(): Promise<EngineFacts>;
  check(request: CheckRequest): Promise<CheckReport>;
}

/** Loads contracts for an environment. All problems of all files at once, in one `ContractsInvalid`. */
export async function loadProducts(
  files: readonly string[],
  environment: BoundEnvironment,
  engine: Checker,
): Promise<readonly Product[]> {
  const facts = await engine.catalog();
  const loaded = await Promise.all(files.map((file) => loadProduct(file, environment, engine, facts)));
  const problems = distinct(loaded.flatMap((one) => ('problems' in one ? one.problems : [])));
  const products = loaded.flatMap((one) => ('problems' in one ? [] : [one]));
  problems.push(...versionProblems(products), ...takenNames(products), ...operatorProblems(environment));
  if (problems.length > 0) throw new ContractsInvalid(problems);
  return products;
}

/** What is wrong with an environment is found with each contract, and said once. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [formatProblem(one), one])).values()];
}

/** Loads one contract, or says all that is wrong with it. */
export async function loadProduct(
  file: string,
  environment: BoundEnvironment,
  engine: Checker,
  facts: EngineFacts,
): Promise<Product | { readonly problems: readonly Problem[] }> {
  const declared = readDocument<DeclaredContract>(await readFile(file, 'utf8'), file, Contract);
  if (declared.value === null) return { problems: declared.problems };
  const whole = await withColumns(declared, declared.value);
  if ('problems' in whole) return { problems: inOrder([...declared.problems, ...whole.problems]) };
  const { contract } = whole;
  const document = { ...declared, value: contract };
  const prepared = prepare(document, contract, environment, facts, whole.rules);
  const cedar = await readCedar(document, contract);
  const vouching = await certificatesOf(contract, environment);
  const [report, ofRules] = await Promise.all([
    engine.check(prepared.request),
    prepared.rules.request === null ? { results: {} } : engine.check(prepared.rules.request),
  ]);
  const rules = judgeRules(document, prepared.rules, ofRules);
  const problems = [
    ...document.problems,
    ...prepared.problems,
    ...cedar.problems,
    ...vouching.problems,
    ...reportProblems(prepared, report),
    ...rules.problems,
  ];
  if (problems.length > 0) return { problems: inOrder(problems) };
  const boundary = boundaryOf(prepared, report, rules, cedar.policies);
  // The boundary names policy files as the contract does; a person looks for them beside it.
  const wrong = validatePolicies(boundary).map((problem) => ({ ...problem, file: join(dirname(file), problem.file) }));
  if (wrong.length > 0) return { problems: wrong };
  return {
    file,
    boundary,
    fingerprint: fingerprint(boundary),
    policies: compilePolicies(boundary),
    roots: rootsOf(contract, dirname(file), environment),
    certificates: vouching.certificates,
    credentials: bindingsOf(boundary, environment),
    notes: [...notesOf(document, contract, environment), ...whole.notes, ...prepared.rules.notes, ...rules.notes],
    problem: (path, ...said) => document.problem(path, ...said),
    files: [
      file,
      ...odcsFiles(declared.value, file),
      ...Object.keys(cedar.policies).map((name) => join(dirname(file), name)),
      ...vouching.files,
    ],
  };
}

async function readCedar(document: Document<Contract>, contract: Contract) {
  const folder = dirname(document.file);
  const named = contract.policies?.cedar ?? [`${basename(document.file, extname(document.file))}.cedar`];
  const policies: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const [at, name] of named.entries()) {
    try {
      policies[name] = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
    } catch {
      const path = contract.policies?.cedar === undefined ? ['name'] : ['policies', 'cedar', at];
      problems.push(
        document.problem(path, `cannot read policy file \`${name}\``, 'without a policy nobody may open the product'),
      );
    }
  }
  return { policies, problems };
}

/** A server serves each version of a name once, all of one tenant, and none that breaks what one before it promises. */
function versionProblems(products: readonly Product[]): readonly Problem[] {
  const names = new Set(products.map(({ boundary }) => boundary.product.name));
  return [...names].flatMap((name) => {
    const all = products.filter(({ boundary }) => boundary.product.name === name);
    const wrong = all.flatMap((one, at) => twice(one, all.slice(0, at)));
    return wrong.length > 0 ? wrong : breaks(all);
  });
}

function twice({ boundary, problem }: Product, before: readonly Product[]): readonly Problem[] {
  const { name, version, tenant } = boundary.product;
  const same = before.find((one) => one.boundary.product.version === version);
  if (same !== undefined) {
    const hint = 'a server serves each version of a name once';
    return [problem(['version'], `\`${same.file}\` has version ${version} of \`${name}\` too`, hint)];
  }
  const other = before.find((one) => one.boundary.product.tenant !== tenant);
  if (other === undefined) return [];
  const hint = `\`${other.file}\` is of \`${other.boundary.product.tenant}\`; give this product another name`;
  return [problem(['tenant'], `versions of \`${name}\` belong to two tenants`, hint)];
}

function takenNames(products: readonly Product[]): readonly Problem[] {
  const taken = products.filter(
    ({ file, boundary }) => boundary.product.name === EVIDENCE && resolve(file) !== evidenceContract,
  );
  return taken.map(({ file }) => ({
    file,
    line: 1,
    column: 1,
    message: `no contract can declare a product \`${EVIDENCE}\`: it is what every server has of its own sessions`,
    hint: 'give the product another name',
  }));
}
