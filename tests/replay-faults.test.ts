/** A recording's faults come out as they happened: lost and garbled replies, lines that are cut, instruments that fall silent. */
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { faultyLink } from '../src/links/faulty.ts';
import { nodesOf } from '../src/methods.ts';
import { replay } from '../src/replay/replay.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();

describe('with faults on every wire', () => {
  test.each([
    ['demo', 1],
    ['demo', 2],
    ['resistivity', 3],
    ['laser-heating', 4],
    ['heated-resistivity', 5],
  ])('%s, seed %i', async (name, seed) => {
    const rig = await rigNamed(name, known);
    const recording = await recorded(rig, known, {
      seconds: 20,
      seed,
      wrap: (link, wire, clock) =>
        faultyLink(link, clock, { seed, name: wire.key, drop: 0.01, garble: 0.01, delay: 0.01, cut: 0.005, disconnect: 0.002 }),
    });
    try {
      const { lab, folder } = recording;
      const { verdict, changes, exchanges, readings } = await replay({ folder, rig, nodes: nodesOf(rig), catalogue: known });
      expect(changes).toEqual([]);
      expect(exchanges.differences).toEqual([]);
      expect(readings.taken).toBe(0);
      expect(verdict).toBe('identical');
      const bad = lab.readings().filter((r) => r.quality === 'bad');
      // What the host says by itself is taken; what came of a fault on the wire is made again.
      expect(bad.length).toBeGreaterThan(readings.host);
      expect(lab.entries.some((e) => e.kind === 'exchange' && e.exchanged.fault === 'no answer')).toBe(true);
    } finally {
      await recording.remove();
    }
  });
});
