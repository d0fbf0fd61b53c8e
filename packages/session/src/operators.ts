import { type Environment, type Problem, readKeys, signersOf } from '@ambit/contract';
import { type BreakGlass, limits } from '@ambit/review';
import type { BoundEnvironment } from './environment.ts';

/** Whether an environment serves only what owners approved: in production it is always so. */
export function isReviewed({ name, review }: Pick<Environment, 'name' | 'review'>): boolean {
  return name === 'production' || review === 'required';
}

/** Who may open a boundary that no owner approved, and for how long; null: nobody. */
export function breakGlassOf({ breakGlass }: Environment, folder: string): BreakGlass | null {
  if (breakGlass === undefined) return null;
  const { operators, maxHours = limits.breakGlassHours } = breakGlass;
  return { operators: signersOf(operators), maxHours, folder };
}

/** What is wrong with the keys of operators. */
export function operatorProblems({ value, problem }: BoundEnvironment): readonly Problem[] {
  return Object.entries(value.breakGlass?.operators ?? {}).flatMap(([name, text]) =>
    readKeys(text).problems.map(({ message, hint }) => problem(['breakGlass', 'operators', name], message, hint)),
  );
}
