import { relative, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { formatProblem, type Problem } from '@ambit/contract';
import type { EngineConfig } from '@ambit/engine';
import type { EvidenceLog, Json, ReloadApplied } from '@ambit/evidence';
import type { Server, ServerOptions } from '@ambit/server';
import { type BoundEnvironment, ContractsInvalid, isServed, type Product } from '@ambit/session';

import { CliError } from './failure.ts';
import type { Fleet } from './fleet.ts';
import { limits } from './limits.ts';
import { fixedProblems } from './restart.ts';
import { say, type Terminal } from './terminal.ts';

/** What files say, all of it right. */
export interface Loaded {
  readonly environment: BoundEnvironment;
  readonly products: readonly Product[];
  /** The product that every server has. */
  readonly evidence: Product;
}

/** What a reload needs of the server that runs. */
export interface Reloading {
  readonly terminal: Terminal;
  /** Reads all files. Throws what is wrong with them. */
  readonly load: () => Promise<Loaded>;
  /** What is served when it begins. */
  readonly loaded: Loaded;
  /** `--listen`, which is stronger than any file. */
  readonly listen: string | undefined;
  readonly fleet: Fleet;
  readonly workersFor: (loaded: Loaded) => EngineConfig;
  readonly issuersOf: (environment: BoundEnvironment) => ServerOptions['issuers'];
  /** All that is served of what was loaded. */
  readonly offered: (loaded: Loaded) => readonly Product[];
  readonly server: Server;
  readonly log: EvidenceLog;
  /** Told of what is served from now on. */
  readonly applied: (loaded: Loaded) => void;
}

type Cause = ReloadApplied['cause'];

/** Serves what files say now, all of it or nothing. One reload at a time. */
export class Reloader {
  readonly #with: Reloading;
  #loaded: Loaded;
  /** Files that the last reload that was refused would have read. */
  #wanted: readonly string[] = [];
  /** Why it was refused. */
  #told = '';
  #last: Promise<void> = Promise.resolve();
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(reloading: Reloading) {
    this.#with = reloading;
    this.#loaded = reloading.loaded;
  }

  /** Files that what is served is made of, and those that are wanted and wrong. */
  files(): readonly string[] {
    const { environment, products } = this.#loaded;
    return [...environment.files, ...products.flatMap(({ files }) => files), ...this.#wanted];
  }

  /** Resolves when it is done. `same` tells whether the files are still what they were when it began. */
  reload(cause: Cause, same: () => Promise<boolean> = async () => true): Promise<void> {
    this.#last = this.#last.then(() => this.#reload(cause, same)).catch((error: unknown) => this.#refuse(cause, error));
    return this.#last;
  }

  /** Reloads no more. Resolves when none runs. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    clearTimeout(this.#again);
  }

  async #reload(cause: Cause, same: () => Promise<boolean>): Promise<void> {
    clearTimeout(this.#again);
    const { terminal, load, listen, server } = this.#with;
    const next = await load();
    // Half of a checkout is not what anybody wrote: the next look sees all of it.
    if (!(await same())) return;
    const fixed = fixedProblems(this.#loaded.environment, next.environment, listen);
    if (fixed.length > 0) throw new ContractsInvalid(fixed, next.environment.files);
    if (isSame(this.#loaded, next)) {
      if (cause === 'signal' || server.served.refused !== null) say(terminal, 'reload: nothing has changed');
      this.#accept(next);
      server.served.refused = null;
      return;
    }
    await this.#apply(cause, next);
  }

  async #apply(cause: Cause, next: Loaded): Promise<void> {
    const { terminal, fleet, workersFor, issuersOf, offered, server, applied } = this.#with;
    const config = workersFor(next);
    const swap = await server.prepare(issuersOf(next.environment));
    const engine = await fleet.for(config);
    const products = offered(next);
    try {
      await this.#record(cause, next.environment, products);
    } catch (error) {
      if (engine !== fleet.engine) await engine.close();
      throw error;
    }
    const others = engine !== fleet.engine;
    const unused = swap({ products, engine });
    fleet.take(config, engine, unused);
    for (const line of changesOf(this.#loaded.products, next.products)) say(terminal, `reload: ${line}`);
    if (others) say(terminal, 'reload: new sessions have new workers; the old ones end with their sessions');
    this.#accept(next);
    applied(next);
  }

  #accept(next: Loaded): void {
    this.#loaded = next;
    this.#wanted = [];
    this.#told = '';
  }

  /** Durable before a session begins on any of it. */
  async #record(cause: Cause, { value }: BoundEnvironment, products: readonly Product[]): Promise<void> {
    const { log } = this.#with;
    const names = products.map(({ boundary, fingerprint }) => {
      const { name: product, version } = boundary.product;
      return { product, version, fingerprint, boundary };
    });
    await Promise.all(
      names.map(({ boundary, ...name }) =>
        log.ensureBoundary({ ...name, environment: boundary.environment, boundary: boundary as unknown as Json }),
      ),
    );
    const served = names.map(({ product, version, fingerprint }) => ({ product, version, fingerprint }));
    await log.append({ type: 'reload.applied', environment: value.name, cause, products: served });
  }

  async #refuse(cause: Cause, error: unknown): Promise<void> {
    const { terminal, server, log } = this.#with;
    const { problems, files, ofMoment } = this.#problemsOf(error);
    const told = problems.join('\n');
    this.#wanted = files;
    // What is not written in files, no change of a file mends.
    if (ofMoment && !this.#closed) {
      this.#again = setTimeout(() => void this.reload('files'), limits.reloadAgainMs);
      this.#again.unref();
    }
    // Files that are looked at for the first time are no news.
    if (cause === 'files' && told === this.#told && server.served.refused !== null) return;
    this.#told = told;
    server.served.refused = { at: new Date().toISOString(), problems: problems.length };
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    say(terminal, `reload refused: ${count}; what was served before is served still\n${told}`);
    try {
      const environment = this.#loaded.environment.value.name;
      const kept = problems.slice(0, limits.reloadProblemsMax);
      await log.append({ type: 'reload.refused', environment, cause, problems: kept });
    } catch (cause_) {
      say(terminal, `reload: that it was refused is not in the evidence: ${(cause_ as Error).message}`);
    }
  }

  /**
   * In words for the operator and the evidence, with files as they are seen from where the server was started. `ofMoment`: files
   * say nothing wrong, and yet they could not be served, as while the evidence cannot be written.
   */
  #problemsOf(error: unknown): Problems {
    const { cwd } = this.#with.terminal;
    const invalid = [error, (error as Error).cause].find((each) => each instanceof ContractsInvalid);
    if (invalid !== undefined) {
      const short = (problem: Problem): string =>
        formatProblem({ ...problem, file: relative(cwd, resolve(cwd, problem.file)) });
      return { problems: invalid.problems.map(short), files: invalid.files, ofMoment: false };
    }
    const { message } = error as Error;
    const hint = error instanceof CliError && error.hint !== null ? `\n  hint: ${error.hint}` : '';
    const problems = [`${message}${hint}`.replaceAll(`${cwd}/`, '')];
    return { problems, files: [], ofMoment: !(error instanceof CliError) };
  }
}

interface Problems {
  readonly problems: readonly string[];
  readonly files: readonly string[];
  readonly ofMoment: boolean;
}

function isSame(before: Loaded, after: Loaded): boolean {
  const facts = ({ environment, products, evidence }: Loaded): unknown => [
    environment.value,
    environment.folder,
    // Reviews lie beside the file of the contract: in another place there are others.
    [...products, evidence].map(({ file, fingerprint, roots }) => [file, fingerprint, roots]),
  ];
  return isDeepStrictEqual(facts(before), facts(after));
}

/** What is served now that was not, and the other way round. */
function changesOf(before: readonly Product[], after: readonly Product[]): readonly string[] {
  const nameOf = ({ boundary }: Product): string => `${boundary.product.name} ${boundary.product.version}`;
  const come = after.flatMap((product) => {
    const old = before.find((one) => nameOf(one) === nameOf(product));
    if (old?.fingerprint === product.fingerprint || !isServed(product, Date.now())) return [];
    const now = `serving ${nameOf(product)}, ${product.fingerprint}`;
    return [old === undefined ? now : `${now}, in place of ${old.fingerprint}`];
  });
  const gone = before.filter((old) => !after.some((one) => nameOf(one) === nameOf(old)));
  return [...come, ...gone.map((old) => `${nameOf(old)} is not served any more`)];
}
