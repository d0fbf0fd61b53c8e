import { relative } from 'node:path';
import {
  BREAK_GLASS_NAMESPACE,
  BREAK_GLASS_TYPE,
  type BreakGlass,
  type BreakGlassStatement,
  instant,
  keepOpening,
  removeOpenings,
  signStatement,
  subjectOf,
} from '@ambit/review';
import { breakGlassOf, type Product, productOf } from '@ambit/session';

import { environmentOf } from '../environment.ts';
import { stateOf } from '../evidence-log.ts';
import { CliError, exitCodes } from '../failure.ts';
import { loadContracts } from '../serving.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';
import { confirmed, holderOf, type KeyOptions, signerOf, toldFailure, whoOf } from './signing.ts';

export interface OpenOptions extends KeyOptions {
  readonly environment: string;
  readonly for: string;
  readonly reason: string;
  readonly yes?: true | undefined;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Opens a boundary that no owner approved, for a while: signs that, and puts it where the server looks. */
export async function openWithoutReview(
  terminal: Terminal,
  asked: string,
  paths: readonly string[],
  options: OpenOptions,
): Promise<void> {
  const { breakGlass, name: environment } = await allowed(terminal, options.environment);
  const ms = durationOf(options.for);
  if (ms > breakGlass.maxHours * HOUR_MS) {
    const hint = `\`breakGlass.maxHours\` of the environment is ${breakGlass.maxHours}`;
    throw new CliError(exitCodes.failed, `${options.for} is longer than may be`, hint);
  }
  const { boundary, fingerprint } = await named(terminal, asked, paths, options.environment);
  const { name: product, version } = boundary.product;
  const signer = await signerOf(options);
  const who = holderOf(signer.key, breakGlass.operators);
  if (who === null) {
    throw new CliError(
      exitCodes.failed,
      'no operator has this key',
      'operators are listed in `breakGlass` of the environment',
    );
  }
  const now = Date.now();
  const until = instant(now + ms);
  say(terminal, `${product} ${version} in ${environment}, ${fingerprint}: no owner approved it`);
  await confirmed(
    terminal,
    `Does ${who.name} open it until ${until}? Every answer and record will say so.`,
    options.yes,
  );
  const statement: BreakGlassStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectOf(product, fingerprint),
    predicateType: BREAK_GLASS_TYPE,
    predicate: {
      product,
      version,
      environment,
      reason: options.reason,
      who: whoOf(who, signer),
      signedAt: instant(now),
      until,
    },
  };
  const text = await toldFailure(signStatement(statement, signer, BREAK_GLASS_NAMESPACE));
  const file = await keepOpening(breakGlass.folder, statement, text);
  await writeOut(terminal, `${relative(terminal.cwd, file)}\n`);
  say(terminal, `open until ${until}; the server sees it within seconds`);
}

/** Ends an opening before its time. */
export async function closeOpening(terminal: Terminal, product: string, environmentFile: string): Promise<void> {
  const { breakGlass, name } = await allowed(terminal, environmentFile);
  if (await removeOpenings(breakGlass.folder, product, name)) return say(terminal, `closed ${product}`);
  throw new CliError(exitCodes.failed, `nobody opened \`${product}\``, null);
}

async function allowed(
  terminal: Terminal,
  file: string,
): Promise<{ readonly breakGlass: BreakGlass; readonly name: string }> {
  const environment = await environmentOf(file);
  const breakGlass = breakGlassOf(environment.value, stateOf(terminal, environment, undefined, 'break-glass'));
  if (breakGlass !== null) return { breakGlass, name: environment.value.name };
  const hint = 'the environment says who: `breakGlass: { operators: { NAME: KEY } }`';
  throw new CliError(exitCodes.failed, 'nobody may open a boundary here that no owner approved', hint);
}

async function named(
  terminal: Terminal,
  asked: string,
  paths: readonly string[],
  environment: string,
): Promise<Product> {
  const products = await loadContracts(terminal, paths, environment);
  const found = productOf({ products }, asked);
  if (found !== undefined) return found;
  const names = products.map(({ boundary: { product } }) => `${product.name}@${product.version}`).join(', ');
  throw new CliError(exitCodes.usage, `no contract here declares \`${asked}\``, `declared: ${names}`);
}

function durationOf(text: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,3})(m|h)$/.exec(text) ?? [];
  if (count === '') throw new CliError(exitCodes.usage, `\`${text}\` is no duration`, 'such as 30m or 2h');
  return Number(count) * (unit === 'h' ? HOUR_MS : MINUTE_MS);
}
