// The results as text.

const width = 58;

/** @param {any} results */
export function report({ assembly, latency, stream, soak, evidence, governing }) {
  return [
    head('assembling a session, p50 / p99 µs', 'Ambit', 'new Python context'),
    ...assembly.map((/** @type {any} */ { tables, ambit, python }) =>
      row(`  ${tables} tables in the boundary`, both(ambit), both(python)),
    ),
    head('a question over HTTP with durable evidence, p50 / p99 µs', 'Ambit', 'raw, same context', 'raw, new context'),
    ...latency.map((/** @type {any} */ { question, ambit, raw }) =>
      row(`  ${question}`, both(ambit), both(raw.warmContext), both(raw.newContext)),
    ),
    ...latency.flatMap((/** @type {any} */ { question, steps }) => shares(question, steps)),
    head('all of a table as an Arrow stream, MB/s', 'Ambit over HTTP', 'raw, to nowhere'),
    row(
      `  ${Math.round(stream.bytes / 1e6)} MB`,
      Math.round(stream.ambitMegabytesPerSecond),
      Math.round(stream.rawMegabytesPerSecond),
    ),
    ...soaked(soak),
    ...recorded(evidence),
    ...governings(governing),
  ].join('\n');
}

/** @param {any} governing */
export function governings({ scale, tpch, flights }) {
  return [...governed(`TPC-H at scale ${scale}`, tpch), ...governed('questions about three million flights', flights)];
}

function shares(
  /** @type {string} */ question,
  /** @type {Record<string, number>} */ { total = Number.NaN, ...steps },
) {
  const share = (/** @type {number} */ value) => `${((value / total) * 100).toFixed(1)} %`;
  return [
    head(`where the time of the ${question} query goes`, 'µs', 'share'),
    ...Object.entries(steps).map(([step, value]) => row(`  ${step}`, value, share(value))),
  ];
}

function soaked(/** @type {any} */ { requests, clients, perSecond, wrong, before, after, evidence }) {
  const mebibytes = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20);
  return [
    head(`${requests} requests from ${clients} clients, ${perSecond} a second`, 'before', 'after'),
    row('  memory of the control plane, MiB', mebibytes(before.controlPlaneBytes), mebibytes(after.controlPlaneBytes)),
    row('  memory of the worker, MiB', mebibytes(before.workerBytes), mebibytes(after.workerBytes)),
    row('  open files and sockets', before.openFiles, after.openFiles),
    row('  temporary files', before.temporaryFiles, after.temporaryFiles),
    row('  answers that were not as they must be', '', wrong),
    row('  sessions without an outcome', '', evidence.withoutOutcome),
    row('  sessions that left memory, spill or tasks', '', evidence.withResidue),
  ];
}

function recorded(/** @type {any} */ { syncMicros, sessions, appends, verify }) {
  return [
    head('sessions a second', 'evidence durable', 'none written', 'share'),
    ...sessions.rates.map((/** @type {any} */ { clients, durable, off, share }) =>
      row(`  ${clients} clients`, durable, off, share.toFixed(2)),
    ),
    row('  bytes of the log a session', sessions.bytesEach),
    row(`  appends a second, ${appends.callers} callers (a sync takes ${syncMicros} µs)`, appends.perSecond),
    row(`  seconds to verify ${verify.records} records`, verify.seconds.toFixed(1)),
  ];
}

/** What results of an older bench do not say. */
const unknown = { mean: Number.NaN, worst: { name: 'not measured', value: Number.NaN } };

function governed(/** @type {string} */ title, /** @type {any} */ { queries, ratios }) {
  const ms = (/** @type {number} */ value) => value.toFixed(1);
  const told = (/** @type {any} */ { mean, worst } = unknown) =>
    `${mean.toFixed(3)} (${worst.name} ${worst.value.toFixed(2)})`;
  if (queries.length === 0) return [];
  const work = (open = Number.NaN, narrow = Number.NaN) => `${open.toFixed(3)}, ${narrow.toFixed(3)}`;
  return [
    head(`${title}, p50 ms`, 'raw', 'view by hand', 'no policies', 'policies', 'their work, beside'),
    ...queries.map((/** @type {any} */ { name, raw, view, open, narrow, openWork, narrowWork }) =>
      row(`  ${name}`, ms(raw), ms(view), ms(open), ms(narrow), work(openWork, narrowWork)),
    ),
    row('  geometric mean beside raw, beside the view (worst)', '', '', told(ratios.open), told(ratios.narrow)),
    row('  the same of planning alone', '', '', told(ratios.openPlan), told(ratios.narrowPlan)),
    row('  the same of processor time', '', '', told(ratios.openWork), told(ratios.narrowWork)),
  ];
}

function both(/** @type {{ p50: number, p99: number }} */ { p50, p99 }) {
  return `${p50} / ${p99}`;
}

function head(/** @type {string} */ title, /** @type {string[]} */ ...cells) {
  return `\n${row(title, ...cells)}`;
}

function row(/** @type {string} */ title, /** @type {(string | number)[]} */ ...cells) {
  return title.padEnd(width) + cells.map((cell) => String(cell).padStart(20)).join('');
}
