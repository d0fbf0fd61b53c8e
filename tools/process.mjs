// Child processes of the tools: run one to its end, its output passed on or captured.

import { spawn } from 'node:child_process';

/** A tool's failure that needs no stack trace: what happened, and what to do. */
export class ToolError extends Error {
  /**
   * @param {string} message
   * @param {string} [hint]
   */
  constructor(message, hint) {
    super(message);
    this.name = 'ToolError';
    this.hint = hint ?? null;
  }
}

/**
 * Runs a command to its end. `output`: `inherit` shows it, `capture` returns it. A command that cannot be started has
 * status 127, as in a shell; one that a signal ended has 128 and more.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, output?: 'inherit' | 'capture', onLine?: (line: string, stream: 'stdout' | 'stderr') => void }} [options]
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
 */
export function run(command, parameters, options = {}) {
  const { cwd, env = process.env, output = 'inherit', onLine } = options;
  return new Promise((resolve) => {
    const piped = output === 'capture' || onLine !== undefined;
    const child = spawn(command, parameters, {
      cwd,
      env,
      stdio: ['ignore', piped ? 'pipe' : 'inherit', piped ? 'pipe' : 'inherit'],
    });
    const text = { stdout: '', stderr: '' };
    for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
      const stream = child[name];
      if (stream === null) continue;
      stream.setEncoding('utf8');
      let rest = '';
      stream.on('data', (chunk) => {
        if (onLine === undefined) {
          text[name] += chunk;
          return;
        }
        // Progress bars end a line with a carriage return.
        const lines = (rest + chunk).split(/[\r\n]/);
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line, name);
      });
      stream.on('end', () => {
        if (onLine !== undefined && rest !== '') onLine(rest, name);
      });
    }
    child.on('error', (error) => resolve({ status: 127, stdout: text.stdout, stderr: error.message }));
    child.on('close', (code, signal) => resolve({ status: code ?? (signal === null ? 1 : 128), ...text }));
  });
}

/**
 * Runs a tool's main function: a `ToolError` is told in two lines, anything else with its stack.
 *
 * @param {() => Promise<number | void>} main
 */
export async function runTool(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (error instanceof ToolError) {
      console.error(`error: ${error.message}`);
      if (error.hint !== null) console.error(`hint: ${error.hint}`);
    } else {
      console.error(error);
    }
    process.exitCode = 1;
  }
}
