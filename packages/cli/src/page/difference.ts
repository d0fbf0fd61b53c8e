import type { Difference, Effect, Line } from '@ambit/contract';

import { printable } from '../display.ts';

/** What the two sides were called when they were asked for. */
export interface Called {
  readonly from: string;
  readonly to: string;
}

/** Effects in the order in which they are told, with what each means. */
export const effects: readonly (readonly [Effect, string])[] = [
  ['widens', 'someone may see or do more, or nobody can tell'],
  ['changes', 'neither more nor less, and not the same'],
  ['narrows', 'nobody sees more, someone may see less'],
];

const COLOURS: Readonly<Record<Effect, string>> = { widens: '31', changes: '33', narrows: '32' };

/** A difference, for people at a terminal: what widens first. */
export function differencePage(found: Difference, called: Called, colours: boolean): string {
  const painted = (text: string, code: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const groups = effects.flatMap(([effect, means]) => {
    const lines = found.lines.filter((line) => line.effect === effect);
    if (lines.length === 0) return [];
    const heading = `${effect} (${lines.length}): ${means}`;
    return [
      '',
      painted(heading, `1;${COLOURS[effect]}`),
      ...lines.flatMap((line) => lineText(line, painted, COLOURS[effect])),
    ];
  });
  const nothing = found.lines.length === 0 ? ['', 'nothing differs'] : [];
  return `${[...sides(found, called), ...groups, ...nothing].join('\n')}\n`;
}

/** Both sides, with their fingerprints. */
function sides({ product, before, after }: Difference, { from, to }: Called): readonly string[] {
  const side = (word: string, name: string, is: Difference['after'] | null): string =>
    is === null
      ? `  ${word}  nothing`
      : `  ${word}  ${printable(name)}: ${printable(is.version)} in ${printable(is.environment)}, ${is.fingerprint}`;
  return [printable(product), side('from', from, before), side('to  ', to, after)];
}

function lineText(line: Line, painted: (text: string, code: string) => string, colour: string): readonly string[] {
  const [was, is] = apart(line);
  return [
    `  ${painted(printable(headline(line)), colour)}`,
    `    ${printable(line.reason)}`,
    ...was.map((text) => `    - ${printable(text)}`),
    ...is.map((text) => `    + ${printable(text)}`),
  ];
}

/** What happened to what. */
export function headline({ subject, before, after }: Line): string {
  if (before === null && after !== null) return `${subject}: added`;
  return after === null && before !== null ? `${subject}: removed` : `${subject}: changed`;
}

/** The lines of what was and of what is that differ, without those that both begin and end with, nor a name told already. */
export function apart({ subject, before, after }: Line): readonly [readonly string[], readonly string[]] {
  const split = (text: string | null): readonly string[] =>
    text === null || text === '' || subject.includes(`\`${text}\``) ? [] : text.trimEnd().split('\n');
  const [was, is] = [split(before), split(after)];
  const least = Math.min(was.length, is.length);
  let start = 0;
  while (start < least && was[start] === is[start]) start += 1;
  let end = 0;
  while (end < least - start && was.at(-1 - end) === is.at(-1 - end)) end += 1;
  return [was.slice(start, was.length - end), is.slice(start, is.length - end)];
}
