import type { Difference, Line } from '@ambit/contract';
import { describe, expect, test } from 'vitest';

import { differenceMarkdown } from '../src/page/difference-markdown.ts';
import { differencePage } from '../src/page/difference.ts';

const side = { fingerprint: `sha256:${'a'.repeat(64)}`, version: '1.0.0', environment: 'test' };

function differing(...lines: readonly Partial<Line>[]): Difference {
  const line: Line = { path: '/x', subject: 'thing', before: null, after: null, effect: 'changes', reason: 'why' };
  const all = lines.map((one) => ({ ...line, ...one }));
  return {
    format: 'ambit/difference/v1',
    product: 'flights',
    before: side,
    after: side,
    effect: all[0]?.effect ?? 'same',
    lines: all,
  };
}

const called = { from: 'main', to: './' };
const removed: Partial<Line> = {
  effect: 'widens',
  subject: 'row filter `own-state` of table `flights`',
  before: "state = 'CA'",
  reason: 'everyone for whom it held sees all rows of `flights`',
};

describe('a difference', () => {
  test('tells what widens first, what it was, and why', () => {
    const narrows: Partial<Line> = { effect: 'narrows', before: 'a\nb\nc\nd', after: 'a\nx\nd' };
    expect(differencePage(differing(removed, narrows), called, false)).toBe(
      [
        'flights',
        `  from  main: 1.0.0 in test, ${side.fingerprint}`,
        `  to    ./: 1.0.0 in test, ${side.fingerprint}`,
        '',
        'widens (1): someone may see or do more, or nobody can tell',
        '  row filter `own-state` of table `flights`: removed',
        '    everyone for whom it held sees all rows of `flights`',
        "    - state = 'CA'",
        '',
        'narrows (1): nobody sees more, someone may see less',
        '  thing: changed',
        '    why',
        '    - b',
        '    - c',
        '    + x',
        '',
      ].join('\n'),
    );
    expect(differencePage(differing(), called, true)).toContain('nothing differs');
  });

  test('has colours for who watches, and nothing that a contract says can make its own', () => {
    expect(differencePage(differing(removed), called, true)).toContain('\u001b[31mrow filter');
    const told = differencePage(
      differing({ ...removed, before: '\u001b[2Jgone', reason: 'a\u001b[8m' }),
      called,
      false,
    );
    expect(told).not.toContain('\u001b');
  });

  test('in Markdown holds no markup, link or mention of a contract', () => {
    const text = 'x ````\n# not a heading\n[link](http://example.org) <img src=x> @owner';
    const told = differenceMarkdown(
      differing({ ...removed, subject: `mask \`m\` on \`a|b\`\n<b> @all`, before: text, reason: text }),
      called,
    );
    const [fence = ''] = /`{4,}(?=diff\n)/.exec(told) ?? [];
    expect(fence.length).toBe(5);
    const outside = told
      .split(fence)
      .filter((_, at) => at % 2 === 0)
      .join('');
    for (const sign of ['<b>', '<img', '@all', '@owner', '[link]', '\n# not']) expect(outside).not.toContain(sign);
    expect(told).toContain('### `flights`: 1 widens, 0 changes, 0 narrows');
  });
});
