import { readFileSync } from 'node:fs';
import { formatProblem } from '@ambit/contract';
import { expect, test } from 'vitest';
import { authorize, type Grant, validatePolicies } from '../src/index.ts';
import { compiled, boundary } from './example.ts';
import { applied, subject } from './product.ts';

const text = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/^```(\w+)( refused)?\n(.*?)^```$/gms)].map(([, language, refused, body]) => ({
  language,
  refused: refused !== undefined,
  body: body ?? '',
}));

const problems = (policies: string): string =>
  validatePolicies({ ...boundary, policies: { 'flights.cedar': policies } })
    .map(formatProblem)
    .join('\n');

const good = blocks.filter(({ language, refused }) => language === 'cedar' && !refused).map(({ body }) => body);
const bad = blocks.flatMap(({ refused, body }, index) =>
  refused ? [[body, blocks[index + 1]?.body ?? ''] as const] : [],
);

test('the document has examples of both kinds', () => {
  expect(good.length).toBeGreaterThan(3);
  expect(bad.length).toBeGreaterThan(2);
});

test.each(good)('policies of the document are valid: %s', (policies) => {
  expect(problems(policies)).toBe('');
});

test.each(bad)('refused policies of the document get the answer that it shows: %s', (policies, answer) => {
  expect(problems(policies)).toBe(answer.trimEnd());
});

test('the yaml names the policy files of the example', () => {
  const yaml = blocks.find(({ language }) => language === 'yaml')?.body ?? '';
  expect(yaml).toContain(`cedar: [${Object.keys(boundary.policies).join(', ')}]`);
});

const table = text.slice(text.indexOf('## Who gets what'), text.indexOf('## Words'));
const outcomes = table
  .split('\n')
  .filter((line) => /^\| (?!role)\w/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('the document tells outcomes', () => {
  expect(outcomes.length).toBeGreaterThan(4);
});

test.each(outcomes)('%s%s for `%s`: %s', (_, role, purpose, answer, filters, hidden) => {
  const asked = authorize(compiled, subject({ roles: [role] }), purpose === '' ? null : purpose);
  expect(asked.allowed ? 'granted' : asked.refusal.code).toBe(answer);
  if (!asked.allowed) return;
  expect(
    Object.values(asked.grant.tables)
      .flatMap((one) => applied(one.filters))
      .join(', '),
  ).toBe(filters);
  expect(hiddenColumns(asked.grant).join(', ')).toBe(hidden);
});

function hiddenColumns({ tables }: Grant): string[] {
  return Object.entries(boundary.tables).flatMap(([name, { columns }]) => {
    const visible = tables[name]?.columns.map((one) => one.name) ?? [];
    return columns.filter((one) => !visible.includes(one.name)).map((one) => `${name}.${one.name}`);
  });
}
