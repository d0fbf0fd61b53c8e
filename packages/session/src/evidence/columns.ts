import { readFileSync } from 'node:fs';
import { Contract, type DeclaredContract, readDocument } from '@ambit/contract';
import { evidenceContract } from '../load.ts';

/** A column as the contract of the evidence declares it. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'bigint' | 'boolean' | 'timestamp';
  readonly nullable: boolean;
}

/** Columns of each table of the evidence. The contract is shipped with this: what it does not have, no file has. */
export function evidenceColumns(): ReadonlyMap<string, readonly Column[]> {
  const { value } = readDocument<DeclaredContract>(readFileSync(evidenceContract, 'utf8'), evidenceContract, Contract);
  const tables = Object.entries(value?.tables ?? {});
  return new Map(
    tables.map(([table, { columns = {} }]) => [
      table,
      Object.entries(columns).map(([name, { type, nullable = true }]) => ({
        name,
        type: type as Column['type'],
        nullable,
      })),
    ]),
  );
}
