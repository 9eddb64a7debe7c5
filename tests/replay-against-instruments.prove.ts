/** Every instrument, run by itself against its simulator and recorded, is as its simulator; so are whole laboratories. */
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { againstSimulators } from '../src/replay/against.ts';
import { rigOf } from './laboratory.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();

describe('against its own simulator', () => {
  test.each([...known.instruments.keys()].filter((model) => known.simulators.has(model)))('%s', async (model) => {
    const rig = rigOf(model, known);
    const recording = await recorded(rig, known, { seconds: 4 });
    try {
      const { verdict, findings, channels, exchanges, notCompared } = await againstSimulators({
        folder: recording.folder,
        rig,
        catalogue: known,
      });
      expect(findings).toEqual([]);
      expect(notCompared).toEqual([]);
      expect(channels.filter(({ same, outside }) => !same || outside > 0)).toEqual([]);
      const given = recording.lab.readings().filter(({ quality }) => quality !== 'bad');
      expect(channels.length > 0).toBe(given.length > 0);
      expect(exchanges.compared).toBe(exchanges.recorded);
      expect(verdict).toBe(exchanges.recorded + channels.length > 0 ? 'as the instruments' : 'differs');
    } finally {
      await recording.remove();
    }
  });
});

test.each(['demo', 'resistivity', 'detector'])('rigs/%s', async (name) => {
  const rig = await rigNamed(name, known);
  const recording = await recorded(rig, known, { seconds: 10 });
  try {
    const { verdict, findings, channels, notCompared } = await againstSimulators({ folder: recording.folder, rig, catalogue: known });
    expect(findings).toEqual([]);
    expect(notCompared).toEqual([]);
    expect(channels.filter(({ outside, alone }) => outside + alone > 0)).toEqual([]);
    expect(verdict).toBe('as the instruments');
  } finally {
    await recording.remove();
  }
});
