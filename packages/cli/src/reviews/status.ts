import { CliError, exitCodes } from '../failure.ts';
import { statusJson, statusPage } from '../page/review.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { reviewedProducts } from './reviewed.ts';

/** Says what waits for whom. Fails where something would not be served. */
export async function reviewStatus(
  terminal: Terminal,
  paths: readonly string[],
  { environment, json }: { readonly environment: readonly string[]; readonly json?: true | undefined },
): Promise<void> {
  const all = (await Promise.all(environment.map((file) => reviewedProducts(terminal, paths, file)))).flat();
  await writeOut(terminal, json ? `${JSON.stringify(all.map(statusJson), null, 2)}\n` : statusPage(all));
  const missing = all.filter(({ required, verdict }) => required && !verdict.covered).length;
  if (missing > 0) throw new CliError(exitCodes.failed, `${missing} of ${all.length} not approved: not served there`);
}
