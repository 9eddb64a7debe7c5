import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ABCD_EVENT, abcdEvents, encodeAbcd, likeAbcd, readAbcd } from '../../protocols/abcd.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import {
  encodeWaveDump,
  likeWaveDump,
  type WaveDumpEvent,
  waveDumpHeader,
  waveDumpSamples,
  waveDumpText,
} from '../../protocols/wavedump.ts';
import { readWaveDumpConfig } from '../../protocols/wavedump-config.ts';
import { hex } from './splits.ts';

const EVENT: WaveDumpEvent = { board: 31, pattern: 0x60000, channel: 1, number: 2, time: 0x30af85, samples: [0x5e, 0x162] };
const BYTES = hex('1c 00 00 00  1f 00 00 00  00 00 06 00  01 00 00 00  02 00 00 00  85 af 30 00  5e 00 62 01');

describe('WaveDump', () => {
  test('an event on the wire', () => {
    expect(encodeWaveDump(EVENT)).toEqual(BYTES);
    expect(waveDumpHeader(BYTES, 0)).toEqual({ size: 28, board: 31, pattern: 0x60000, channel: 1, number: 2, time: 0x30af85 });
    const into = new Float64Array(2);
    expect(waveDumpSamples(BYTES, 0, 28, 2, into)).toBe(2);
    expect([...into]).toEqual([0x5e, 0x162]);
    expect([...encodeWaveDump({ ...EVENT, samples: [7, 255] }, 1).subarray(24)]).toEqual([7, 255]);
    expect(() => encodeWaveDump({ ...EVENT, samples: [256] }, 1)).toThrow(RangeError);
  });

  test('numbers that no header has', () => {
    const changed = (at: number, to: number): Uint8Array => {
      const bytes = BYTES.slice();
      new DataView(bytes.buffer).setUint32(at, to, true);
      return bytes;
    };
    for (const [at, to] of [
      [0, 0],
      [0, 24],
      [0, 2 ** 31],
      [4, 2 ** 17],
      [12, 64],
    ] as const)
      expect(waveDumpHeader(changed(at, to), 0)).toBe(undefined);
    expect(waveDumpHeader(BYTES.subarray(0, 23), 0)).toBe(undefined);
  });

  test('is told from other files by its beginning', () => {
    expect(likeWaveDump(concat(BYTES, BYTES))).toBe(true);
    for (let n = 4; n <= 28; n++) expect(likeWaveDump(BYTES.subarray(0, n))).toBe(true);
    expect(likeWaveDump(concat(BYTES, new Uint8Array(64)))).toBe(false);
    expect(likeWaveDump(new Uint8Array(64))).toBe(false);
    expect(likeWaveDump(fromLatin1('Record Length: 1024\r\nBoardID: 31\r\n'))).toBe(false);
    expect(waveDumpText('Record Length: 1024\r\nBoardID')).toBe(true);
    expect(waveDumpText('Record player')).toBe(false);
    // Samples without headers: 12 bits around a baseline.
    expect(likeWaveDump(Uint8Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? 0x90 + (i % 7) : 0x0d)))).toBe(false);
  });

  test('the configuration', () => {
    const text = [
      '@OFF',
      'RECORD_LENGTH 1',
      '@ON',
      '[COMMON]',
      'RECORD_LENGTH  6000 # samples',
      '#OUTPUT_FILE_HEADER NO',
      'PULSE_POLARITY POSITIVE',
      'OUTPUT_FILE_FORMAT BINARY',
      '[2]',
      'PULSE_POLARITY NEGATIVE',
      'PULSE_POLARITY SIDEWAYS',
    ];
    for (const eol of ['\n', '\r\n']) {
      expect(readWaveDumpConfig(text.join(eol))).toEqual({
        ...{ recordLength: 6000, polarity: 'positive', binary: true },
        channels: new Map([[2, 'negative']]),
      });
    }
    expect(readWaveDumpConfig('\0\0[[[')).toEqual({ channels: new Map() });
  });
});

describe('ABCD', () => {
  // The first event of the published example file.
  const bytes = hex('00 28 aa b1 5a 7c 00 00  a1 00 de 00 9c f1 00 00');
  const first = { timestamp: 0x7c5ab1aa2800, short: 161, long: 222, baseline: 61852, channel: 0, group: 0 };

  test('an event on the wire', () => {
    expect(encodeAbcd([first])).toEqual(bytes);
    const into = abcdEvents(4);
    expect(readAbcd(concat(bytes, bytes.subarray(0, 15)), 0, into)).toBe(ABCD_EVENT);
    expect(into.count).toBe(1);
    expect([into.high[0], into.low[0], into.short[0], into.long[0], into.baseline[0], into.channel[0], into.group[0]]).toEqual([
      ...[0x7c5a, 0xb1aa2800, 161, 222, 61852, 0, 0],
    ]);
    expect(() => encodeAbcd([first, { ...first, channel: 256 }])).toThrow(/event 1: the channel/);
    expect(() => encodeAbcd([{ ...first, timestamp: -1 }])).toThrow(RangeError);
  });

  test('is told from other files by its beginning', () => {
    const many = encodeAbcd(Array.from({ length: 300 }, (_, i) => ({ ...first, timestamp: first.timestamp + i * 1e9 })));
    expect(likeAbcd(many)).toBe(true);
    expect(likeAbcd(bytes)).toBe(true);
    expect(likeAbcd(bytes.subarray(0, 15))).toBe('short');
    expect(likeAbcd(concat(new Uint8Array(4096), many))).toBe(true);
    expect(likeAbcd(new Uint8Array(4096))).toBe('zeros');
    expect(likeAbcd(Uint8Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? 0x90 + (i % 7) : 0x0d)))).toBe('samples');
    expect(likeAbcd(fromLatin1('Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut'))).toBe(
      'no',
    );
    expect(likeAbcd(Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 * (i + 13)) >> 3))).toBe('no');
  });
});

const folder = resolve(import.meta.dirname, '../../../shared/data/detector');
describe.skipIf(!existsSync(folder))('real files (skipped where ../shared is not there)', () => {
  const head = (name: string): Uint8Array => new Uint8Array(readFileSync(resolve(folder, name))).subarray(0, 65_536);
  test('each is taken for what it is', () => {
    const ade = head('example_data_DT5725_Ch0_Plastic_Cf-252_source_events.ade');
    const wave = head('SiPM_coincidence_wave1.dat');
    expect([likeAbcd(ade), likeWaveDump(ade), likeWaveDump(wave)]).toEqual([true, false, true]);
    const bare = concat(...[0, 1, 2, 3, 4].map((i) => wave.subarray(i * 12_036 + 24, (i + 1) * 12_036)));
    expect([likeWaveDump(bare), likeAbcd(bare)]).toEqual([false, 'samples']);
    const config = readWaveDumpConfig(readFileSync(resolve(folder, 'SiPM_coincidence_WaveDumpConfig.txt'), 'latin1'));
    expect(config).toMatchObject({ recordLength: 6000, polarity: 'positive', binary: true, headers: true });
  });
});
