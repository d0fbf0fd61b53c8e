import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Environment, sizeBytes } from '@ambit/contract';
import { type Engine, engineBinary, EngineUnavailable, startEngine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import type { Exports } from '@ambit/export';
import { InsecureListen, startServer, TlsInvalid } from '@ambit/server';
import {
  backedEvidence,
  type BoundEnvironment,
  evidenceContract,
  findContracts,
  loadEvidenceProduct,
  loadProducts,
  openEvidenceTables,
  type Product,
  servedSettings,
  tablesFolder,
} from '@ambit/session';

import { stateFolder } from './credentials.ts';
import { environmentOf, explain } from './environment.ts';
import { evidenceFolder, openEvidence, stateOf, version } from './evidence-log.ts';
import { exportsOf } from './exporting.ts';
import { CliError, exitCodes } from './failure.ts';
import { gateProducts } from './reviews/gates.ts';
import { say, type Terminal, writeOut } from './terminal.ts';

interface Options {
  readonly environment?: string | undefined;
  readonly listen?: string | undefined;
  readonly insecure?: true | undefined;
}

/** Serves contracts until the process is told to stop. */
export async function serveContracts(terminal: Terminal, paths: readonly string[], options: Options): Promise<void> {
  const stopped = new Promise<void>((stop) => {
    terminal.onInterrupt(stop);
  });
  const environment = await environmentOf(options.environment);
  // Where somebody serves what Ambit comes with, it is there already.
  const files = (await contractsOf(terminal, paths)).filter((file) => resolve(file) !== evidenceContract);
  const log = evidenceFolder(terminal, environment);
  const [products, evidence] = await checked(async (checker) => {
    const declared = await loadProducts(files, environment, checker);
    return [declared, await loadEvidenceProduct(environment, checker, log)] as const;
  });
  // A worker is shut in with what is there when it starts.
  mkdirSync(tablesFolder(log), { recursive: true, mode: 0o700 });
  const engine = await engineFor(terminal, environment.value, [...products, evidence]);
  try {
    await serve(terminal, { products, evidence, log, engine, environment, options, stopped });
  } finally {
    await engine.close();
  }
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
  const bound = await environmentOf(environment);
  const files = await contractsOf(terminal, paths);
  return checked((engine) => loadProducts(files, bound, engine));
}

interface Serving {
  readonly products: readonly Product[];
  /** The product that every server has, and the folder of the log that it shows. */
  readonly evidence: Product;
  readonly log: string;
  readonly engine: Engine;
  readonly environment: BoundEnvironment;
  readonly options: Options;
  readonly stopped: Promise<void>;
}

async function serve(terminal: Terminal, serving: Serving): Promise<void> {
  const { evidence, log: folder } = serving;
  const log = await openEvidence(terminal, serving.environment);
  say(terminal, `evidence in ${folder}, signed by ${log.key}`);
  let close = async (): Promise<void> => {};
  try {
    const gates = await gateProducts({
      ...serving,
      log,
      openings: stateOf(terminal, serving.environment, undefined, 'break-glass'),
      tell: (line) => line.split('\n').forEach((part) => say(terminal, part)),
    });
    const { products } = gates;
    close = () => gates.close();
    const tables = await openEvidenceTables({
      folder,
      log,
      served: servedSettings([...products, evidence]),
      report: (message) => say(terminal, `server: ${message}`),
    });
    try {
      const all = [...products, backedEvidence(evidence, products, tables)];
      await serveExporting(terminal, serving, all, log);
    } finally {
      await tables.close();
    }
  } finally {
    await close();
    await log.close();
  }
}

async function serveExporting(
  terminal: Terminal,
  serving: Serving,
  products: readonly Product[],
  log: EvidenceLog,
): Promise<void> {
  const { environment, engine, log: folder } = serving;
  const { value } = environment;
  const exported = await exportsOf({
    declared: value.exports,
    folder: environment.folder,
    state: stateOf(terminal, environment, value.exports?.folder, 'exports'),
    log,
    evidence: folder,
    environment: value.name,
    version,
    workers: async () => (await engine.health()).length,
    tell: (message) => say(terminal, `exports: ${message}`),
  });
  try {
    await serveUntilStopped(terminal, serving, products, exported ?? { evidence: log, metricsUrl: null });
  } finally {
    await exported?.close();
  }
}

async function serveUntilStopped(
  terminal: Terminal,
  { engine, environment, options, stopped }: Serving,
  products: readonly Product[],
  { evidence, metricsUrl }: Pick<Exports, 'evidence' | 'metricsUrl'>,
): Promise<void> {
  const { value, folder } = environment;
  const { host, port } = listenOf(options.listen, value);
  const server = await startServer({
    products,
    engine,
    evidence,
    host,
    port,
    tls:
      value.tls === undefined
        ? null
        : { certificate: resolve(folder, value.tls.certificate), key: resolve(folder, value.tls.key) },
    insecure: options.insecure === true,
    keys: stateOf(terminal, environment, value.keys, 'keys.json'),
    issuers: (value.identity?.jwt ?? []).map((issuer) => ({
      ...issuer,
      jwks: issuer.jwks.startsWith('https:') ? issuer.jwks : resolve(folder, issuer.jwks),
    })),
    version,
    log: (message) => say(terminal, `server: ${message}`),
  }).catch(explainListen);
  for (const { boundary, fingerprint, standing } of products) {
    const { name, version: of } = boundary.product;
    // What is not served was told with what it lacks.
    if (standing?.(Date.now()).kind === 'refused') continue;
    say(terminal, `serving ${name} ${of} in ${boundary.environment}, ${fingerprint}`);
  }
  if (metricsUrl !== null) say(terminal, `metrics at ${metricsUrl}`);
  say(terminal, `listening on ${server.url}`);
  await stopped;
  say(terminal, 'stopping: running sessions end first');
  await server.close();
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
    log: () => {},
  });
}

/** The workers. They may read the roots of these products' stores, and nothing else. */
async function engineFor(terminal: Terminal, environment: Environment, products: readonly Product[]): Promise<Engine> {
  mkdirSync(stateFolder(terminal), { recursive: true, mode: 0o700 });
  const { isolation = 'shared', workers = 2, threads = 2, memory = '1GiB', spill = '2GiB' } = environment.engine ?? {};
  return startEngine({
    binary: binary(),
    isolation,
    workers,
    threads,
    memoryBytes: sizeBytes(memory),
    spillBytes: sizeBytes(spill),
    roots: [...new Set(products.flatMap(({ roots }) => Object.values(roots)))],
    log: ({ level, message, worker }) => say(terminal, `worker ${worker}: ${level}: ${message}`),
  });
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
