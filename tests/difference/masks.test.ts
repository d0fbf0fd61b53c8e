import { type Around, textualImplication } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { implicationOf } from '../../packages/cli/src/diff/compare.ts';
import { checkingEngine } from '../contracts/engine.ts';

// Whether a mask shows no more than the one before it, as the engine decides for `ambit diff` and for reviews.

let engine: Engine;
let settings: Around['settings'];
beforeAll(async () => {
  engine = await checkingEngine();
  const catalog = await engine.catalog();
  settings = Object.fromEntries(catalog.settings.map(({ key, default: usual }) => [key, usual]));
});
afterAll(() => engine.close());

const column = (name: string, type: string) => ({ name, type, nullable: true, description: '', tags: [] });
const flights = [column('delay', 'bigint'), column('origin', 'string'), column('date', 'timestamp')];

test.each([
  ['a longer unit', 'date', "date_trunc('day', value)", "date_trunc('month', value)", true],
  ['a shorter unit', 'date', "date_trunc('month', value)", "date_trunc('day', value)", false],
  ['a week, which is part of no month', 'date', "date_trunc('week', value)", "date_trunc('month', value)", false],
  ['fewer characters', 'origin', 'left(value, 3)', 'substr(value, 1, 2)', true],
  ['more characters', 'origin', 'substr(value, 1, 2)', 'substr(value, 1, 3)', false],
  ['wider steps', 'delay', 'value / 15 * 15', 'value / 60 * 60', true],
  ['steps that do not fit', 'delay', 'value / 15 * 15', 'value / 40 * 40', false],
  ['steps of a text', 'origin', 'value / 15 * 15', 'value / 60 * 60', false],
  ['something made of what was shown', 'origin', 'left(value, 2)', 'upper(left(value, 2))', true],
  ['something made of it and the value', 'origin', 'left(value, 2)', 'concat(left(value, 2), value)', false],
  ['part of another term', 'delay', 'value % 7', '2 * value % 7', false],
] as const)('one that shows %s', async (_, on, before, after, narrows) => {
  const around = { table: 'flights', columns: { flights }, unchanged: ['flights'], claims: {}, settings };
  const { answer, reason } = await implicationOf(engine).coarsens(around, on, before, after);
  expect([answer === 'yes', reason]).toEqual([narrows, expect.stringMatching(/\w/)]);
  // The texts alone do not show it.
  expect(await textualImplication.coarsens(around, on, before, after)).toMatchObject({ answer: 'cannot tell' });
});
