import { writeFileSync } from 'node:fs';
import {
  columnFromArray,
  dateDay,
  dictionary,
  int32,
  int64,
  struct,
  tableFromColumns,
  tableToIPC,
  utf8,
} from '@uwdata/flechette';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Employee, Wide } from './rows.ts';

// Files as a lake has them: row groups with statistics, column indexes and Bloom filters, dictionaries, view-sized text.

type ParquetOptions = Parameters<typeof parquetWriteBuffer>[0];
type Columns = ParquetOptions['columnData'];
type Schema = NonNullable<ParquetOptions['schema']>;

const ROW_GROUP_ROWS = 32;

const bigintOf = (value: number | null | undefined): bigint | null =>
  typeof value === 'number' ? BigInt(value) : null;

/** Rows of `emp` as Parquet. `dept` is dictionary-encoded, `attrs` a struct. */
export function writeEmployees(path: string, rows: readonly Employee[]): void {
  const text = (name: 'tenant' | 'name' | 'ssn' | 'note') => ({ name, data: rows.map((row) => row[name]) });
  const number = (name: 'id' | 'salary' | 'salary_raw') => ({
    name,
    data: rows.map((row) => bigintOf(row[name])),
  });
  writeParquet(
    path,
    [
      number('id'),
      text('tenant'),
      text('name'),
      number('salary'),
      text('ssn'),
      { name: 'dept', data: rows.map(({ dept }) => dept), encoding: 'RLE_DICTIONARY' },
      { name: 'attrs', data: rows.map(({ attrs }) => attrs && { ...attrs, level: BigInt(attrs.level) }) },
      { name: 'hired', data: rows.map(({ hired }) => new Date(hired)) },
      text('note'),
      number('salary_raw'),
    ],
    [
      { name: 'root', num_children: 10 },
      bigint('id'),
      string('tenant'),
      string('name'),
      bigint('salary'),
      string('ssn'),
      string('dept'),
      { name: 'attrs', num_children: 2, repetition_type: 'OPTIONAL' },
      string('email'),
      bigint('level'),
      { name: 'hired', type: 'INT32', converted_type: 'DATE', repetition_type: 'OPTIONAL' },
      string('note'),
      bigint('salary_raw'),
    ],
    ROW_GROUP_ROWS,
  );
}

export function writeWide(path: string, rows: readonly Wide[]): void {
  writeParquet(
    path,
    [
      { name: 'id', data: rows.map(({ id }) => BigInt(id)) },
      { name: 'tenant', data: rows.map(({ tenant }) => tenant) },
      { name: 'kind', data: rows.map(({ kind }) => kind), encoding: 'RLE_DICTIONARY' },
      { name: 'text', data: rows.map(({ text }) => text) },
    ],
    [{ name: 'root', num_children: 4 }, bigint('id'), string('tenant'), string('kind'), string('text')],
    20_000,
  );
}

const string = (name: string): Schema[number] => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: 'OPTIONAL',
});
const bigint = (name: string): Schema[number] => ({ name, type: 'INT64', repetition_type: 'OPTIONAL' });

/** The file's own metadata holds a hidden word too: DataFusion would carry it into schemas. */
function writeParquet(path: string, columns: Columns, schema: Schema, rowGroupSize: number): void {
  const bytes = parquetWriteBuffer({
    columnData: columns.map((column) => ({ ...column, columnIndex: true, bloomFilter: column.name === 'name' })),
    schema,
    rowGroupSize,
    statisticsTruncateLength: Number.POSITIVE_INFINITY,
    kvMetadata: [{ key: 'owner', value: 'SECRET-metadata of the file' }],
  });
  writeFileSync(path, Buffer.from(bytes));
}

/** Rows of `emp` as an Arrow file. `dept` is an Arrow dictionary. */
export function writeArrow(path: string, rows: readonly Employee[]): void {
  const text = (name: 'tenant' | 'name' | 'ssn' | 'note') =>
    columnFromArray(
      rows.map((row) => row[name]),
      utf8(),
    );
  const number = (name: 'id' | 'salary' | 'salary_raw') =>
    columnFromArray(
      rows.map((row) => bigintOf(row[name])),
      int64(),
    );
  const attrs = rows.map((row) => row.attrs && { ...row.attrs, level: BigInt(row.attrs.level) });
  const table = tableFromColumns({
    id: number('id'),
    tenant: text('tenant'),
    name: text('name'),
    salary: number('salary'),
    ssn: text('ssn'),
    dept: columnFromArray(
      rows.map(({ dept }) => dept),
      dictionary(utf8(), int32()),
    ),
    attrs: columnFromArray(attrs, struct({ email: utf8(), level: int64() })),
    hired: columnFromArray(
      rows.map(({ hired }) => new Date(hired)),
      dateDay(),
    ),
    note: text('note'),
    salary_raw: number('salary_raw'),
  });
  writeFileSync(path, tableToIPC(table, { format: 'file' }) ?? new Uint8Array());
}

/** Rows of `emp` as CSV, without its struct. */
export function writeCsv(path: string, rows: readonly Employee[]): void {
  const cell = (value: string | number | null): string =>
    value === null ? '' : typeof value === 'number' ? String(value) : `"${value.replaceAll('"', '""')}"`;
  const lines = rows.map(({ attrs: _struct, ...row }) => Object.values(row).map(cell).join(','));
  const header = Object.keys(rows[0] ?? {}).filter((name) => name !== 'attrs');
  writeFileSync(path, `${[header.join(','), ...lines].join('\n')}\n`);
}

/** Rows of `emp` as JSON: an object a line, or one array. */
export function writeJson(path: string, rows: readonly Employee[], layout: 'lines' | 'array'): void {
  writeFileSync(
    path,
    layout === 'array' ? JSON.stringify(rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
  );
}
