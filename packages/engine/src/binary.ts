import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineUnavailable } from './errors.ts';

/** The worker's binary: where the operator says, else where cargo built it. */
export function engineBinary(environment: NodeJS.ProcessEnv = process.env): string {
  const checkout = fileURLToPath(new URL('../../../', import.meta.url));
  const candidates = [
    environment['AMBIT_ENGINE_BINARY'],
    environment['CARGO_TARGET_DIR'] && join(resolve(environment['CARGO_TARGET_DIR']), 'debug', 'ambit-engine'),
    join(checkout, 'target', 'debug', 'ambit-engine'),
  ];
  const found = candidates.find((path) => path !== undefined && path !== '' && existsSync(path));
  if (found === undefined) throw new EngineUnavailable('the engine is not built: run `npm run build`');
  return found;
}
