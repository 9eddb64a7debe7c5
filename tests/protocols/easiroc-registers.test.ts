import { describe, expect, test } from 'vitest';
import { andBytes, DIRECT, muxOf, triggerWidthCode, versionOf } from '../../protocols/easiroc-registers.ts';
import { hex } from './splits.ts';

const unsendable = expect.objectContaining({ code: 'PROTO_UNSENDABLE' });

describe('registers of an EASIROC board', () => {
  test('direct control: bits as DirectControl.vhd numbers them', () => {
    // rstbRead rstbSr loadSc selectSc pwrOn resetPA valEvt razChn, as VME-EASIROC.rb sets them
    expect(DIRECT.rest).toEqual(Uint8Array.of(0b11011110, 0b11011110, 0));
    expect(DIRECT.start).toEqual(Uint8Array.of(0b11011110, 0b11011110, 0b11));
    expect(DIRECT.load).toEqual(Uint8Array.of(0b11111110, 0b11111110, 0));
    expect(DIRECT.resetRead).toEqual(Uint8Array.of(0b01011110, 0b01011110, 0));
  });
  test('channels of the ANDs: the highest byte first', () => {
    expect(andBytes([])).toEqual(new Uint8Array(8));
    expect(andBytes([0, 9, 63])).toEqual(hex('80 00 00 00 00 00 02 01'));
    expect(() => andBytes([64])).toThrow(unsendable);
  });
  test.each([
    [0, 0],
    [46, 1],
    [100, 8],
    [800, 95],
  ])('a trigger width of %i ns is %i', (ns, code) => {
    expect(triggerWidthCode(ns)).toBe(code);
  });
  test.each([-1, 10, 801, Number.NaN])('a trigger width of %d ns is none', (ns) => {
    expect(() => triggerWidthCode(ns)).toThrow(unsendable);
  });
  test('the multiplexer of the input DACs', () => {
    expect([0, 1, 2, 15, 16, 17, 31].map(muxOf)).toEqual([199, 207, 198, 200, 55, 63, 56]);
    expect(new Set(Array.from({ length: 32 }, (_, ch) => muxOf(ch))).size).toBe(32);
    expect(() => muxOf(32)).toThrow(unsendable);
  });
  test('versions', () => {
    expect(versionOf(hex('12 34 20 15 02 20'))).toEqual({ version: '1.2.3-4', date: '2015-02-20' });
    for (const bytes of [
      '00 00 00 00 00 00',
      'ff ff ff ff ff ff',
      '12 34 20 15 13 20',
      '12 34 20 15 02 32',
      '12 34 2a 15 02 20',
      '12 34 20 15 02',
    ])
      expect(versionOf(hex(bytes))).toBe(undefined);
  });
});
