import { defineConfig } from 'vitest/config';

const shared = { environment: 'node' as const, pool: 'forks' as const };

export default defineConfig({
  test: {
    projects: [
      // Modules are read once for each worker, not once for each file: a fifth of the time. No test may leave anything behind.
      { test: { ...shared, name: 'unit', include: ['tests/**/*.test.ts'], testTimeout: 30_000, maxWorkers: 2, isolate: false } },
      {
        test: {
          ...shared,
          name: 'prove',
          include: ['tests/**/*.prove.ts'],
          testTimeout: 600_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
