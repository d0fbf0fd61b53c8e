import { readFileSync } from 'node:fs';
import { Command, Option } from '@commander-js/extra-typings';

import { ask, mediaTypes, type ResultFormat, endOf, sessionOf } from '../api.ts';
import { asOption, parameterValue, serverOption, withConnection } from '../arguments.ts';
import type { Answer } from '../connection.ts';
import { deliver, incomplete, intoFile, readWhole } from '../delivery.ts';
import { counted } from '../display.ts';
import { CliError, exitCodes, interruption } from '../failure.ts';
import { type Progress, startProgress } from '../progress.ts';
import { type TableColumn, table } from '../table.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';

const formats = ['table', ...(Object.keys(mediaTypes) as ResultFormat[])] as const;
type Format = (typeof formats)[number];

/** `ambit query`: asks a question and writes the result. */
export function queryCommand(terminal: Terminal) {
  const command = new Command('query')
    .description('ask a data product a question')
    .argument('<product>', 'name of the product')
    .argument('[sql]', 'one SQL query')
    .option('--purpose <name>', 'why you ask: one of the purposes that the product declares');
  return withQuestion(command).action((product, sql, options) =>
    askQuestion(terminal, { product, purpose: options.purpose ?? null, sql }, options),
  );
}

/** The options of a command that asks a question. */
export function withQuestion<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
) {
  return command
    .option('--query <name>', "one of the product's named queries, instead of SQL")
    .option('--file <path>', 'read the SQL from this file; `-` is standard input')
    .option('--parameter <name=value>', 'value of a parameter; may be repeated', parameterValue)
    .addOption(new Option('--format <format>', 'how to write the result').choices(formats))
    .option('--output <file>', 'write the result into this file; its extension chooses the format')
    .addOption(serverOption())
    .addOption(asOption());
}

interface QuestionOptions {
  readonly query?: string | undefined;
  readonly file?: string | undefined;
  readonly parameter?: Readonly<Record<string, unknown>> | undefined;
  readonly format?: Format | undefined;
  readonly output?: string | undefined;
  readonly server?: string | undefined;
  readonly as?: string | undefined;
}

/** Asks, and writes what is answered as the options say. */
export async function askQuestion(
  terminal: Terminal,
  {
    product,
    purpose,
    sql,
  }: { readonly product: string; readonly purpose: string | null; readonly sql: string | undefined },
  options: QuestionOptions,
): Promise<void> {
  const format = options.format ?? formatOf(options.output);
  return withConnection(terminal, options, async (connection) => {
    const what = whatIsAsked(sql, options.query, options.file);
    const abort = new AbortController();
    const release = terminal.onInterrupt((signal) => abort.abort(interruption(signal)));
    const progress = startProgress(terminal);
    try {
      const answer = await ask(connection, {
        product,
        purpose,
        ask: what,
        parameters: options.parameter ?? {},
        format: format === 'table' ? 'json' : format,
        signal: abort.signal,
      });
      await deliverAs(format, answer, options.output, terminal, progress);
    } catch (error) {
      abort.signal.throwIfAborted();
      throw error;
    } finally {
      progress.end();
      release();
    }
  });
}

async function deliverAs(
  format: Format,
  answer: Answer,
  output: string | undefined,
  terminal: Terminal,
  progress: Progress,
): Promise<void> {
  let rows: number | null = null;
  try {
    if (format === 'table') {
      const result = await readTable(answer, progress);
      progress.end();
      rows = result.rows.length;
      const text = table(result.columns, result.rows);
      if (output === undefined) await writeOut(terminal, text);
      else await intoFile(output, (file) => writeOut({ ...terminal, out: file }, text));
    } else if (output === undefined) {
      await deliver(answer, format, terminal.out, progress.received);
    } else {
      await intoFile(output, (file) => deliver(answer, format, file, progress.received));
    }
  } finally {
    progress.end();
    const session = sessionOf(answer);
    const said = [
      ...(rows === null ? [] : [counted(rows, 'row')]),
      ...(session === null ? [] : [`session ${session}`]),
    ];
    if (said.length > 0) say(terminal, said.join(', '));
    const ends = endOf(answer);
    if (ends !== null) say(terminal, ends);
  }
}

async function readTable(answer: Answer, progress: Progress) {
  const text = await readWhole(answer, progress.received);
  let result: { columns?: readonly TableColumn[]; rows?: readonly (readonly unknown[])[]; complete?: boolean };
  try {
    result = JSON.parse(text) as typeof result;
  } catch (cause) {
    throw incomplete(cause);
  }
  if (result.complete !== true) throw incomplete(null);
  return { columns: result.columns ?? [], rows: result.rows ?? [] };
}

function whatIsAsked(sql: string | undefined, query: string | undefined, file: string | undefined) {
  if ([sql, query, file].filter((given) => given !== undefined).length !== 1) {
    throw new CliError(
      exitCodes.usage,
      'one question at a time: SQL, `--query NAME` or `--file PATH`',
      'such as: ambit query flights "SELECT 1"',
    );
  }
  if (query !== undefined) return { query };
  return { sql: sql ?? readStatement(file ?? '-') };
}

function readStatement(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw new CliError(exitCodes.usage, `cannot read \`${path}\``, (cause as Error).message, { cause });
  }
}

/** The format that a file's name asks for. */
function formatOf(output: string | undefined): Format {
  const extension = /\.([a-z]+)$/i.exec(output ?? '')?.[1]?.toLowerCase();
  if (extension === 'jsonl') return 'ndjson';
  return formats.find((format) => format === extension) ?? 'table';
}
