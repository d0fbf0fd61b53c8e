import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inOrder, nearest, PolicyTests, type Problem, readDocument } from '@ambit/contract';
import { findKind, type GivenValue } from '@ambit/session';

type Declared = PolicyTests['tests'][string];
type Case = Omit<Declared, 'cases'> & { readonly name?: string };

/** One test: a case of a table, or a test without. */
export interface PolicyTest {
  /** `test`, or `test: case`. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** Name of the subject. */
  readonly as: string;
  readonly subject: DeclaredSubject;
  readonly purpose: string | null;
  readonly ask: { readonly sql: string } | { readonly query: string } | { readonly action: 'readEvidence' };
  readonly parameters: Readonly<Record<string, GivenValue>>;
  readonly expect: Expectation;
}

export type DeclaredSubject = PolicyTests['subjects'][string];
export type Expectation = NonNullable<Declared['expect']>;

/** A file of policy tests. */
export interface Suite {
  readonly file: string;
  /** Path of the contract. */
  readonly contract: string;
  readonly tests: readonly PolicyTest[];
}

/** Files of policy tests among `paths`: a folder gives every YAML file beneath it whose kind is PolicyTests. */
export function findSuites(paths: readonly string[]): Promise<readonly string[]> {
  return findKind(paths, 'PolicyTests');
}

/** Reads a file of policy tests, or says all that is wrong with it. */
export async function readSuite(file: string): Promise<Suite | { readonly problems: readonly Problem[] }> {
  const document = readDocument<PolicyTests>(await readFile(file, 'utf8'), file, PolicyTests);
  const { value } = document;
  if (value === null || document.problems.length > 0) return { problems: document.problems };
  const problems: Problem[] = [];
  const tests = Object.entries(value.tests).flatMap(([name, declared]) => {
    const { cases, ...shared } = declared;
    const each: readonly Case[] = cases ?? [shared];
    return each.flatMap((one, at): PolicyTest[] => {
      const path = cases === undefined ? ['tests', name] : ['tests', name, 'cases', at];
      const say = (message: string, hint: string): void =>
        void problems.push(document.problem(path, message, hint, 'key'));
      const test = testOf({ ...shared, ...one }, value.subjects, say);
      if (test === null) return [];
      const { line } = document.problem(path, '', null, 'key');
      return [{ ...test, name: nameOf(name, one, cases === undefined ? null : at), file, line }];
    });
  });
  if (problems.length > 0) return { problems: inOrder(problems) };
  return { file, contract: join(dirname(file), value.contract), tests };
}

function nameOf(test: string, { name, as, purpose }: Case, at: number | null): string {
  if (at === null) return test;
  const told = name ?? [as, purpose].filter((word) => word !== undefined).join(' for ');
  return `${test}: ${told === '' ? `case ${at + 1}` : told}`;
}

function testOf(
  { as, purpose, sql, query, action, parameters = {}, expect }: Case,
  subjects: PolicyTests['subjects'],
  say: (message: string, hint: string) => void,
): Omit<PolicyTest, 'name' | 'file' | 'line'> | null {
  const subject = as === undefined ? undefined : subjects[as];
  if (as === undefined) say('nobody asks', 'say `as`: the name of a subject of this file');
  else if (subject === undefined) {
    const word = nearest(as, Object.keys(subjects));
    const known = `subjects: ${Object.keys(subjects).join(', ')}`;
    say(`there is no subject \`${as}\``, word === null ? known : `did you mean \`${word}\``);
  }
  const asks = [
    ...(sql === undefined ? [] : [{ sql }]),
    ...(query === undefined ? [] : [{ query }]),
    ...(action === undefined ? [] : [{ action }]),
  ];
  const [ask] = asks;
  if (ask === undefined || asks.length > 1)
    say('what is asked is not clear', 'say `sql`, `query` or `action`, one of them');
  const wrong = contradiction(expect, action !== undefined);
  if (wrong !== null) say(...wrong);
  if (as === undefined || subject === undefined || expect === undefined || ask === undefined) return null;
  return { as, subject, purpose: purpose ?? null, ask, parameters, expect };
}

/** What cannot be expected together, and what to say instead. */
function contradiction(expect: Expectation | undefined, action: boolean): readonly [string, string] | null {
  if (expect === undefined) return ['nothing is expected', 'say `expect`: rows, count, columns or refused'];
  const { allowed, refused, ...rows } = expect;
  const ofRows = Object.keys(rows).length > 0;
  if (action && (allowed === undefined || refused !== undefined || ofRows))
    return ['an action has no rows', 'expect `allowed`: true or false'];
  if (!action && allowed !== undefined) return ['`allowed` is for an action', 'expect rows, or `refused`'];
  if (refused !== undefined && ofRows) return ['who is refused gets no rows', 'expect `refused`, or what the rows are'];
  return null;
}
