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
      const { lab, folder } = recording;
      const replayed = await replay({ folder, rig, nodes: nodesOf(rig), catalogue: known });
      expect(replayed.changes).toEqual([]);
      expect(replayed.exchanges.differences).toEqual([]);
      expect(replayed.verdict).toBe('identical');
      // All that was measured, and every exchange, was compared: nothing was taken as it is.
      const { recorded: all, same, taken } = replayed.readings;
      expect([all, same, taken]).toEqual([lab.readings().length, lab.readings().length, 0]);
      expect(replayed.exchanges.total).toBe(lab.entries.filter((e) => e.kind === 'exchange').length);
      expect(replayed.exchanges.checked).toBe(lab.entries.filter((e) => e.kind === 'exchange' && e.exchanged.reply).length);
      expect(replayed).toMatchObject({ complete: true, lost: {}, trouble: [] });
      expect(replayed.hash.today).toBe(replayed.hash.recorded);
    } finally {
      await recording.remove();
    }
  });
});
