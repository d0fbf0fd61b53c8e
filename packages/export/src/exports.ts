import { type EvidenceLog, type LogPlace, logEnd, readAfter } from '@ambit/evidence';
import type { ExportsConfig } from './config.ts';
import { type LineageCounts, LineageExporter } from './openlineage/exporter.ts';
import { type Observed, tapped } from './tap.ts';
import { originOf } from './telemetry/origin.ts';
import { type MetricsEndpoint, serveMetrics } from './telemetry/prometheus.ts';
import { startTelemetry, type Telemetry } from './telemetry/telemetry.ts';

export interface ExportsOptions {
  readonly config: ExportsConfig;
  /** The log, open, with nothing being appended to it. */
  readonly log: EvidenceLog;
  /** Its folder. */
  readonly evidence: string;
  /** Name of the environment. */
  readonly environment: string;
  /** Version of Ambit. */
  readonly version: string;
  /** Engine workers that answer. */
  readonly workers: () => Promise<number>;
  /** For the operator. What it is told holds no secret and nothing of a consumer's. */
  readonly tell: (message: string) => void;
}

/** Exports that run. */
export interface Exports {
  /** The log to append to from now on: what it takes is exported. */
  readonly evidence: EvidenceLog;
  /** Where metrics are served, if they are. */
  readonly metricsUrl: string | null;
  /** Delivers what there is, for a few seconds at most. Before the log is closed. */
  close(): Promise<void>;
}

/** Starts what is declared. Asks no receiver: one that is down keeps nothing from starting. Throws `ExportsInvalid`. */
export async function startExports(options: ExportsOptions): Promise<Exports> {
  const { config, log, evidence, environment, version, workers, tell } = options;
  let lineage: LineageExporter | null = null;
  const telemetry = await startTelemetry({
    otlp: config.otlp,
    log,
    origin: originOf(environment, version),
    gauges: { workers: () => workers().catch(() => 0), lineage: (): LineageCounts | null => lineage?.counts() ?? null },
    tell,
  });
  let prometheus: MetricsEndpoint | null = null;
  try {
    if (config.prometheus !== null) prometheus = await serveMetrics(config.prometheus, telemetry.metrics);
    const observe = quietly((observed: Observed) => telemetry.observe(observed), tell);
    for (const record of await bootRecords(evidence, log.boot)) await observe(record);
    if (config.openlineage !== null) {
      const { folder, openlineage: to } = config;
      lineage = await LineageExporter.start({ to, log, evidence, folder, version, tell });
    }
    return {
      evidence: tapped(log, (observed) => {
        lineage?.durable(observed.record.seq);
        void observe(observed);
      }),
      metricsUrl: prometheus?.url ?? null,
      close: () => closeAll(telemetry, lineage, prometheus),
    };
  } catch (error) {
    await closeAll(telemetry, null, prometheus);
    throw error;
  }
}

async function closeAll(
  telemetry: Telemetry,
  lineage: LineageExporter | null,
  prometheus: MetricsEndpoint | null,
): Promise<void> {
  // What was appended last is told on the next turn.
  await new Promise((turn) => setImmediate(turn));
  await Promise.all([telemetry.close(), lineage?.close(), prometheus?.close()]);
}

/** A fault of an export is told once, and is nobody else's. */
function quietly(observe: (observed: Observed) => Promise<void>, tell: (message: string) => void) {
  let told = false;
  return (observed: Observed): Promise<void> =>
    observe(observed).catch((error: unknown) => {
      if (!told) tell(`telemetry: a record could not be exported: ${(error as Error).message}`);
      told = true;
    });
}

/** What opening the log wrote: that it was opened, and outcomes of sessions that a process before left. */
async function bootRecords(folder: string, boot: string): Promise<readonly Observed[]> {
  const { from, seq } = await logEnd(folder);
  const observed: Observed[] = [];
  for (let place: LogPlace = from; place.seq <= seq; ) {
    const { records, next } = await readAfter(folder, place, { upTo: seq, recordsMax: 1_024 });
    if (next.seq === place.seq) break;
    for (const record of records.filter((one) => one.boot === boot))
      observed.push({ record, askedAt: Date.parse(record.at), durableAt: Date.parse(record.at) });
    place = next;
  }
  return observed;
}
