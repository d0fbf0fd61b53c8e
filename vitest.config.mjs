import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Nothing is looked for in what cargo builds.
    include: ['{packages,tools,tests,examples,bench}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Tests start processes, and a machine under test is a busy one.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
