import type { Results } from './results.ts';

/** Results as JUnit XML, as CI systems read it: a suite a product, times in seconds. */
export function junit(all: readonly Results[]): string {
  const suites = all.map(({ product, version, environment, tests, failed }) => {
    const cases = tests.map(({ name, file, line, complaints, millis }) => {
      const attributes = `name="${escaped(name)}" classname="${escaped(product)}" file="${escaped(file)}" line="${line}" time="${seconds(millis)}"`;
      if (complaints.length === 0) return `    <testcase ${attributes}/>`;
      const [first = ''] = complaints;
      const failure = `<failure message="${escaped(first.split('\n')[0] ?? '')}">${escaped(complaints.join('\n'))}</failure>`;
      return `    <testcase ${attributes}>${failure}</testcase>`;
    });
    const time = seconds(tests.reduce((sum, { millis }) => sum + millis, 0));
    const name = escaped(`${product} ${version} in ${environment}`);
    return [
      `  <testsuite name="${name}" tests="${tests.length}" failures="${failed}" errors="0" time="${time}">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join('\n');
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
