import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import { ContractsInvalid, loadEnvironment, loadProducts } from '@ambit/session';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkingEngine } from './engine.ts';

// What somebody is told of a contract that is wrong: each case is a file, and what is said of it another. After a change
// that is meant: `UPDATE_CASES=1 npx vitest run tests/contracts`, then read what changed.

const folder = fileURLToPath(new URL('cases/', import.meta.url));
const update = process.env['UPDATE_CASES'] === '1';

let engine: Engine;
beforeAll(async () => {
  engine = await checkingEngine();
});
afterAll(() => engine.close());

async function said(file: string): Promise<string> {
  try {
    await loadProducts([join(folder, file)], await loadEnvironment(null), engine);
    return 'nothing is wrong\n';
  } catch (error) {
    if (!(error instanceof ContractsInvalid)) throw error;
    return `${error.problems.map((problem) => formatProblem({ ...problem, file: basename(problem.file) })).join('\n')}\n`;
  }
}

describe('what is wrong is said', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    it(file, async () => {
      const expected = join(folder, file.replace(/\.yaml$/, '.txt'));
      const found = await said(file);
      if (update) writeFileSync(expected, found);
      expect(existsSync(expected)).toBe(true);
      expect(found).toBe(readFileSync(expected, 'utf8'));
    });
  }
});
