import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { nameAndVersion } from '@ambit/contract';
import { type EvidenceLog, openLog } from '@ambit/evidence';
import { junitOf } from '@ambit/policy-test';
import {
  type BoundEnvironment,
  type Checked,
  checkQuality,
  Issuer,
  type Product,
  qualityText,
  wouldClose,
} from '@ambit/session';

import { environmentOf } from './environment.ts';
import { openEvidence, version } from './evidence-log.ts';
import { CliError, exitCodes } from './failure.ts';
import { untilInterrupted } from './interrupted.ts';
import { isBad, qualityPage } from './page/quality.ts';
import { engineFor, loadContracts } from './serving.ts';
import { type Terminal, writeOut } from './terminal.ts';

interface Options {
  readonly environment?: string | undefined;
  readonly junit?: string | undefined;
  readonly record?: true | undefined;
  readonly json?: true | undefined;
}

/** Holds the data of contracts against what they promise. Throws where a promise of severity `error` is not kept. */
export async function tellQuality(terminal: Terminal, named: readonly string[], options: Options): Promise<void> {
  const all = await untilInterrupted(terminal, (signal) => checkAll(terminal, named, options, signal));
  if (options.junit !== undefined) await writeFile(options.junit, junitOf(all.map(suiteOf)));
  await writeOut(
    terminal,
    options.json ? `${JSON.stringify(all.map(plain), null, 2)}\n` : all.map(qualityPage).join('\n'),
  );
  throwIfBad(all);
}

async function checkAll(
  terminal: Terminal,
  named: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<readonly Checked[]> {
  const { paths, names } = sorted(terminal, named);
  const products = chosen(await loadContracts(terminal, paths, options.environment), names);
  const environment = await environmentOf(options.environment, paths);
  signal.throwIfAborted();
  const engine = await engineFor(terminal, environment, products);
  try {
    return await recording(terminal, environment, options.record === true, async (log) => {
      const asking = { engine: () => engine, issuer: new Issuer(), evidence: log };
      const found: Checked[] = [];
      for (const product of products)
        found.push(await checkQuality(asking, product, (results) => wouldClose(product, results), signal));
      return found;
    });
  } finally {
    await engine.close();
  }
}

/** Without paths the products named are those of this folder. */
function sorted(
  { cwd }: Terminal,
  named: readonly string[],
): { readonly paths: readonly string[]; readonly names: readonly string[] } {
  const isProduct = (word: string): boolean =>
    /^[a-z][a-z0-9_]*(?:@[0-9].*)?$/.test(word) && !existsSync(resolve(cwd, word));
  return { paths: named.filter((word) => !isProduct(word)), names: named.filter(isProduct) };
}

function chosen(products: readonly Product[], names: readonly string[]): readonly Product[] {
  if (names.length === 0) return products;
  return names.flatMap((word) => {
    const { name, version: asked } = nameAndVersion(word);
    const found = products.filter(
      ({ boundary: { product } }) => product.name === name && (asked === null || product.version === asked),
    );
    if (found.length > 0) return found;
    const known = products.map(({ boundary }) => boundary.product.name);
    const hint = `there are: ${[...new Set(known)].join(', ')}`;
    throw new CliError(exitCodes.usage, `there is no product and no file \`${word}\``, hint);
  });
}

/** With the log of the environment, or with one that is gone afterwards: no data is read that nothing has recorded before. */
async function recording<T>(
  terminal: Terminal,
  environment: BoundEnvironment,
  kept: boolean,
  work: (log: EvidenceLog) => Promise<T>,
): Promise<T> {
  if (kept) return closing(await openEvidence(terminal, environment), work);
  const folder = await mkdtemp(join(tmpdir(), 'ambit-quality-'));
  try {
    return await closing(await openLog({ folder: join(folder, 'evidence'), ambit: version }), work);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function closing<T>(log: EvidenceLog, work: (log: EvidenceLog) => Promise<T>): Promise<T> {
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

function plain({ product, results }: Checked): object {
  const { boundary, fingerprint } = product;
  const { name, version: of } = boundary.product;
  const closed = wouldClose(product, results);
  return { product: name, version: of, environment: boundary.environment, fingerprint, closed, results };
}

function suiteOf({ product, results }: Checked) {
  const { name, version: of } = product.boundary.product;
  return {
    name: `${name} ${of} in ${product.boundary.environment}`,
    cases: results.map((result) => {
      const { table, name: rule, status, micros } = result;
      const { line } = product.problem(placeOf(result), '', null, 'key');
      const bad = isBad(result) ? ({ as: status === 'error' ? 'error' : 'failure' } as const) : null;
      return {
        name: result.kind === 'rule' ? `${table}.${rule}` : rule,
        classname: name,
        file: product.file,
        line,
        millis: micros / 1_000,
        ended: bad === null ? null : { ...bad, text: qualityText(result) },
      };
    }),
  };
}

/** Where a result's promise stands in its contract. */
function placeOf({ kind, table, column, name }: Checked['results'][number]): readonly string[] {
  if (kind === 'service-level') return ['serviceLevels', name];
  if (column === null) return ['tables', table, 'quality', name];
  return ['tables', table, 'columns', column, 'quality', name.slice(column.length + 1)];
}

function throwIfBad(all: readonly Checked[]): void {
  const results = all.flatMap((one) => one.results);
  const bad = results.filter(isBad).length;
  if (bad > 0)
    throw new CliError(exitCodes.failed, `${bad} of ${results.length} promises of the contracts are not kept`);
}
