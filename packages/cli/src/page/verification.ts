import type { ReceiptVerdict, Verification } from '@ambit/evidence';

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** What a verifier found, for people. */
export function verificationPage(folder: string, found: Verification): string {
  const { log, segments, records, pruned, keys, trusted, signed, unsigned, tornBytes, open, witnessed, problems } =
    found;
  const lines = [
    `${problems.length === 0 ? 'intact' : 'NOT INTACT'}: ${folder}`,
    `  log        ${log ?? 'unknown'}`,
    `  records    ${count(records, 'record')} in ${count(segments, 'segment')}, ${signed} under the last checkpoint`,
    ...(pruned > 0 ? [`  removed    ${count(pruned, 'record')} for their age; their tree is here`] : []),
    ...(unsigned > 0
      ? [`  unsigned   ${count(unsigned, 'record')} after the last checkpoint: the server runs, or was killed`]
      : []),
    ...(tornBytes > 0 ? [`  torn       ${count(tornBytes, 'byte')} after the last record: never acknowledged`] : []),
    ...(open > 0 ? [`  open       ${count(open, 'session')} without an outcome`] : []),
    ...keys.map((key, at) => `  ${at === 0 ? 'signed by ' : 'then by   '} ${key}`),
    `  trust      ${trusted ? 'the key that you gave' : 'no key was given: whole, but nobody says whose. Compare the key, or give --key'}`,
    ...witnessed.map(({ name, size, at }) => `  cosigned   ${count(size, 'record')} by ${name} at ${at}`),
    ...problems.map(({ kind, segment, offset, reason }) => {
      const place = segment === null ? '' : ` in segment ${segment}${offset === null ? '' : `, byte ${offset}`}`;
      return `  ${kind}${place}: ${reason}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** What a receipt proves, for people. */
export function receiptPage(said: {
  readonly session: string;
  readonly size: number;
  readonly entries: Extract<ReceiptVerdict, { holds: true }>['entries'];
  readonly trusted: boolean;
  readonly witnesses: readonly string[];
  readonly log: Verification | null;
}): string {
  const { session, size, entries, trusted, witnesses, log } = said;
  const lines = [
    `the receipt holds: session ${session} is in the log`,
    ...entries.map(({ seq, type, digest }) => `  record ${seq}  ${type}  ${digest}`),
    `  under a checkpoint of ${size} records, ${trusted ? 'signed by the key that you gave' : "signed by the receipt's own key: compare it, or give --key"}`,
    ...witnesses.map((name) => `  cosigned by ${name}`),
  ];
  if (log?.problems.length === 0)
    lines.push(`  the log of today, of ${log.records + log.pruned} records, begins with it`);
  for (const { kind, reason } of log?.problems ?? []) lines.push(`  the log: ${kind}: ${reason}`);
  return `${lines.join('\n')}\n`;
}
