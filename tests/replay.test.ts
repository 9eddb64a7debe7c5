/** A session through today's drivers: what was measured comes out again to the last bit, or is named. */
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { nodesOf } from '../src/methods.ts';
import { replay } from '../src/replay/replay.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();

describe('the example rigs come out as they were', () => {
  test.each([
    ['demo', 20],
    ['resistivity', 15],
    ['laser-heating', 15],
    ['heated-resistivity', 10],
  ])('%s', async (name, seconds) => {
    const rig = await rigNamed(name, known);
    const recording = await recorded(rig, known, { seconds });
    try {
      const begin = performance.now();
      const { changes, exchanges, ...rest } = await replay({ folder: recording.folder, rig, nodes: nodesOf(rig), catalogue: known });

        name,
        performance.now() - begin,
        JSON.stringify(
          { ...rest, exchanges: { ...exchanges, differences: exchanges.differences.slice(0, 20) }, changes: changes.slice(0, 10) },
          null,
          1,
        ),
      );
      expect(rest.verdict).toBe('identical');
    } finally {
      await recording.remove();
    }
  });
});
