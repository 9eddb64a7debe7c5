import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, the longest first: begun last, one of them would run alone at the end. */
const LONGEST = [
  'memory.prove',
  'survive.prove',
  'influx-run.prove',
  'trip-latency.prove',
  'trip.prove',
  'guardian.prove',
  'pressure.prove',
  'links/instruments.test',
  'tests/instruments.test',
  'cli-run.test',
  'srs-foreign.test',
  'cli-analyse-session.test',
  'source-meter-foreign.test',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`${name}.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    const others = await super.sort(files);
    return others
      .map((file, i) => ({ file, i }))
      .sort((a, b) => rank(a.file) - rank(b.file) || a.i - b.i)
      .map(({ file }) => file);
  }
}

const shared = { environment: 'node' as const, pool: 'forks' as const };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
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
