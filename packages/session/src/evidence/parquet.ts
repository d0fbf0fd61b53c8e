import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { Column } from './columns.ts';
import type { Row } from './rows.ts';

type Schema = ConstructorParameters<typeof ParquetWriter>[0]['schema'];
type Element = Schema[number];

/**
 * Rows of a table as a Parquet file, some at a time. What lies together has its smallest and largest values beside it: a
 * query with a bound on time does not read what is older.
 */
export class ParquetRows {
  readonly #columns: readonly Column[];
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    const root: Element = { name: 'root', num_children: columns.length };
    this.#writer = new ParquetWriter({ writer: this.#bytes, schema: [root, ...columns.map(elementOf)] });
  }

  /** The bytes that come next in the file: a group of these rows. */
  group(rows: readonly Row[]): Buffer {
    const columnData = this.#columns.map((column) => ({
      name: column.name,
      data: rows.map((row) => valueOf(column, row[column.name])),
    }));
    // All in memory: nothing to wait for.
    void this.#writer.write({ columnData, rowGroupSize: rows.length });
    return this.#taken();
  }

  /** The last bytes of the file. */
  end(): Buffer {
    void this.#writer.finish();
    return this.#taken();
  }

  #taken(): Buffer {
    const bytes = Buffer.from(this.#bytes.getBytes());
    this.#bytes.index = 0;
    return bytes;
  }
}

/** A file of these rows. */
export function parquetOf(columns: readonly Column[], rows: readonly Row[]): Buffer {
  const parquet = new ParquetRows(columns);
  return Buffer.concat([...(rows.length > 0 ? [parquet.group(rows)] : []), parquet.end()]);
}

function elementOf({ name, type, nullable }: Column): Element {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  switch (type) {
    case 'string':
      return { name, repetition_type, type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'bigint':
      return { name, repetition_type, type: 'INT64' };
    case 'boolean':
      return { name, repetition_type, type: 'BOOLEAN' };
    default: {
      const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } as const;
      return { name, repetition_type, type: 'INT64', logical_type };
    }
  }
}

function valueOf({ name, type, nullable }: Column, value: Row[string]): string | bigint | boolean | null {
  if (value === undefined || value === null) {
    if (nullable) return null;
    throw new Error(`a row of the evidence has no \`${name}\``);
  }
  if (type === 'timestamp') return microsOf(String(value));
  if (type === 'bigint') return BigInt(value);
  return type === 'boolean' ? value === true : String(value);
}

/** Microseconds since 1970 of a time as records have it, in UTC. */
function microsOf(at: string): bigint {
  return BigInt(Date.parse(`${at.slice(0, 23)}Z`)) * 1_000n + BigInt(at.slice(23, 26) || '0');
}
