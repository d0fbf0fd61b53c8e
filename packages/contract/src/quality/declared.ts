import type { Path } from '../document.ts';
import type { Problem } from '../problem.ts';
import type { Contract } from '../schema.ts';
import type { DeclaredRule, Operator } from './schema.ts';
import { OPERATORS } from './schema.ts';

/** Says something of a rule where it is declared. */
export type SayOfRule = (message: string, hint: string | null) => Problem;

/** A rule of a contract, and where it stands. */
export interface PlacedRule {
  readonly table: string;
  /** Null: it is of the table. */
  readonly column: string | null;
  readonly name: string;
  readonly rule: DeclaredRule;
  readonly path: Path;
  /** There where an ODCS file declares it, for other engines too: what cannot run here is told, and left out. */
  readonly taken: SayOfRule | null;
}

/** Rules that an ODCS file declares, by table, then by name as a boundary has it. */
export type TakenRules = ReadonlyMap<string, ReadonlyMap<string, SayOfRule>>;

/** All rules of a contract, those of a table before those of its columns. */
export function placedRules({ tables }: Contract, takenRules: TakenRules): readonly PlacedRule[] {
  return Object.entries(tables).flatMap(([table, { quality = {}, columns }]) => {
    const placed = (column: string | null, rules: Readonly<Record<string, DeclaredRule>>): readonly PlacedRule[] =>
      Object.entries(rules).map(([name, rule]) => {
        const within = column === null ? [] : ['columns', column];
        const taken = takenRules.get(table)?.get(ruleId(column, name)) ?? null;
        return { table, column, name, rule, path: ['tables', table, ...within, 'quality', name], taken };
      });
    const ofColumns = Object.entries(columns).flatMap(([column, { quality: own = {} }]) => placed(column, own));
    return [...placed(null, quality), ...ofColumns];
  });
}

/** Name of a rule within its table. */
export function ruleId(column: string | null, name: string): string {
  return column === null ? name : `${column}.${name}`;
}

/** The operators of a rule with what they compare with. */
export function operatorsOf(rule: DeclaredRule): readonly (readonly [Operator, readonly number[]])[] {
  return OPERATORS.flatMap((operator) => {
    const than = rule[operator];
    return than === undefined ? [] : [[operator, [than].flat()] as const];
  });
}
