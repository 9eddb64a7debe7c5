import { expect, test } from 'vitest';
import { edgeField, photoelectronsField, scaleGives } from '../../src/derive/scale-fields.ts';

const LIKE = { low: -50, high: 500, bins: 275 };
const axis = { low: 0, high: 100, bins: 50 };
const gain = (yaml: unknown): unknown => photoelectronsField(LIKE).of(yaml);
const edge = (yaml: unknown): unknown => edgeField(LIKE).of(yaml);

test('charges and windows as a rig writes them', () => {
  expect(gain(undefined)).toBe(undefined);
  expect(gain(axis)).toEqual(axis);
  expect(gain({ ...axis, within: 0.01, longest: '10 min', change: 0.05 })).toEqual({ ...axis, within: 0.01, longest: 600, change: 0.05 });
  const [pedestal, crosstalk] = [{ centre: 0, sigma: 4 }, true];
  expect(gain({ ...axis, pedestal, crosstalk })).toEqual({ ...axis, pedestal, crosstalk });
  expect(edge({ ...axis, source: '60Co', longest: 60 })).toEqual({ ...axis, source: '60Co', longest: 60 });
});

test('slips are told with their cure', () => {
  expect(gain({ low: 0, high: 100 })).toMatchObject({ why: 'is written as { low: -50, high: 500, bins: 275 }' });
  expect(gain(5)).toMatchObject({ why: expect.stringContaining('must be written as { low: -50, high: 500, bins: 275 }') });
  expect(gain({ ...axis, long: 3 })).toMatchObject({ why: expect.stringMatching(/there is no "long" here/) });
  expect(gain({ ...axis, low: 100 })).toMatchObject({ why: expect.stringMatching(/low must be below high/) });
  expect(gain({ ...axis, change: 2 })).toMatchObject({ why: expect.stringMatching(/^change: a part above 0 and below 1/) });
  expect(gain({ ...axis, longest: '5 K' })).toMatchObject({ why: expect.stringMatching(/^longest: must be a time/) });
  expect(gain({ ...axis, pedestal: { centre: 0 } })).toMatchObject({ why: expect.stringMatching(/^pedestal: sigma: must be a number/) });
  expect(gain({ ...axis, pedestal: { centre: 0, sigma: 0 } })).toMatchObject({ why: 'pedestal: sigma: must be above 0, not 0' });
  expect(edge(axis)).toMatchObject({ why: expect.stringMatching(/^source: must be one of .*137Cs/) });
  expect(edge({ ...axis, source: '40K' })).toMatchObject({ why: expect.stringMatching(/^source: "40K" is none of/) });
});

test('a stream has only the channels of what is looked for', () => {
  expect(scaleGives(undefined, undefined)).toEqual({});
  expect(Object.keys(scaleGives(axis, undefined))).toEqual(['gain', 'gain_change', 'gains', 'gain_channels']);
  expect(scaleGives(undefined, { ...axis, source: '137Cs' })).toHaveProperty('energy_scales', 'state');
});
