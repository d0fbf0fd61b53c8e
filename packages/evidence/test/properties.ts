import * as fc from 'fast-check';
import { it } from 'vitest';

export { fc };

/** A property of synchronous code, as a test. */
export function test<T>(values: fc.Arbitrary<T>, name: string, holds: (value: T) => void): void {
  it(name, () => {
    fc.assert(fc.property(values, holds));
  });
}
