import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../limits.ts';
import { type Column, evidenceColumns } from './columns.ts';
import { ParquetRows, parquetOf } from './parquet.ts';
import { type DocumentRows, documentTables, type RecordTable, recordTables, type Row, type TableRow } from './rows.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Folders of the tables, and where files lie until they are whole. */
export async function makeFolders(root: string): Promise<void> {
  for (const name of [...recordTables, ...documentTables, SERVED, BUILT, UNFINISHED]) {
    await mkdir(join(root, name), { recursive: true, mode: FOLDER_MODE });
  }
}

/** Settings of what is served now: a table that is not made of the log. */
export const SERVED = 'served_settings';
/** What of the log is in the tables, a file for each closed segment. */
export const BUILT = 'built';
/** Beside the tables: the engine would meet a file there that is gone when it looks again. */
export const UNFINISHED = 'new';

/** Files of one part by table: how many bytes they have. */
export type PartFiles = Readonly<Partial<Record<RecordTable, number>>>;

interface Writing {
  readonly file: FileHandle;
  readonly parquet: ParquetRows;
  buffered: Row[];
  /** Characters of their texts. */
  length: number;
  bytes: number;
}

/** Rows of a part of the log on their way into files, one for each table that has some. Holds a little of each at a time. */
export class PartWriter {
  readonly #root: string;
  readonly #name: string;
  readonly #tables = new Map<RecordTable, Writing>();

  constructor(root: string, name: string) {
    this.#root = root;
    this.#name = name;
  }

  async add(rows: readonly TableRow[]): Promise<void> {
    for (const [table, row] of rows) {
      const writing = this.#tables.get(table) ?? (await this.#start(table));
      writing.buffered.push(row);
      for (const value of Object.values(row)) writing.length += typeof value === 'string' ? value.length : 8;
      if (writing.length >= limits.rowsBufferedBytes) await flush(writing);
    }
  }

  /** Makes the files durable under names that no table reads yet. */
  async finish(): Promise<PartFiles> {
    const files: Partial<Record<RecordTable, number>> = {};
    try {
      for (const [table, writing] of this.#tables) {
        if (writing.buffered.length > 0) await flush(writing);
        await write(writing, writing.parquet.end());
        await writing.file.datasync();
        files[table] = writing.bytes;
      }
    } finally {
      await this.abandon();
    }
    return files;
  }

  async abandon(): Promise<void> {
    for (const { file } of this.#tables.values()) await file.close();
    this.#tables.clear();
  }

  async #start(table: RecordTable): Promise<Writing> {
    const file = await open(unfinished(this.#root, table, this.#name), 'w', FILE_MODE);
    const parquet = new ParquetRows(columnsOf(table));
    const writing: Writing = { file, parquet, buffered: [], length: 0, bytes: 0 };
    this.#tables.set(table, writing);
    return writing;
  }
}

async function flush(writing: Writing): Promise<void> {
  const bytes = writing.parquet.group(writing.buffered);
  writing.buffered = [];
  writing.length = 0;
  await write(writing, bytes);
}

async function write(writing: Writing, bytes: Buffer): Promise<void> {
  await writing.file.writeFile(bytes);
  writing.bytes += bytes.length;
}

const columns = evidenceColumns();

/** Columns of a table of the evidence. */
function columnsOf(table: string): readonly Column[] {
  const found = columns.get(table);
  if (found === undefined) throw new Error(`the evidence has no table \`${table}\``);
  return found;
}

/** Gives finished files their places in the tables. Each appears whole. */
export async function publish(root: string, name: string, files: PartFiles): Promise<void> {
  for (const table of Object.keys(files) as RecordTable[]) {
    await rename(unfinished(root, table, name), placeOf(root, table, name));
  }
}

/** Takes parts out of the tables. Nobody may be reading them. */
export async function withdraw(root: string, names: readonly string[]): Promise<void> {
  for (const table of recordTables) {
    for (const name of names) await rm(placeOf(root, table, name), { force: true });
  }
}

/** How the names of rows' files end. */
export const ROWS = '.parquet';

/** The file of a name in a folder of the tables. */
export function fileOf(folder: string, name: string): string {
  return `${name}${folder === BUILT ? '.json' : ROWS}`;
}

/** Where a part's rows of a table lie. */
export function placeOf(root: string, table: string, name: string): string {
  return join(root, table, fileOf(table, name));
}

function unfinished(root: string, table: string, name: string): string {
  return join(root, UNFINISHED, `${table}-${name}`);
}

/** Writes the rows of a grant, a boundary or a review, a file in each of its tables. */
export async function writeDocument(root: string, name: string, rows: DocumentRows): Promise<void> {
  for (const table of documentTables) {
    const found = rows[table];
    if (found !== undefined) await writeRows(root, table, name, found);
  }
}

/** Writes rows of a table as a file of their own. */
export async function writeRows(root: string, table: string, name: string, rows: readonly Row[]): Promise<void> {
  await writeWhole(root, table, name, parquetOf(columnsOf(table), rows));
}

/** Writes a file whole, or not at all. */
export async function writeWhole(root: string, folder: string, name: string, content: string | Buffer): Promise<void> {
  const path = unfinished(root, folder, name);
  const file = await open(path, 'w', FILE_MODE);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(path, placeOf(root, folder, name));
}
