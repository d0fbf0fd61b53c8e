import { digest } from '@ambit/contract';
import type { Product } from '@ambit/session';
import { type Coverage, coverageOf } from './coverage.ts';
import type { Unnoticed } from './mutants.ts';
import type { Ran } from './run.ts';

/** A test and how it ended. */
export interface Result {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly passed: boolean;
  readonly complaints: readonly string[];
  readonly millis: number;
}

/** What came of all tests of a boundary. */
export interface Results {
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  /** Of the boundary that was tested. */
  readonly fingerprint: string;
  readonly passed: number;
  readonly failed: number;
  readonly tests: readonly Result[];
  readonly coverage: Coverage;
  /** What no test would miss; null: it was not asked. */
  readonly unnoticed: readonly Unnoticed[] | null;
  /** SHA-256 of the fingerprint and of what was tested with which result: the same for the same. */
  readonly digest: string;
}

/** Results of tests of one product. */
export function results(product: Product, all: readonly Ran[], missed: readonly Unnoticed[] | null): Results {
  const { name, version } = product.boundary.product;
  const tests = all.map(({ test, complaints, millis }) => ({
    name: test.name,
    file: test.file,
    line: test.line,
    passed: complaints.length === 0,
    complaints,
    millis,
  }));
  const passed = tests.filter((one) => one.passed).length;
  const said = all.map(({ test, complaints }) => ({
    name: test.name,
    subject: test.as,
    purpose: test.purpose,
    asked: JSON.stringify([test.subject, test.ask, test.parameters, test.expect]),
    passed: complaints.length === 0,
  }));
  return {
    product: name,
    version,
    environment: product.boundary.environment,
    fingerprint: product.fingerprint,
    passed,
    failed: tests.length - passed,
    tests,
    coverage: coverageOf(product, all),
    unnoticed: missed,
    digest: digest({ fingerprint: product.fingerprint, tests: said }),
  };
}
