import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Environment, formatProblem, sizeBytes } from '@ambit/contract';
import { type Engine, engineBinary, type EngineConfig, EngineUnavailable, startEngine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import type { Exports } from '@ambit/export';
import { InsecureListen, type ServerOptions, startServer, TlsInvalid } from '@ambit/server';
import {
  backedEvidence,
  type BoundEnvironment,
  evidenceContract,
  type EvidenceTables,
  findContracts,
  loadEvidenceProduct,
  loadProducts,
  openEvidenceTables,
  type Product,
  servedSettings,
  tablesFolder,
  endpointsOf,
  unusedBindings,
} from '@ambit/session';

import { stateFolder } from './credentials.ts';
import { environmentOf, explain } from './environment.ts';
import { evidenceFolder, openEvidence, stateOf, version } from './evidence-log.ts';
import { exportsOf } from './exporting.ts';
import { CliError, exitCodes } from './failure.ts';
import { Gates } from './reviews/gates.ts';
import { Fleet } from './fleet.ts';
import { watchData } from './data-watch.ts';
import { type Loaded, Reloader, type Reloading } from './reload.ts';
import { say, type Terminal, writeOut } from './terminal.ts';
import { look, watch } from './watch.ts';

interface Options {
  readonly environment?: string | undefined;
  readonly listen?: string | undefined;
  readonly insecure?: true | undefined;
}

/** Serves contracts until the process is told to stop. */
export async function serveContracts(terminal: Terminal, paths: readonly string[], options: Options): Promise<void> {
  const stopped = new Promise<void>((stop) => {
    terminal.onInterrupt(() => stop());
  });
  const since = Date.now();
  const load = (): Promise<Loaded> => loadAll(terminal, paths, options.environment);
  const loaded = await load();
  tellNotes(terminal, loaded.environment, loaded.products);
  // A worker is shut in with what is there when it starts.
  mkdirSync(tablesFolder(evidenceFolder(terminal, loaded.environment)), { recursive: true, mode: 0o700 });
  mkdirSync(stateFolder(terminal), { recursive: true, mode: 0o700 });
  const fleet = await Fleet.start(workersOf(terminal, loaded));
  try {
    await serve(terminal, { paths, since, load, loaded, fleet, options, stopped });
  } finally {
    await fleet.close();
  }
}

/** Everything that is served, read and checked. Throws what is wrong with it. */
async function loadAll(terminal: Terminal, paths: readonly string[], named: string | undefined): Promise<Loaded> {
  const environment = await environmentOf(named, paths);
  // Where somebody serves what Ambit comes with, it is there already.
  const files = (await contractsOf(terminal, paths)).filter((file) => resolve(file) !== evidenceContract);
  return checked(async (checker) => {
    const products = await loadProducts(files, environment, checker);
    const evidence = await loadEvidenceProduct(environment, checker, evidenceFolder(terminal, environment));
    return { environment, products, evidence };
  });
}

/** Says which products contracts declare, or all that is wrong with them. */
export async function validateContracts(terminal: Terminal, paths: readonly string[], options: Options): Promise<void> {
  for (const { file, boundary, fingerprint } of await loadContracts(terminal, paths, options.environment)) {
    await writeOut(terminal, `${file}: ${boundary.product.name} ${boundary.product.version} ${fingerprint}\n`);
  }
}

/** The products of some contracts, checked whole. Throws what is wrong with them, in words. */
export async function loadContracts(
  terminal: Terminal,
  paths: readonly string[],
  environment: string | undefined,
): Promise<readonly Product[]> {
  const bound = await environmentOf(environment, paths);
  const files = await contractsOf(terminal, paths);
  const products = await checked((engine) => loadProducts(files, bound, engine));
  tellNotes(terminal, bound, products);
  return products;
}

/** Says what an owner wrote and the environment overrules. */
function tellNotes(terminal: Terminal, environment: BoundEnvironment, products: readonly Product[]): void {
  const notes = [...products.flatMap((product) => product.notes), ...unusedBindings(environment, products)];
  for (const note of notes) say(terminal, `note: ${formatProblem(note)}`);
}

interface Serving {
  readonly paths: readonly string[];
  /** When its files were read, in milliseconds since 1970. */
  readonly since: number;
  readonly load: () => Promise<Loaded>;
  readonly loaded: Loaded;
  readonly fleet: Fleet;
  readonly options: Options;
  readonly stopped: Promise<void>;
}

async function serve(terminal: Terminal, serving: Serving): Promise<void> {
  const { environment, evidence } = serving.loaded;
  const folder = evidenceFolder(terminal, environment);
  const log = await openEvidence(terminal, environment);
  say(terminal, `evidence in ${folder}, signed by ${log.key}`);
  const gates = new Gates({
    log,
    engine: () => serving.fleet.engine,
    openings: stateOf(terminal, environment, undefined, 'break-glass'),
    tell: (line) => say(terminal, line),
  });
  try {
    const loaded = await gates.before(serving.loaded);
    const gated = { ...serving, loaded, gates, load: async () => gates.before(await serving.load()) };
    const tables = await openEvidenceTables({
      folder,
      log,
      served: servedSettings([...loaded.products, evidence]),
      report: (message) => say(terminal, `server: ${message}`),
      replaced: () => serving.fleet.engine.renew(),
    });
    try {
      await serveExporting(terminal, gated, tables, log);
    } finally {
      await tables.close();
    }
  } finally {
    await gates.close();
    await log.close();
  }
}

/** What is served stands behind gates. */
interface Gated extends Serving {
  readonly gates: Gates;
}

async function serveExporting(
  terminal: Terminal,
  serving: Gated,
  tables: EvidenceTables,
  log: EvidenceLog,
): Promise<void> {
  const { fleet, loaded } = serving;
  const { environment } = loaded;
  const { value } = environment;
  const exported = await exportsOf({
    declared: value.exports,
    folder: environment.folder,
    state: stateOf(terminal, environment, value.exports?.folder, 'exports'),
    log,
    evidence: evidenceFolder(terminal, environment),
    environment: value.name,
    version,
    workers: async () => (await fleet.engine.health()).length,
    tell: (message) => say(terminal, `exports: ${message}`),
  });
  try {
    serving.gates.recordTo(exported?.evidence ?? log);
    serving.gates.take(loaded.products);
    await serveUntilStopped(terminal, serving, tables, exported ?? { evidence: log, metricsUrl: null });
  } finally {
    // What they record last is exported too.
    await serving.gates.close();
    await exported?.close();
  }
}

async function serveUntilStopped(
  terminal: Terminal,
  serving: Gated,
  tables: EvidenceTables,
  { evidence, metricsUrl }: Pick<Exports, 'evidence' | 'metricsUrl'>,
): Promise<void> {
  const { loaded, fleet, options, stopped } = serving;
  const { environment } = loaded;
  const { value, folder } = environment;
  const { host, port } = listenOf(options.listen, value);
  const data = watchData(terminal, fleet, evidence);
  await data.look(loaded.products);
  const offered = (one: Loaded) => [...one.products, backedEvidence(one.evidence, one.products, tables)];
  const server = await startServer({
    products: offered(loaded),
    engine: fleet.engine,
    evidence,
    drifts: data.drifts,
    host,
    port,
    tls:
      value.tls === undefined
        ? null
        : { certificate: resolve(folder, value.tls.certificate), key: resolve(folder, value.tls.key) },
    insecure: options.insecure === true,
    keys: stateOf(terminal, environment, value.keys, 'keys.json'),
    issuers: issuersOf(environment),
    version,
    log: (message) => say(terminal, `server: ${message}`),
  }).catch(explainListen);
  const ended = new AbortController();
  data.every(value, () => server.served.now.products);
  const applied = (one: Loaded): void => {
    void data.look(one.products);
    data.every(one.environment.value, () => server.served.now.products);
    serving.gates.take(one.products);
    tellNotes(terminal, one.environment, one.products);
    tables
      .serve(servedSettings([...one.products, one.evidence]))
      .catch((error: Error) => say(terminal, `server: served settings are those of before: ${error.message}`));
  };
  const reloading = {
    ...serving,
    terminal,
    listen: options.listen,
    issuersOf,
    offered,
    server,
    log: evidence,
    applied,
  };
  const watching = reloadUntil(ended.signal, serving, {
    ...reloading,
    workersFor: (one) => workersOf(terminal, one),
  });
  tellServed(terminal, offered(loaded));
  if (metricsUrl !== null) say(terminal, `metrics at ${metricsUrl}`);
  say(terminal, `listening on ${server.url}`);
  await stopped;
  say(terminal, 'stopping: running sessions end first');
  ended.abort();
  await watching;
  await data.close();
  await server.close();
}

function tellServed(terminal: Terminal, products: readonly Product[]): void {
  for (const { boundary, fingerprint, standing } of products) {
    const { name, version: of } = boundary.product;
    // What is not served was told with what it lacks.
    if (standing?.(Date.now()).kind === 'refused') continue;
    say(terminal, `serving ${name} ${of} in ${boundary.environment}, ${fingerprint}`);
  }
}

/** Serves what files say whenever they change, or somebody asks. Ends when it is told to. */
async function reloadUntil(
  ended: AbortSignal,
  { paths, since, gates }: Pick<Gated, 'paths' | 'since' | 'gates'>,
  reloading: Reloading,
): Promise<void> {
  const reloader = new Reloader(reloading);
  gates.onApproved(() => void reloader.reload('files'));
  const unheard = reloading.terminal.onHangup(() => void reloader.reload('signal'));
  const looking = () => look(paths.length === 0 ? ['.'] : paths, reloader.files());
  try {
    await watch(looking, since, (same) => reloader.reload('files', same), ended);
  } finally {
    unheard();
    await reloader.close();
  }
}

function issuersOf({ value, folder }: BoundEnvironment): ServerOptions['issuers'] {
  return (value.identity?.jwt ?? []).map((issuer) => ({
    ...issuer,
    jwks: issuer.jwks.startsWith('https:') ? issuer.jwks : resolve(folder, issuer.jwks),
  }));
}

function explainListen(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof InsecureListen) {
    throw new CliError(
      exitCodes.usage,
      message,
      'give the environment `tls`, or add --insecure if something in front provides it',
    );
  }
  if (error instanceof TlsInvalid) throw new CliError(exitCodes.failed, message, 'see `tls` of the environment');
  if (code === 'EADDRINUSE')
    throw new CliError(
      exitCodes.failed,
      'something listens there already',
      'stop it, or choose another address with --listen HOST:PORT',
    );
  throw error as Error;
}

function listenOf(
  listen: string | undefined,
  environment: Environment,
): { readonly host: string; readonly port: number } {
  const declared = { host: environment.listen?.host ?? '127.0.0.1', port: environment.listen?.port ?? 7070 };
  if (listen === undefined) return declared;
  const [, host, port] = /^(?:(.*):)?([0-9]{1,5})$/.exec(listen) ?? [];
  if (port === undefined) throw new CliError(exitCodes.usage, `\`${listen}\` is no address`, 'such as 127.0.0.1:7070');
  return { host: host || declared.host, port: Number(port) };
}

/** The files of contracts among paths. Throws `CliError` where there is none. */
export async function contractsOf(terminal: Terminal, paths: readonly string[]): Promise<readonly string[]> {
  const files = await findContracts(paths.length === 0 ? ['.'] : paths).catch((cause: unknown) => {
    throw new CliError(exitCodes.usage, (cause as Error).message, 'name a contract, or a folder that holds some', {
      cause,
    });
  });
  if (files.length > 0) return files;
  const where = paths.length === 0 ? terminal.cwd : paths.join(', ');
  throw new CliError(
    exitCodes.usage,
    `there is no contract in ${where}`,
    'a contract is a YAML file whose kind is DataProduct',
  );
}

/** What is loaded of contracts. They are checked by a worker of its own, which may read nothing. */
export async function checked<T>(load: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await startChecker();
  try {
    return await load(engine).catch(explain);
  } finally {
    await engine.close();
  }
}

function startChecker(): Promise<Engine> {
  return startEngine({
    binary: binary(),
    isolation: 'shared',
    workers: 1,
    threads: 1,
    memoryBytes: 256 * 1024 ** 2,
    spillBytes: 0,
    roots: [],
    endpoints: [],
    log: () => {},
  });
}

/** The workers. They may read the roots of these products' stores, and nothing else. */
export async function engineFor(
  terminal: Terminal,
  environment: BoundEnvironment,
  products: readonly Product[],
): Promise<Engine> {
  mkdirSync(stateFolder(terminal), { recursive: true, mode: 0o700 });
  return startEngine(workersFor(terminal, environment, products));
}

function workersOf(terminal: Terminal, { environment, products, evidence }: Loaded): EngineConfig {
  return workersFor(terminal, environment, [...products, evidence]);
}

function workersFor(terminal: Terminal, { value }: BoundEnvironment, products: readonly Product[]): EngineConfig {
  const { isolation = 'shared', workers = 2, threads = 2, memory = '1GiB', spill = '2GiB' } = value.engine ?? {};
  const roots = products.flatMap((product) => Object.values(product.roots));
  return {
    binary: binary(),
    isolation,
    workers,
    threads,
    memoryBytes: sizeBytes(memory),
    spillBytes: sizeBytes(spill),
    roots: [...new Set(roots)].toSorted(),
    endpoints: endpointsOf(products),
    log: ({ level, message, worker }) => say(terminal, `worker ${worker}: ${level}: ${message}`),
  };
}

function binary(): string {
  try {
    return engineBinary();
  } catch (error) {
    if (error instanceof EngineUnavailable)
      throw new CliError(exitCodes.failed, error.message, 'run `npm run build` in the checkout');
    throw error;
  }
}
