import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoarsensRequest, type Engine, type ImpliesRequest, PolicySqlRefused } from '../src/index.ts';
import { closeEngines, engineWith } from './support.ts';

let engine: Engine;

beforeAll(async () => {
  engine = await engineWith();
});
afterAll(closeEngines);

const columns = [
  { name: 'delay', type: 'bigint', nullable: true },
  { name: 'origin', type: 'string', nullable: true },
];
const shared = { table: 'flights', claims: { state: 'string' }, settings: {} };

function filters(stronger: string[], weaker: string[]): ImpliesRequest {
  return { ...shared, tables: { flights: columns }, unchanged: [], stronger, weaker };
}

function masks(before: string[], after: string[]): CoarsensRequest {
  return { ...shared, columns, column: 'delay', before, after };
}

describe('a row filter beside another', () => {
  it('lets no more rows pass, and why', async () => {
    expect(await engine.implies(filters(['delay < 15', 'origin = $claims.state'], ['delay < 20']))).toEqual({
      answer: 'yes',
      reason: '`delay < 20` follows from `delay < 15`',
      counterexample: null,
    });
  });

  it('lets more rows pass: one of them', async () => {
    const judged = await engine.implies(filters(['delay < 20'], ['delay < 15']));
    expect(judged.answer).toBe('no');
    const delay = Number(judged.counterexample?.row.delay?.value);
    expect(delay).toBeGreaterThanOrEqual(15);
    expect(delay).toBeLessThan(20);
    expect(judged.reason).toBe(`a row with \`delay\` = ${delay} passes, and not \`delay < 15\``);
  });

  it('is not taken for narrower where that is not known', async () => {
    const judged = await engine.implies(filters(['random() < 0.5'], ['random() < 0.5']));
    expect(judged).toMatchObject({ answer: 'cannot tell', counterexample: null });
  });

  it('that is none is refused by its place', async () => {
    const asked = engine.implies(filters(['delay < 15'], ['delay < 20', 'dely < 20']));
    await expect(asked).rejects.toBeInstanceOf(PolicySqlRefused);
    await expect(asked).rejects.toMatchObject({
      code: 'policy_sql_refused',
      list: 'weaker',
      index: 1,
      message: 'unknown column `dely`',
      hint: 'did you mean `delay`',
    });
  });
});

describe('a mask beside another', () => {
  it('shows no more', async () => {
    expect(await engine.coarsens(masks(['value / 15 * 15'], ['value / 60 * 60']))).toMatchObject({ answer: 'yes' });
  });

  it('shows more: of two rows that looked the same', async () => {
    const { answer, counterexample } = await engine.coarsens(masks(['value / 60 * 60'], ['value / 15 * 15']));
    expect(answer).toBe('no');
    const [one, other] = [counterexample?.row.delay?.value, counterexample?.other?.delay?.value].map(Number);
    const shown = (by: number): boolean => Math.trunc(Number(one) / by) === Math.trunc(Number(other) / by);
    expect([shown(60), shown(15)]).toEqual([true, false]);
  });

  it('of a column that is not there is refused', async () => {
    const asked = engine.coarsens({ ...masks([], ['value']), column: 'delai' });
    await expect(asked).rejects.toMatchObject({ list: 'after', message: 'unknown column `delai`' });
  });
});
