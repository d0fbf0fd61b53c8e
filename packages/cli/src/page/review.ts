import type { Counted, Refusal, SignedReplay } from '@ambit/review';
import { NOTHING, short } from '@ambit/review';

import { differenceMarkdown } from './difference-markdown.ts';
import type { Called } from './difference.ts';

import { counted, printable } from '../display.ts';
import type { Reviewed } from '../reviews/reviewed.ts';

/** What is judged, in a line. */
export function titleOf({ product, verdict }: Pick<Reviewed, 'product' | 'verdict'>): string {
  const { name, version } = product.boundary.product;
  const from = verdict.from === NOTHING ? NOTHING : short(verdict.from);
  return `${name} ${version} in ${product.boundary.environment}: ${from} to ${short(product.fingerprint)}, ${verdict.effect}`;
}

/** What waits for whom, for people. */
export function statusPage(all: readonly Reviewed[]): string {
  return all.map((one) => `${statusLines(one).join('\n')}\n`).join('\n');
}

function statusLines(reviewed: Reviewed): readonly string[] {
  const { verdict, required } = reviewed;
  const people = `${verdict.counted.length} of ${verdict.needed}`;
  return [
    titleOf(reviewed),
    verdict.covered
      ? `  approved until ${dayOf(verdict.until)}`
      : `  not approved: ${people} ${required ? '' : '(not required here)'}`.trimEnd(),
    ...verdict.counted.map(
      ({ who, expires, reason }) => `  ${printable(`${who} approved until ${expires}: ${reason}`)}`,
    ),
    ...(verdict.covered ? [] : waiting(reviewed).map((line) => `  ${line}`)),
    ...verdict.refusals.map((refusal) => `  ${printable(refusalText(refusal))}`),
  ];
}

function waiting({ verdict, product, environment }: Reviewed): readonly string[] {
  const left = verdict.needed - verdict.counted.length;
  if (left <= 0 || verdict.open.length === 0) return [];
  return [
    `waits for ${left} of ${verdict.open.join(', ')}:`,
    `  ambit review approve ${product.file} --environment ${environment} --ssh KEY --reason TEXT --expires 90d`,
  ];
}

function refusalText({ code, who, file, message, hint }: Refusal): string {
  const whose = who === null ? '' : `${who}'s review${file === null ? '' : ` ${file}`}: `;
  return `${whose}${message} [${code}]; ${hint}`;
}

function dayOf(until: number | null): string {
  return until === null ? '' : new Date(until).toISOString().replace('.000Z', 'Z');
}

/** What programs read of it. */
export function statusJson({ product, environment, required, verdict }: Reviewed): object {
  const { name, version } = product.boundary.product;
  return {
    product: name,
    version,
    environment: product.boundary.environment,
    environmentFile: environment,
    required,
    from: verdict.from,
    to: product.fingerprint,
    effect: verdict.effect,
    difference: verdict.difference,
    covered: verdict.covered,
    until: verdict.until === null ? null : dayOf(verdict.until),
    needed: verdict.needed,
    approvals: verdict.counted,
    waitsFor: verdict.covered ? [] : verdict.open,
    refusals: verdict.refusals,
  };
}

/** A change of a range of commits. */
export interface Checked extends Reviewed {
  /** `unchanged`: neither the boundary nor its approval is another than before. */
  readonly state: 'unchanged' | 'approved' | 'missing';
  readonly authors: readonly string[];
  /** What it changes for recorded sessions; null: nobody asked. */
  readonly replay: SignedReplay | null;
}

/** What programs read of a change. */
export function checkedJson(checked: Checked): object {
  const { state, authors, replay } = checked;
  return { state, authors, ...statusJson(checked), ...(replay === null ? {} : { replay }) };
}

/** What a range of commits changes beside boundaries. */
export interface CheckSummary {
  /** Products with version and environment. */
  readonly gone: readonly string[];
  /** Environments that served only what owners approved, and do not any more. */
  readonly unguarded: readonly string[];
  readonly notes: readonly string[];
}

/** A summary for an owner, in Markdown. */
export function checkMarkdown(all: readonly Checked[], { gone, unguarded, notes }: CheckSummary): string {
  const touched = all.filter(({ state }) => state !== 'unchanged');
  const missing = touched.filter(({ state }) => state === 'missing').length;
  const lines = ['## Owner review', ''];
  if (touched.length === 0 && gone.length + unguarded.length === 0)
    lines.push('No boundary changes that an owner has to approve.');
  else if (missing === 0) lines.push(`${touched.length} changed, all approved.`);
  else lines.push(`${touched.length} changed, **${missing} not approved**.`);
  if (touched.length > 0) {
    lines.push('', '| product | environment | effect | people | state |', '|---|---|---|---|---|');
    for (const { product, verdict, state } of touched) {
      const { name, version } = product.boundary.product;
      const cells = [
        `${name} ${version}`,
        product.boundary.environment,
        verdict.effect,
        `${verdict.counted.length} of ${verdict.needed}`,
        state,
      ];
      lines.push(`| ${cells.map(marked).join(' | ')} |`);
    }
  }
  for (const one of touched) lines.push('', ...checkedLines(one));
  for (const name of unguarded)
    lines.push('', `- **${marked(name)} no longer serves only what owners approved**: nobody would have to.`);
  for (const name of gone) lines.push('', `- ${marked(name)} is no longer declared, or no longer reviewed.`);
  for (const note of notes) lines.push('', `- ${marked(note)}`);
  return `${lines.join('\n')}\n`;
}

/** What both sides are called. */
export function calledOf({ product, verdict }: Pick<Reviewed, 'product' | 'verdict'>): Called {
  const { environment } = product.boundary;
  return { from: verdict.from === NOTHING ? NOTHING : `approved for ${environment}`, to: 'this' };
}

function checkedLines(checked: Checked): readonly string[] {
  const { verdict, authors, replay } = checked;
  return [
    `### ${marked(titleOf(checked))}`,
    '',
    differenceMarkdown(verdict.difference, calledOf(checked)),
    ...(authors.length === 0 ? [] : [`- written by ${marked(authors.join(', '))}`]),
    ...verdict.counted.map(approvalLine),
    ...verdict.refusals.map((refusal) => `- ${marked(refusalText({ ...refusal, file: null }))}`),
    ...(verdict.covered ? [] : waiting(checked).map((line) => `- ${marked(line.trim())}`)),
    ...(replay === null ? [] : replayLines(replay)),
  ];
}

/** Who approved, and what they had run before they did. */
function approvalLine({ who, expires, reason, tests, replay }: Counted): string {
  const ran = [
    ...(tests === undefined ? [] : [`${counted(tests.passed, 'policy test')} passed`]),
    ...(replay === undefined ? [] : [`of ${counted(replay.sessions, 'recorded request')} ${gainText(replay)}`]),
  ];
  const said = ran.length === 0 ? '' : ` (${ran.join('; ')})`;
  return `- approved by **${marked(who)}** until ${expires}${said}: ${marked(reason)}`;
}

function gainText({ gain, lose, effects }: SignedReplay): string {
  return `${gain} gain, ${lose} lose, ${effects.mixed} see otherwise, ${effects.same} see the same`;
}

const replayed: Readonly<Record<SignedReplay['who'][number]['effect'], string>> = {
  more: 'would see more',
  less: 'would see less',
  mixed: 'would see more and less, or otherwise',
  refused: 'would be refused',
  opened: 'were refused and would be let in',
};

/** What it changes for recorded sessions, by roles and purpose. */
function replayLines(replay: SignedReplay): readonly string[] {
  const { sessions, who } = replay;
  const told = `${counted(sessions, 'recorded request')} against it: ${gainText(replay)}.`;
  if (who.length === 0) return ['', told];
  return [
    '',
    told,
    '',
    '| roles | purpose | requests | subjects | |',
    '|---|---|---|---|---|',
    ...who.map((one) => {
      const roles = one.roles.length === 0 ? 'none' : one.roles.join(', ');
      return `| ${[roles, one.purpose, String(one.sessions), String(one.subjects), replayed[one.effect]].map(marked).join(' | ')} |`;
    }),
  ];
}

/** Text that says in Markdown what it says, and nothing else. */
function marked(text: string): string {
  return printable(text).replace(/[\\`*_[\]<>|#~]/g, (character) => `\\${character}`);
}
