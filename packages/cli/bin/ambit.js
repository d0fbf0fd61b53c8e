#!/usr/bin/env node
import { existsSync } from 'node:fs';

// In a checkout the command exists before its code is compiled.
if (!existsSync(new URL('../dist/index.js', import.meta.url))) {
  console.error('error: ambit is not built yet');
  console.error('hint: run `npm run build` in the checkout');
  process.exit(3);
}

const { processTerminal, run } = await import('../dist/index.js');
process.exitCode = await run(process.argv.slice(2), processTerminal());
