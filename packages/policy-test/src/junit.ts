import type { Results } from './results.ts';

/** What CI systems call a suite: a product, here. */
export interface JunitSuite {
  readonly name: string;
  readonly cases: readonly JunitCase[];
}

export interface JunitCase {
  readonly name: string;
  readonly classname: string;
  readonly file: string;
  /** Null: nobody can say. */
  readonly line: number | null;
  readonly millis: number;
  /** What was not as it should be, or why that cannot be told; null: it passed. */
  readonly ended: { readonly as: 'failure' | 'error'; readonly text: string } | null;
}

/** Results as JUnit XML, as CI systems read it: a suite a product, times in seconds. */
export function junit(all: readonly Results[]): string {
  const suites = all.map(({ product, version, environment, tests }) => ({
    name: `${product} ${version} in ${environment}`,
    cases: tests.map(({ name, file, line, complaints, millis }) => ({
      name,
      classname: product,
      file,
      line,
      millis,
      ended: complaints.length === 0 ? null : ({ as: 'failure', text: complaints.join('\n') } as const),
    })),
  }));
  return junitOf(suites);
}

/** Suites as JUnit XML. */
export function junitOf(suites: readonly JunitSuite[]): string {
  const written = suites.map(({ name, cases }) => {
    const count = (as: 'failure' | 'error'): number => cases.filter(({ ended }) => ended?.as === as).length;
    const time = seconds(cases.reduce((sum, { millis }) => sum + millis, 0));
    return [
      `  <testsuite name="${escaped(name)}" tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" time="${time}">`,
      ...cases.map(caseText),
      '  </testsuite>',
    ].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...written, '</testsuites>', ''].join('\n');
}

function caseText({ name, classname, file, line, millis, ended }: JunitCase): string {
  const place = line === null ? '' : ` line="${line}"`;
  const attributes = `name="${escaped(name)}" classname="${escaped(classname)}" file="${escaped(file)}"${place} time="${seconds(millis)}"`;
  if (ended === null) return `    <testcase ${attributes}/>`;
  const { as, text } = ended;
  const [first = ''] = text.split('\n');
  return `    <testcase ${attributes}><${as} message="${escaped(first)}">${escaped(text)}</${as}></testcase>`;
}

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(3);
}

/** XML has no way to write most control characters. */
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
