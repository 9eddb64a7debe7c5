import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { md5 } from '../../protocols/md5.ts';
import { OBP_FLAG, OBP_LONGEST, type ObpAsk, type ObpMessage, obp } from '../../protocols/obp.ts';
import { Freshness, type ObpSettings } from '../../protocols/obp-fresh.ts';
import { encodeSpectra, pixelWavelengths, readSpectra } from '../../protocols/obp-spectrum.ts';
import { OBP, obpBytes, obpError, obpFloat, obpUint } from '../../protocols/obp-types.ts';
import { concat, fromLatin1, latin1 } from '../../protocols/protocol.ts';
import { cut, decoded, hex, noise, places, type Said, SILENCE } from './splits.ts';

const { asks, tells, fits, number } = obp();
const text = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
const full = (m: ObpAsk): ObpMessage => ({ data: SILENCE, regarding: 0, flags: 0, error: 0, version: 0x1100, md5: false, ...m });
const tell = (type: number, more: Partial<ObpMessage> = {}): ObpMessage => full({ type, flags: OBP_FLAG.response, ...more });

describe('md5', () => {
  test('the test suite of RFC 1321, appendix A.5', () => {
    const suite: Readonly<Record<string, string>> = {
      '': 'd41d8cd98f00b204e9800998ecf8427e',
      a: '0cc175b9c0f1b6a831c399e269772661',
      abc: '900150983cd24fb0d6963f7d28e17f72',
      'message digest': 'f96b697d7cb7938d525a2f31aaf161d0',
      abcdefghijklmnopqrstuvwxyz: 'c3fcd3d76192e4007dfb496cca67e13b',
      ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: 'd174ab98d277d9f5a5611c2c9f419d9f',
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890': '57edf4a22be3c955ac49da2e2107b67a',
    };
    for (const [message, digest] of Object.entries(suite)) expect(text(md5(fromLatin1(message))).replaceAll(' ', '')).toBe(digest);
  });
  test('as another implementation has it, for any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(text(md5(bytes)).replaceAll(' ', '')).toBe(createHash('md5').update(bytes).digest('hex'));
      }),
    );
  });
});

describe('literal bytes', () => {
  const zeros = (n: number): string => new Array<string>(n).fill('00').join(' ');
  // QE Pro data sheet, page 26, as in DCC-Lab/PyHardwareLibrary: 100 ms, version 0x1100, no flags.
  const setTime = `c1 c0 00 11 00 00 00 00 10 00 11 00 ${zeros(4)} ${zeros(6)} 00 04 a0 86 01 00 ${zeros(12)} 14 00 00 00 ${zeros(16)} c5 c4 c3 c2`;
  // Ventana data sheet, page 13: get and send corrected spectrum, version 0x1000, "regarding" is the user's.
  const corrected = `c1 c0 00 10 00 00 00 00 00 10 10 00 44 33 22 11 ${zeros(6)} 00 00 ${zeros(16)} 14 00 00 00 ${zeros(16)} c5 c4 c3 c2`;
  // Packet capture of an Ocean FX over TCP: one buffered spectrum with metadata, and an integration time of 200 us with ACK requested.
  const probe = `c1 c0 00 00 00 00 00 00 80 09 10 00 ${zeros(4)} ${zeros(6)} 00 04 01 00 00 00 ${zeros(12)} 14 00 00 00 ${zeros(16)} c5 c4 c3 c2`;
  const order = `c1 c0 00 00 04 00 00 00 10 00 11 00 ${zeros(4)} ${zeros(6)} 00 04 c8 00 00 00 ${zeros(12)} 14 00 00 00 ${zeros(16)} c5 c4 c3 c2`;
  const known: readonly (readonly [string, ObpAsk])[] = [
    [setTime, { type: 0x00110010, data: Uint8Array.of(0xa0, 0x86, 0x01, 0x00) }],
    [corrected, { type: 0x00101000, version: 0x1000, regarding: 0x11223344 }],
    [probe, { type: 0x00100980, version: 0, data: Uint8Array.of(1, 0, 0, 0) }],
    [order, { type: 0x00110010, version: 0, flags: 4, data: Uint8Array.of(200, 0, 0, 0) }],
  ];
  test('of data sheets and of a capture, both ways', () => {
    for (const [bytes, m] of known) {
      expect(hex(bytes)).toHaveLength(64);
      expect(text(asks.encode(m))).toBe(bytes);
      expect(asks.decoder()(hex(bytes))).toEqual([full(m)]);
      expect(tells.decoder()(hex(bytes))).toEqual([full(m)]);
    }
  });
  test('more than 16 bytes travel behind the header', () => {
    const data = Uint8Array.from({ length: 17 }, (_, i) => i);
    const bytes = tells.encode(tell(0x00101100, { data }));
    expect(bytes).toHaveLength(81);
    expect(text(bytes.subarray(22, 44))).toBe(`00 00 ${zeros(16)} 25 00 00 00`);
    expect(text(bytes.subarray(44, 61))).toBe(text(data));
    expect(text(bytes.subarray(-4))).toBe('c5 c4 c3 c2');
    expect(tells.decoder()(bytes)).toEqual([tell(0x00101100, { data })]);
    // A device may also send few bytes so.
    const few = concat(bytes.subarray(0, 40), Uint8Array.of(0x18, 0, 0, 0), data.subarray(0, 4), bytes.subarray(61));
    expect(tells.decoder()(few)).toEqual([tell(0x00101100, { data: data.subarray(0, 4) })]);
  });
  test('the checksum is the MD5 sum of header and payload', () => {
    const m = tell(0x00180101, { data: Uint8Array.of(1, 2, 3, 4), md5: true, regarding: 7 });
    const bytes = tells.encode(m);
    expect(bytes[22]).toBe(1);
    expect(text(bytes.subarray(44, 60)).replaceAll(' ', '')).toBe(createHash('md5').update(bytes.subarray(0, 44)).digest('hex'));
    expect(tells.decoder()(bytes)).toEqual([m]);
    for (const at of [8, 25, 50]) {
      const wrong = bytes.slice();
      wrong[at] ^= 1;
      expect(decoded(tells.decoder, wrong)).toEqual([{ fault: 'PROTO_BAD_CRC', bytes: [...wrong] }]);
    }
  });
  test('what no wire can carry is a mistake of ours', () => {
    expect(() => asks.encode({ type: -1 })).toThrow('the message type is -1');
    expect(() => asks.encode({ type: 1, regarding: 0x100000000 })).toThrow('regarding');
    expect(() => asks.encode({ type: 1, data: new Uint8Array(OBP_LONGEST + 1) })).toThrow('is the most');
  });
});

describe('a stream', () => {
  const one = tells.encode(tell(0x00110000, { data: Uint8Array.of(1, 2, 3, 4), regarding: 5 }));
  const long = tells.encode(tell(0x00101100, { data: Uint8Array.from({ length: 2048 }, (_, i) => i % 251) }));
  const types = (said: readonly Said<ObpMessage>[]): string[] => said.map((m) => ('fault' in m ? m.fault : m.type.toString(16)));

  test('noise before, between and behind costs no message', () => {
    const stream = concat(Uint8Array.of(1, 0xc1, 2), one, Uint8Array.of(0xc1), long, Uint8Array.of(9, 9));
    expect(types(decoded(tells.decoder, stream, SILENCE))).toEqual(['PROTO_NOISE', '110000', 'PROTO_NOISE', '101100', 'PROTO_NOISE']);
  });
  test('a lost byte costs its own message and no other', () => {
    for (let lost = 0; lost < 64; lost++) {
      const stream = concat(long, one.subarray(0, lost), one.subarray(lost + 1), long, one);
      const said = decoded(tells.decoder, stream, SILENCE);
      expect(types(said.filter((m) => !('fault' in m)))).toEqual(['101100', '101100', '110000']);
      expect(said.some((m) => 'fault' in m)).toBe(true);
    }
  });
  test('a wrong footer, a length beyond the limit, other impossible lengths', () => {
    const changed = (...at: readonly (readonly [number, number])[]): Uint8Array => {
      const bytes = one.slice();
      for (const [i, byte] of at) bytes[i] = byte;
      return bytes;
    };
    const faults = (bytes: Uint8Array): string[] => types(decoded(tells.decoder, bytes, one));
    expect(faults(changed([63, 0xc3]))).toEqual(['PROTO_BAD_FOOTER', '110000']);
    expect(faults(changed([42, 0x02], [40, 0x15]))).toEqual(['PROTO_BAD_LENGTH', '110000']);
    expect(faults(changed([40, 19]))).toEqual(['PROTO_BAD_LENGTH', '110000']);
    expect(faults(changed([23, 17]))).toEqual(['PROTO_BAD_LENGTH', '110000']);
    expect(faults(changed([22, 2]))).toEqual(['PROTO_BAD_LENGTH', '110000']);
    // Data in the header and behind it.
    expect(faults(changed([40, 21]))).toEqual(['PROTO_BAD_LENGTH', '110000']);
  });
  test('a length that is too long swallows nothing for good', () => {
    const claims = one.slice();
    claims[23] = 0;
    claims[41] = 0x10;
    expect(types(decoded(tells.decoder, claims, one, SILENCE))).toEqual(['PROTO_UNFINISHED', '110000']);
  });
  test('what is cut by silence is unfinished, and the next is whole', () => {
    for (const length of [1, 2, 43, 44, 63]) {
      const said = decoded(tells.decoder, one.subarray(0, length), SILENCE, one);
      expect(types(said)).toEqual(['PROTO_UNFINISHED', '110000']);
    }
  });
  test('endless noise is bounded', () => {
    const faults = decoded(tells.decoder, new Uint8Array(100_000).fill(7));
    expect(faults).toHaveLength(24);
    for (const f of faults) expect(f).toMatchObject({ fault: 'PROTO_NOISE', bytes: { length: 4096 } });
  });
  test('any split of messages and noise decodes alike, and nothing throws', () => {
    const message = fc
      .record({
        type: fc.integer({ min: 0, max: 0xffffffff }),
        data: fc.uint8Array({ maxLength: 40 }),
        regarding: fc.integer({ min: 0, max: 0xffffffff }),
        flags: fc.integer({ min: 0, max: 0xffff }),
        md5: fc.boolean(),
      })
      .map((m) => tells.encode(full(m)));
    const starts = fc.constantFrom(Uint8Array.of(0xc1, 0xc0), Uint8Array.of(0xc1), new Uint8Array(4095).fill(3), one.subarray(0, 50));
    fc.assert(
      fc.property(fc.array(fc.oneof(message, noise(60), starts), { maxLength: 6 }), places, (pieces, at) => {
        const stream = concat(...pieces);
        const once = decoded(tells.decoder, ...(stream.length > 0 ? [stream] : []), SILENCE);
        expect(decoded(tells.decoder, ...cut(stream, at), SILENCE)).toEqual(once);
        const kept = once.flatMap((m) => ('fault' in m ? [...m.bytes] : [...tells.encode(m)]));
        expect(kept.length).toBe(stream.length);
      }),
    );
  });
  test('single bytes are as good as all at once', () => {
    const stream = concat(Uint8Array.of(5), long, one, one.subarray(0, 20));
    const single = Array.from(stream, (byte) => Uint8Array.of(byte));
    expect(decoded(tells.decoder, ...single, SILENCE)).toEqual(decoded(tells.decoder, stream, SILENCE));
  });
});

describe('which reply answers', () => {
  const q: ObpAsk = { type: OBP.integrationTime, regarding: 9 };
  test('by "regarding" and type', () => {
    expect(number?.(q, 12)).toMatchObject({ regarding: 12 });
    expect(number?.(q, 0x100000001)).toMatchObject({ regarding: 1 });
    expect(fits(tell(OBP.integrationTime, { regarding: 9 }), q)).toBe('answer');
    expect(fits(tell(OBP.integrationTime, { regarding: 8 }), q)).toBe('late');
    expect(fits(tell(OBP.triggerMode, { regarding: 9 }), q)).toBe('late');
  });
  test('our own echo, and what is deferred, is no answer', () => {
    expect(fits(full({ ...q, flags: OBP_FLAG.ackRequested }), q)).toBe('late');
    expect(fits(tell(OBP.integrationTime, { regarding: 9, error: 255 }), q)).toBe('late');
  });
  test('an acknowledgement and a refusal are, also one that bears the type for "regarding"', () => {
    expect(fits(tell(OBP.integrationTime, { regarding: 9, flags: OBP_FLAG.ack }), q)).toBe('answer');
    expect(fits(tell(OBP.integrationTime, { regarding: 9, flags: OBP_FLAG.nack, error: 2 }), q)).toBe('answer');
    expect(fits(tell(OBP.integrationTime, { regarding: OBP.integrationTime, flags: OBP_FLAG.nack, error: 2 }), q)).toBe('answer');
    expect(fits(tell(OBP.integrationTime, { regarding: OBP.integrationTime }), q)).toBe('late');
  });
});

describe('numbers', () => {
  test('little-endian, and too few bytes are none', () => {
    expect(obpUint(Uint8Array.of(0xa0, 0x86, 0x01, 0x00), 4)).toBe(100_000);
    expect(obpUint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 7), 4)).toBe(0xffffffff);
    expect(obpUint(Uint8Array.of(1, 2), 4)).toBeUndefined();
    expect([...obpBytes(1_600_000_000, 4)]).toEqual([0x00, 0x10, 0x5e, 0x5f]);
    expect(obpFloat(Uint8Array.of(9, 0x00, 0x00, 0x20, 0xc1), 1)).toBe(-10);
    expect(obpFloat(Uint8Array.of(0, 0, 0))).toBeUndefined();
  });
  test('the words of the data sheet for errors', () => {
    expect(obpError(2)).toBe('unknown message type');
    expect(obpError(77)).toBe('error 77');
  });
  test('message types as python-seabreeze has them', () => {
    const sent: readonly (readonly [number, number])[] = [
      [OBP.bufferedSpectrum, 0x00100928],
      [OBP.rawSpectrum, 0x00101100],
      [OBP.setIntegrationTime, 0x00110010],
      [OBP.setTriggerMode, 0x00110110],
      [OBP.wavelengthCount, 0x00180100],
      [OBP.wavelength, 0x00180101],
      [OBP.nonlinearityCount, 0x00181100],
      [OBP.nonlinearity, 0x00181101],
      [OBP.coolerTemperature, 0x00420004],
      [OBP.serialNumber, 0x00000100],
    ];
    for (const [ours, theirs] of sent) expect(ours).toBe(theirs);
  });
});

describe('payloads of spectra', () => {
  // struct OBP_Metadata_s of Ocean Optics' demo-qepro-api.c: count, 64-bit ticks, integration time, 2 reserved, trigger mode, 13 reserved.
  const qePro = hex(
    `07 00 00 00 15 81 e9 7d f4 10 22 11 a0 86 01 00 00 00 03 ${new Array(13).fill('00').join(' ')} e6 05 00 00 ff ff 03 00 01 00 04 00`,
  );
  test('QE Pro', () => {
    const tick = 0x112210f4 * 0x100000000 + 0x7de98115;
    expect(readSpectra('meta32', qePro)).toEqual([
      { count: 7, tick, exposure: 100_000, trigger: 3, counts: Uint32Array.of(1510, 262143, 1) },
    ]);
    const s = { count: 7, tick: 1234567890123456, exposure: 100_000, trigger: 3, counts: Uint32Array.of(1510, 262143) };
    expect(readSpectra('meta32', encodeSpectra('meta32', [s]))).toEqual([s]);
    expect(text(encodeSpectra('meta32', [s]).subarray(0, 20))).toBe('07 00 00 00 c0 ba 8a 3c d5 62 04 00 a0 86 01 00 00 00 03 00');
  });
  test('Ocean FX: several in one payload', () => {
    const head = '00 11 40 00 06 00 00 00 c0 ba 8a 3c d5 62 04 00 c8 00 00 00 01 00 00 00 2a 00 00 00';
    const bytes = hex(`${head} ${new Array(36).fill('00').join(' ')} d2 05 ff ff 00 00 aa bb cc dd`);
    const s = { tick: 1234567890123456, exposure: 200, count: 42, counts: Uint16Array.of(1490, 65535, 0) };
    expect(readSpectra('meta64', concat(bytes, bytes))).toEqual([s, s]);
    expect(readSpectra('meta64', encodeSpectra('meta64', [s, s]))).toEqual([s, s]);
    expect(readSpectra('meta64', new Uint8Array(0))).toEqual([]);
  });
  test('STS: pixels alone', () => {
    expect(readSpectra('u16', Uint8Array.of(0xff, 0x3f, 0xdc, 0x05))).toEqual([{ counts: Uint16Array.of(16383, 1500) }]);
    expect([...encodeSpectra('u16', [{ counts: Uint16Array.of(16383) }])]).toEqual([0xff, 0x3f]);
  });
  test('what is of another form is a sentence, whatever the bytes', () => {
    expect(readSpectra('u16', new Uint8Array(3))).toContain('3 bytes');
    expect(readSpectra('meta32', new Uint8Array(32))).toContain('32 bytes');
    expect(readSpectra('meta64', new Uint8Array(70))).toContain('70 bytes');
    fc.assert(
      fc.property(fc.constantFrom('u16', 'meta32', 'meta64'), noise(200), (form, bytes) => {
        const read = readSpectra(form, bytes);
        expect(typeof read === 'string' || Array.isArray(read)).toBe(true);
      }),
    );
    expect(() => encodeSpectra('meta32', [{ counts: Uint32Array.of(2 ** 18) }])).toThrow('a pixel');
  });
  test('wavelengths in metre; binned pixels stand in their middle', () => {
    expect([...pixelWavelengths([600, 0.5, 1e-3], 0, 0, 3, 0)]).toEqual([600e-9, 600.501 / 1e9, 601.004 / 1e9]);
    expect([...pixelWavelengths([600, 0.5], 0, 10, 1, 0)]).toEqual([605e-9]);
    expect([...pixelWavelengths([600, 0.5], 10, 10, 1, 0)]).toEqual([600e-9]);
    expect([...pixelWavelengths([600, 1], 0, 0, 2, 2)]).toEqual([601.5 / 1e9, 605.5 / 1e9]);
  });
});

describe('freshness', () => {
  const now: ObpSettings = { exposure: 1000, trigger: 0, scans: 1, binning: 0, buffered: true };
  const frame = (count: number, exposure = 1000, tick = count * 1000) => ({ count, exposure, tick, counts: new Uint16Array(1) });
  test('what waited and what ran is of before, when the settings were not known', () => {
    const fresh = new Freshness();
    expect(fresh.says(now, 2)).toBe(true);
    expect([1, 2, 3, 4].map((n) => fresh.takes(frame(n), now))).toEqual([false, false, false, true]);
    expect(fresh.says(now, 5)).toBe(false);
    expect(fresh.says({ ...now, scans: 2 }, 0)).toBe(true);
    expect([5, 6].map((n) => fresh.takes(frame(n), { ...now, scans: 2 }))).toEqual([false, true]);
  });
  test('a frame that says another exposure or trigger is none', () => {
    const fresh = new Freshness();
    fresh.began(now, 0);
    expect(fresh.takes(frame(1, 999), now)).toBe(false);
    expect(fresh.takes({ ...frame(2), trigger: 3 }, now)).toBe(false);
    expect(fresh.takes({ ...frame(3), trigger: 0 }, now)).toBe(true);
  });
  test('spectra that were overwritten are counted by their numbers', () => {
    const fresh = new Freshness();
    fresh.began(now, 0);
    for (const n of [10, 11, 15, 16, 3, 5]) fresh.takes(frame(n), now);
    expect(fresh.lost).toBe(3 + 1);
  });
  test('the quickest reply tells what lies between the clocks', () => {
    const fresh = new Freshness();
    fresh.began(now, 0);
    expect(fresh.endOf(frame(1, 1000, 1000), 51_000)).toBe(51_000);
    // Came 40 ms after its end, where the first came at once.
    expect(fresh.endOf(frame(2, 1000, 2000), 92_000)).toBeCloseTo(52_000, 0);
    // Quicker than the first: that one was late.
    expect(fresh.endOf(frame(3, 1000, 3000), 43_000)).toBe(43_000);
    expect(fresh.endOf({ counts: new Uint16Array(1) }, 77)).toBe(77);
    // The device has been switched on anew.
    expect(fresh.endOf(frame(4, 1000, 5), 90_000)).toBe(90_000);
  });
});

test('a serial number is text in the header', () => {
  const m = tell(OBP.serialNumber, { data: fromLatin1('QEP03738') });
  const [said] = tells.decoder()(tells.encode(m));
  expect(said).toEqual(m);
  expect(latin1(m.data)).toBe('QEP03738');
});
