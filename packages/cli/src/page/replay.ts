import type { Ended, InputChange, Replayed } from '@ambit/session';

import { bytesText, counted, printable } from '../display.ts';
import { facts, section } from './layout.ts';

/** What a replay found, for people. The verdict is the first word that they read. */
export function replayPage(replayed: Replayed): string {
  const { session, verdict, reason, boundary, grant, clock, recorded, runs, inputs } = replayed;
  const lines = [
    `${verdicts[verdict]}: ${printable(reason)}`,
    '',
    ...facts([
      ['session', printable(session)],
      ['boundary', thenAndNow(boundary)],
      ['grant', thenAndNow(grant)],
      ['clock', clock === 'recorded' ? 'as recorded' : 'the time of its intent: its clock was not recorded yet'],
    ]),
    ...section('Results', facts([['recorded', endText(recorded)], ...runs.map(runLine)])),
    ...section('Inputs that are not what they were', facts(inputs.map(inputLine))),
    ...(runs.length === 0
      ? ['', 'Nothing ran: a replay never runs under another boundary or grant than the recorded.']
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

const verdicts: Readonly<Record<Replayed['verdict'], string>> = {
  same: 'same',
  different: 'different',
  undecided: 'undecided',
  input_gone: 'input gone',
  boundary_gone: 'boundary gone',
  grant_changed: 'grant changed',
};

function thenAndNow({ recorded, now }: Replayed['boundary']): string {
  if (recorded === now) return `${printable(recorded)}, as recorded`;
  return `recorded  ${printable(recorded)}\nnow       ${now === null ? 'none' : printable(now)}`;
}

function runLine({ session, ended }: Replayed['runs'][number]): readonly [string, string] {
  return ['replay', `${endText(ended)}\n${printable(session)}`];
}

function endText({ status, code, rows, bytes, resultDigest }: Ended): string {
  const end = code === null ? status : `${status} [${printable(code)}]`;
  const delivered = `${counted(rows, 'row')}, ${bytesText(bytes)}`;
  return resultDigest === null ? end : `${end}, ${delivered}\n${printable(resultDigest)}`;
}

function inputLine({ store, object, change, recorded, now }: InputChange): readonly [string, string] {
  const versions = {
    changed: `another version: ${recorded} then, ${now} now`,
    gone: `gone: it was version ${recorded}`,
    'not opened': `the replay did not open it: it was version ${recorded}`,
    new: `new: version ${now}`,
  } as const;
  return [printable(`${object} of store ${store}`), printable(versions[change])];
}
