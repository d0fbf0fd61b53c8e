import type { Difference, Line } from '@ambit/contract';

import { printable } from '../display.ts';
import { apart, type Called, effects, headline } from './difference.ts';

/** A difference as a comment on a pull request. */
export function differenceMarkdown(found: Difference, { from, to }: Called): string {
  const { product, before, after, lines } = found;
  const side = (name: string, is: Difference['after'] | null): string =>
    is === null
      ? 'nothing'
      : `${code(name)} (${escaped(is.version)} in ${escaped(is.environment)}, ${code(is.fingerprint)})`;
  const groups = effects.flatMap(([effect, means]) => {
    const told = lines.filter((line) => line.effect === effect);
    return told.length === 0 ? [] : ['', `#### ${effect}: ${means}`, '', ...told.flatMap(lineItem)];
  });
  const counts = effects.map(([effect]) => `${lines.filter((line) => line.effect === effect).length} ${effect}`);
  const heading = `### ${code(product)}: ${lines.length === 0 ? 'nothing differs' : counts.join(', ')}`;
  return `${[heading, '', `From ${side(from, before)} to ${side(to, after)}.`, ...groups].join('\n')}\n`;
}

function lineItem(line: Line): readonly string[] {
  const [was, is] = apart(line);
  const texts = [...was.map((text) => `- ${printable(text)}`), ...is.map((text) => `+ ${printable(text)}`)];
  // No text can end the block that it stands in.
  const fence = '`'.repeat(
    Math.max(3, ...texts.flatMap((text) => [...text.matchAll(/`+/g)].map(([run]) => run.length + 1))),
  );
  const block = texts.length === 0 ? [] : ['', ...[`${fence}diff`, ...texts, fence].map((text) => `  ${text}`), ''];
  return [`- **${escaped(headline(line))}**: ${escaped(line.reason)}`, ...block];
}

/** Names in backticks stay code; nothing else can become markup, a link or a mention. */
function escaped(text: string): string {
  const parts = printable(text).split('`');
  const even = parts.length % 2 === 1;
  return parts
    .map((part, at) =>
      even && at % 2 === 1 ? code(part) : part.replaceAll(/[\\*_[\]<>#|~&@!]/g, (sign) => `&#${sign.codePointAt(0)};`),
    )
    .join(even ? '' : '&#96;');
}

function code(text: string): string {
  return `\`${printable(text).replaceAll('`', '′')}\``;
}
