import type { Implication } from './line.ts';
import { sameText } from './words.ts';

/** Decides what the texts alone show: a row filter implies itself. The engine decides more. */
export const textualImplication: Implication = {
  implies: (_table, stronger, weaker) =>
    Promise.resolve(
      sameText(stronger, weaker)
        ? { answer: 'yes', reason: 'it is the same text' }
        : { answer: 'cannot tell', reason: 'the text differs' },
    ),
};
