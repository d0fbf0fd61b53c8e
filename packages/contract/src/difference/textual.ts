import type { Implication, Implied } from './line.ts';
import { sameText } from './words.ts';

/** Decides what the texts alone show: a row filter implies itself, a mask shows what it shows. The engine decides more. */
export const textualImplication: Implication = {
  implies: (_around, stronger, weaker) => Promise.resolve(compared(stronger, weaker)),
  coarsens: (_around, _column, before, after) => Promise.resolve(compared(before, after)),
};

function compared(one: string, other: string): Implied {
  if (sameText(one, other)) return { answer: 'yes', reason: 'it is the same text' };
  return { answer: 'cannot tell', reason: 'the text differs' };
}
