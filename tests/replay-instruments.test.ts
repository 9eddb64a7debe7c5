/** Every instrument, run by itself against its simulator and recorded, comes out of a replay as it was. */
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { replay } from '../src/replay/replay.ts';
import { rigOf } from './laboratory.ts';
import { recorded } from './replay-session.ts';

const known = await catalogue();

describe('replayed', () => {
  test.each([...known.instruments.keys()].filter((model) => known.simulators.has(model)))('%s', async (model) => {
    const rig = rigOf(model, known);
    const recording = await recorded(rig, known, { seconds: 4 });
    try {
      const { folder, lab } = recording;
      const { verdict, changes, exchanges, readings, taken } = await replay({ folder, rig, nodes: [], catalogue: known });
      expect(changes).toEqual([]);
      expect(exchanges.differences).toEqual([]);
      expect(taken).toEqual([]);
      expect(readings.same + readings.host).toBe(lab.readings().length);
      expect(verdict).toBe('identical');
    } finally {
      await recording.remove();
    }
  });
});
