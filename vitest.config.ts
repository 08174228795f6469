import { defineConfig } from 'vitest/config';

// Unit tests sit beside the code and touch nothing but a temporary folder; integration tests drive the real runtime,
// cluster tests an API server too: both run only inside the test bed's namespaces (test/run.ts enters them).
const inBed = { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      {
        test: { name: 'unit', include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts'], testTimeout: 30_000 },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          ...inBed,
        },
      },
      { test: { name: 'cluster', include: ['test/cluster/**/*.test.ts'], ...inBed } },
    ],
  },
});
