import { OBP_FLAG, type ObpAsk, type ObpMessage, obp } from '../protocols/obp.ts';
import { familyOf, OBP_FAMILIES, type ObpFamilyName } from '../protocols/obp-family.ts';
import { Freshness, type ObpSettings } from '../protocols/obp-fresh.ts';
import { type ObpSpectrum, pixelWavelengths, readSpectra } from '../protocols/obp-spectrum.ts';
import { OBP, OBP_ERROR, obpBytes, obpError, obpFloat, obpName, obpUint } from '../protocols/obp-types.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Came,
  type Command,
  Garbled,
  type Here,
  instrument,
  type Kind,
  type Measured,
  NoReply,
  type Of,
  options,
  type Poll,
  Refused,
  type Talk,
  type Trace,
  whole,
  word,
} from '../src/instrument.ts';
import { celsius } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof obp> };
type Ask = Askers<L>;

interface Options {
  readonly family: ObpFamilyName;
  readonly checksum: 'none' | 'md5';
  readonly pixels: number;
  readonly first: number;
}

/** Questions that only some units know. */
const OPTIONAL = { scans: OBP.scans, buffering: OBP.buffering, cooler: OBP.coolerTemperature, lamp: OBP.lamp, strobe: OBP.strobe } as const;
type Optional = keyof typeof OPTIONAL;

interface Id {
  readonly serial: string;
  readonly firmware: string;
  readonly hardware: number;
  readonly pixels: number;
  /** Microseconds. */
  readonly limits: readonly [number, number];
  /** nm, by power of the pixel's index. */
  readonly wavelength: readonly number[];
  readonly nonlinearity: readonly number[];
  readonly sensors: number;
  readonly bufferSize: number;
  readonly binningMost: number;
  readonly has: { readonly [N in Optional]: boolean };
}

interface Shot {
  readonly settings: ObpSettings;
  readonly spectrum: ObpSpectrum;
  /** Spectra that were overwritten before this one could be read, since the unit was met. */
  readonly lost: number;
}
/** Why there can be none; or none yet. */
type Looked = Shot | { readonly nothing: string } | undefined;

const SLOWEST = 8; // s that a spectrum takes on a line of 9600 baud, and more
const TRIES = 12; // looks at what there is in one go
const MOST = 64; // spectra read in one go: what more there is comes the next time
const UNKNOWN: readonly number[] = [OBP_ERROR.unknownType, OBP_ERROR.absent];

const wrong = (m: ObpMessage): string | undefined =>
  m.error !== 0 || (m.flags & (OBP_FLAG.nack | OBP_FLAG.exception)) !== 0 ? obpError(m.error) : undefined;

function expected<T>(value: T | undefined, data: Uint8Array): T {
  if (value === undefined) throw new Garbled(`a reply of ${data.length} bytes is too short`);
  return value;
}
const uint = (data: Uint8Array, bytes: number): number => expected(obpUint(data, bytes), data);
const float = (data: Uint8Array, at = 0): number => expected(obpFloat(data, at), data);

/** Questions and orders, with or without a checksum; a refusal is a sentence. */
function speaker(p: Options) {
  const ask = (type: number, data?: Uint8Array): ObpAsk => ({ type, md5: p.checksum === 'md5', ...(data ? { data } : {}) });
  const refused = (type: number, why: string): NoReply => new NoReply(`the spectrometer refuses ${obpName(type)}: ${why}`);
  function* get(a: Ask, type: number, data?: Uint8Array, within?: number): Talk<Uint8Array> {
    const m = yield* a.main.ask(ask(type, data), within);
    const why = wrong(m);
    if (why) throw refused(type, why);
    return m.data;
  }
  /** Undefined where the unit does not know the message. */
  function* maybe(a: Ask, type: number): Talk<Uint8Array | undefined> {
    const m = yield* a.main.ask(ask(type));
    if (UNKNOWN.includes(m.error)) return undefined;
    const why = wrong(m);
    if (why) throw refused(type, why);
    return m.data;
  }
  /** An order is acknowledged. `optional`: a unit that does not know it does not need it. */
  function* tell(act: Actors<L>, type: number, data?: Uint8Array, optional = false): Talk<void> {
    const m = yield* act.main.exchange({ ...ask(type, data), flags: OBP_FLAG.ackRequested });
    const why = wrong(m);
    if (why && !(optional && UNKNOWN.includes(m.error))) throw refused(type, why);
  }
  return { get, maybe, tell };
}
type Speaker = ReturnType<typeof speaker>;

function* coefficients({ get, maybe }: Speaker, ask: Ask, count: number, type: number): Talk<readonly number[]> {
  const length = yield* maybe(ask, count);
  const found: number[] = [];
  for (let i = 0; i < (length?.[0] ?? 0); i++) found.push(float(yield* get(ask, type, Uint8Array.of(i))));
  return found;
}

function* identify(ask: Ask, p: Options): Talk<Id | Refused> {
  const speak = speaker(p);
  const family = familyOf(p.family);
  const number = function* (type: number, bytes: number, otherwise: number): Talk<number> {
    const data = yield* speak.maybe(ask, type);
    return data && data.length > 0 ? uint(data, Math.min(bytes, data.length)) : otherwise;
  };
  const serial = String.fromCharCode(...(yield* speak.get(ask, OBP.serialNumber))).replace(/[\0\s]+$/, '');
  const firmware = yield* number(OBP.firmwareRevision, 2, 0);
  const hardware = yield* number(OBP.hardwareRevision, 1, 0);
  const pixels = p.pixels || (yield* number(OBP.pixels, 4, family.pixels));
  if (p.family !== 'fx' && pixels !== family.pixels)
    return new Refused(`${serial} has ${pixels} pixels, and a ${p.family} has ${family.pixels}: give the right family`);
  const least = yield* number(OBP.integrationTimeMin, 4, family.limits[0]);
  const most = yield* number(OBP.integrationTimeMax, 4, family.limits[1]);
  const wavelength = yield* coefficients(speak, ask, OBP.wavelengthCount, OBP.wavelength);
  if (wavelength.some((c) => !Number.isFinite(c)))
    return new Refused(`the wavelength coefficients of ${serial} are no numbers: ${wavelength.join(', ')}`);
  const nonlinearity = (yield* coefficients(speak, ask, OBP.nonlinearityCount, OBP.nonlinearity)).filter(Number.isFinite);
  const sensors = yield* number(OBP.temperatureCount, 1, 0);
  const bufferSize = yield* number(OBP.bufferSizeMax, 4, 0);
  const binningMost = yield* number(OBP.binningMax, 1, 0);
  const has: Record<Optional, boolean> = { scans: false, buffering: false, cooler: false, lamp: false, strobe: false };
  for (const [name, type] of Object.entries(OPTIONAL)) has[name as Optional] = (yield* speak.maybe(ask, type)) !== undefined; // keys of OPTIONAL
  return {
    serial,
    firmware: `${(firmware >> 8).toString(16)}.${(firmware & 0xff).toString(16).padStart(2, '0')}`, // binary coded decimal
    hardware,
    pixels,
    limits: [least, most],
    wavelength,
    nonlinearity,
    sensors,
    bufferSize,
    binningMost,
    has,
  };
}

function traceOf(p: Options, id: Id, { settings, spectrum, lost }: Shot, end: number): Trace {
  const { active, dark, saturation, triggers } = familyOf(p.family);
  const [from, to] = active ?? [0, spectrum.counts.length - 1];
  const data = spectrum.counts.slice(from, to + 1);
  const exposure = spectrum.exposure ?? settings.exposure;
  let saturated = 0;
  for (const count of data) if (count >= saturation) saturated++;
  const wavelength = pixelWavelengths(id.wavelength, p.first, from, data.length, settings.binning);
  return {
    columns: { ...(id.wavelength.length > 0 ? { wavelength: { unit: 'm', data: wavelength } } : {}), counts: { unit: '1', data } },
    shape: [data.length],
    begin: end - exposure * settings.scans,
    end,
    settings: {
      serial: id.serial,
      exposure: exposure / 1e6,
      averaged: settings.scans,
      trigger: triggers[settings.trigger] ?? `mode ${settings.trigger}`,
      binning: 2 ** settings.binning,
      saturation,
      saturated,
      ...(dark ? { dark: dark.reduce((sum, i) => sum + spectrum.counts[i], 0) / dark.length } : {}),
      ...(spectrum.count === undefined ? {} : { count: spectrum.count, lost }),
      ...(spectrum.tick === undefined ? {} : { tick: spectrum.tick }),
      ...(id.nonlinearity.length > 0 ? { nonlinearity: id.nonlinearity.join(' ') } : {}),
    },
  };
}

/** Spectra, and orders after which none is given that was exposed before them. */
function exposures(p: Options, id: Id) {
  const family = familyOf(p.family);
  const { get, maybe, tell } = speaker(p);
  const fresh = new Freshness();
  const nameOf = (trigger: number): string => family.triggers[trigger] ?? `mode ${trigger}`;

  function* settings(ask: Ask): Talk<ObpSettings> {
    return {
      exposure: uint(yield* get(ask, OBP.integrationTime), 4),
      trigger: uint(yield* get(ask, OBP.triggerMode), 1),
      scans: id.has.scans ? Math.max(1, uint(yield* get(ask, OBP.scans), 2)) : 1,
      binning: id.binningMost > 0 ? uint(yield* get(ask, OBP.binning), 1) : 0,
      buffered: id.has.buffering ? uint(yield* get(ask, OBP.buffering), 1) !== 0 : id.bufferSize > 0,
    };
  }

  function* frames(ask: Ask, now: ObpSettings): Talk<readonly ObpSpectrum[]> {
    // Without a buffer the question waits for the exposure that runs, which may still be one of the settings before.
    const within = SLOWEST + (now.buffered ? 0 : (2 * fresh.longest) / 1e6);
    const read = readSpectra(family.form, yield* get(ask, family.get, family.form === 'meta64' ? obpBytes(1, 4) : undefined, within));
    if (typeof read === 'string') throw new Garbled(`no spectrum of a ${p.family}: ${read}`);
    const pixels = id.pixels >> now.binning;
    const other = read.find(({ counts }) => counts.length !== pixels);
    if (other) throw new Garbled(`a spectrum of ${other.counts.length} pixels, and ${pixels} are expected`);
    return read;
  }

  /** The newest spectrum while it exposes by itself; the oldest that waits where each one was triggered. */
  function* look(ask: Ask): Talk<Looked> {
    let best: Shot | undefined;
    let total = 0;
    let chunk = 2; // spectra of one step, doubled with each
    let goal = Number.POSITIVE_INFINITY; // fewer than this must wait after a step, or reading is slower than exposing
    for (let tries = 0; tries < TRIES; tries++) {
      const { epoch } = fresh;
      const now = yield* settings(ask);
      const waits = family.waits.includes(nameOf(now.trigger));
      const waiting = now.buffered ? uint(yield* get(ask, OBP.buffered), 4) : 0;
      if (epoch !== fresh.epoch || fresh.says(now, waiting)) best = undefined;
      if (epoch !== fresh.epoch) continue;
      if (now.buffered && waiting === 0) {
        if (best) return best;
        const idle = yield* maybe(ask, OBP.idle);
        return idle?.[0] ? { nothing: 'the spectrometer is idle: nothing is exposed before the order "run"' } : undefined;
      }
      if (!now.buffered && waits)
        return { nothing: `trigger "${nameOf(now.trigger)}" without a buffer: a spectrum would hold up the line` };
      // A buffer that fills as fast as it is read has no newest.
      if (best && waiting >= goal) return best;
      goal = waiting;
      const steps = now.buffered && !waits ? Math.min(waiting, chunk, MOST - total) : 1;
      chunk *= 2;
      for (let i = 0; i < steps; i++) {
        const read = yield* frames(ask, now);
        total++;
        if (!now.buffered && uint(yield* get(ask, OBP.integrationTime), 4) !== now.exposure) fresh.doubt();
        if (epoch !== fresh.epoch) break;
        for (const spectrum of read) if (fresh.takes(spectrum, now)) best = { settings: now, spectrum, lost: fresh.lost };
      }
      if (epoch !== fresh.epoch) {
        best = undefined;
        continue;
      }
      if (best && (!now.buffered || waits || waiting <= 1 || total >= MOST)) return best;
    }
    return best;
  }

  /** Abort, change, clear, acquire: QE Pro data sheet, page 13. Without a buffer one spectrum may be ready and another be exposed. */
  function* changing(act: Actors<L>, type: number, data: Uint8Array): Talk<void> {
    fresh.doubt();
    const { buffered } = yield* settings(act);
    const idle = buffered ? ((yield* maybe(act, OBP.idle))?.[0] ?? 0) !== 0 : false;
    if (buffered) yield* tell(act, OBP.abort, undefined, true);
    let failed: unknown;
    try {
      yield* tell(act, type, data);
    } catch (error) {
      failed = error; // what was stopped goes on all the same
    }
    if (buffered) yield* tell(act, OBP.clearBuffer, undefined, true);
    const now = yield* settings(act);
    if (buffered && !idle) yield* tell(act, OBP.acquire, undefined, true);
    fresh.doubt();
    if (failed) throw failed;
    fresh.began(now, now.buffered ? 0 : 2);
  }

  function* running(act: Actors<L>, on: boolean): Talk<void> {
    fresh.doubt();
    yield* tell(act, on ? OBP.acquire : OBP.abort);
    fresh.doubt();
  }
  return { fresh, nameOf, look, changing, running };
}
type Exposures = ReturnType<typeof exposures>;

type Plain = Poll<L, Readonly<Record<string, Kind>>, Uint8Array>;

/** The settings and sensors that this unit has, one question each. */
function plainPolls(p: Options, id: Id, { nameOf }: Exposures): readonly Plain[] {
  const family = familyOf(p.family);
  const { get } = speaker(p);
  const one = (
    name: string,
    kind: Kind,
    type: number,
    every: number,
    read: (d: Uint8Array) => number | boolean | string,
    data: readonly number[],
  ): Plain => ({
    gives: { [name]: kind },
    every,
    talk: (ask) => get(ask, type),
    read: (d) => ({ [name]: read(d) }),
    example: [Uint8Array.from(data), { [name]: read(Uint8Array.from(data)) }],
    ...(kind === 'K' ? { span: { [name]: [150, 400] } } : {}),
    ...(kind === 'state' ? { words: { [name]: Object.values(family.triggers) } } : {}),
  });
  const number = (name: string, type: number, bytes: number): Plain =>
    one(name, '1', type, 2, (d) => uint(d, bytes), [3, ...new Array<number>(bytes - 1).fill(0)]);
  const flag = (name: string, type: number, when = true): Plain => one(name, 'flag', type, 2, (d) => (uint(d, 1) !== 0) === when, [1]);
  const polls: Plain[] = [
    one('integration_time', 's', OBP.integrationTime, 2, (d) => uint(d, 4) / 1e6, [0xa0, 0x86, 0x01, 0x00]),
    one('trigger', 'state', OBP.triggerMode, 2, (d) => nameOf(uint(d, 1)), [0]),
  ];
  if (id.has.scans) polls.push(number('averaged', OBP.scans, 2));
  if (id.binningMost > 0) polls.push(one('binning', '1', OBP.binning, 2, (d) => 2 ** uint(d, 1), [1]));
  if (id.bufferSize > 0)
    polls.push(number('waiting', OBP.buffered, 4), number('buffer_size', OBP.bufferSize, 4), flag('running', OBP.idle, false));
  if (id.has.buffering) polls.push(flag('buffering', OBP.buffering));
  if (id.has.lamp) polls.push(flag('lamp', OBP.lamp));
  if (id.has.strobe) polls.push(flag('strobe', OBP.strobe));
  if (id.has.cooler)
    polls.push(one('detector_temperature', 'K', OBP.coolerTemperature, 5, (d) => celsius(float(d)), [0x00, 0x00, 0x20, 0xc1]));

  const sensors = Array.from({ length: id.sensors }, (_, i) =>
    family.temperatures.length > 0 ? family.temperatures[i] : `temperature_${i}`,
  );
  const names = sensors.filter((n): n is string => n !== undefined && !(id.has.cooler && n === 'detector_temperature'));
  const kelvin = (degrees: number): Measured<'K'> =>
    Number.isFinite(degrees) ? { quality: 'good', value: celsius(degrees) } : bad('the sensor gives no number');
  if (names.length > 0)
    polls.push({
      gives: Object.fromEntries(names.map((n) => [n, 'K' as const])),
      every: 5,
      talk: (ask) => get(ask, OBP.temperatures),
      read: (d) => Object.fromEntries(names.map((n) => [n, kelvin(float(d, 4 * sensors.indexOf(n)))])),
      example: [
        Uint8Array.from(sensors.flatMap(() => [0x00, 0x00, 0xc8, 0x41])),
        Object.fromEntries(names.map((n) => [n, { quality: 'good' as const, value: 298.15 }])),
      ],
      span: Object.fromEntries(names.map((n) => [n, [150, 400] as const])),
    });
  return polls;
}

type Ordered = Exclude<Kind, 'trace'>;

function commandsOf(p: Options, id: Id, { changing, running }: Exposures): Readonly<Record<string, Command<L, never>>> {
  const family = familyOf(p.family);
  const { tell } = speaker(p);
  const all: Record<string, Command<L, never>> = {};
  /** The order `name`, shown by the channel `name`. */
  const add = <K extends Ordered>(
    name: string,
    takes: K,
    about: string,
    talk: (act: Actors<L>, value: Of<K>, here: Here) => Talk<void>,
    more: Partial<Command<L, K>> = {},
  ): void => {
    const command: Command<L, K> = {
      takes,
      about,
      readback: { channel: name, within: 5, by: 0.5 },
      renews: { spectrum: 1 }, // beside all else: the exposure that was running when it was given
      talk: (act, value, _index, here) => talk(act, value as Of<K>, here), // K is no 'nothing'
      ...more,
    };
    all[name] = command as unknown as Command<L, never>; // commands of different values in one list
  };
  const setter =
    <V>(type: number, data: (value: V) => Uint8Array) =>
    (act: Actors<L>, value: V, here: Here): Talk<void> =>
      here.atomic(changing(act, type, data(value)));
  const flag = (value: boolean): Uint8Array => Uint8Array.of(Number(value));
  const trigger = (name: string): number => Number(Object.keys(family.triggers).find((n) => family.triggers[Number(n)] === name));

  add(
    'integration_time',
    's',
    'integration time of one scan',
    setter(OBP.setIntegrationTime, (s) => obpBytes(Math.round(s * 1e6), 4)),
    {
      limits: [id.limits[0] / 1e6, id.limits[1] / 1e6],
      readback: { channel: 'integration_time', within: 5, by: 6e-7 },
    },
  );
  add(
    'trigger',
    'state',
    'what an exposure begins with',
    setter(OBP.setTriggerMode, (w) => Uint8Array.of(trigger(w))),
    {
      // Where nothing is kept for later, waiting for a trigger would hold up the line.
      words: Object.values(family.triggers).filter((w) => id.bufferSize > 0 || !family.waits.includes(w)),
    },
  );
  if (id.has.scans)
    add(
      'averaged',
      '1',
      'scans in one spectrum',
      setter(OBP.setScans, (n) => obpBytes(Math.round(n), 2)),
      { limits: [1, 5000] },
    );
  if (id.binningMost > 0)
    add(
      'binning',
      '1',
      'pixels that make one: 1, 2, 4 ...',
      setter(OBP.setBinning, (n) => Uint8Array.of(Math.round(Math.log2(n)))),
      {
        limits: [1, 2 ** id.binningMost],
      },
    );
  if (id.bufferSize > 0) {
    add(
      'buffer_size',
      '1',
      'spectra that the buffer holds',
      setter(OBP.setBufferSize, (n) => obpBytes(Math.round(n), 4)),
      {
        limits: [1, id.bufferSize],
      },
    );
    add('running', 'flag', 'exposes, or stops', (act, on, here) => here.atomic(running(act, on)));
  }
  if (id.has.buffering) add('buffering', 'flag', 'keeps spectra until they are read', setter(OBP.setBuffering, flag));
  if (id.has.lamp) add('lamp', 'flag', 'the line that switches a lamp', setter(OBP.setLamp, flag));
  if (id.has.strobe) add('strobe', 'flag', 'the continuous strobe', setter(OBP.setStrobe, flag));
  const pulse: Command<L, 'nothing'> = {
    takes: 'nothing',
    about: 'does what an edge at the trigger input does',
    talk: (act) => tell(act, OBP.triggerPulse),
  };
  return { ...all, pulse: pulse as unknown as Command<L, never> }; // as above
}

function spectrumPoll(
  p: Options,
  id: Id,
  { fresh, look }: Exposures,
): Poll<L, { readonly spectrum: 'trace'; readonly saturated: '1' }, Looked> {
  const example: Shot = {
    settings: { exposure: 100_000, trigger: 0, scans: 1, binning: 0, buffered: true },
    spectrum: { counts: Uint16Array.from({ length: id.pixels }, () => 1500) },
    lost: 0,
  };
  return {
    gives: { spectrum: 'trace', saturated: '1' },
    every: 0.5,
    talk: look,
    read(m, came: Came) {
      if (m === undefined) return {};
      if ('nothing' in m) return { spectrum: bad(m.nothing), saturated: bad(m.nothing) };
      // A spectrum without a stamp ended when the question was asked that followed it.
      const stamped = m.spectrum.tick !== undefined;
      const value = traceOf(p, id, m, Math.min(fresh.endOf(m.spectrum, stamped ? came.t : came.asked), came.t));
      const t = value.end;
      const saturated: Measured<'1'> = { quality: 'good', t, value: Number(value.settings.saturated) };
      if (value.columns.wavelength) return { spectrum: { quality: 'good', t, value }, saturated };
      return { spectrum: { quality: 'suspect', why: 'it has no wavelength calibration', t, value }, saturated };
    },
    example: [example, { spectrum: { quality: 'good', value: traceOf(p, id, example, 0) }, saturated: { quality: 'good', value: 0 } }],
  };
}

/** Ocean Optics / Ocean Insight spectrometers that speak OBP over RS-232 or TCP: QE Pro, Ocean FX and HDX, STS. */
export default instrument<L, Options, Id>({
  model: 'Ocean OBP spectrometer',
  source:
    'Ventana data sheet 891-00000-200-05-201305; demo-qepro-api.c and OBPMessageTypes.h of SeaBreeze; ap--/python-seabreeze; packet capture of an Ocean FX (TCP 57357); tried on no instrument yet',
  proven: 'third-party driver',
  options: options<Options>({
    family: word('which', OBP_FAMILIES),
    checksum: word('checksum of the questions', ['none', 'md5'] as const, 'none'),
    pixels: whole('pixels of an fx that does not say it itself, 0 to ask', 0, 65536, 0),
    first: whole('pixel from which the wavelength polynomial counts', -64, 64, 0),
  }),
  links: { main: obp() },
  identify,
  body(p, id) {
    const made = exposures(p, id);
    return { polls: [spectrumPoll(p, id, made), ...plainPolls(p, id, made)], commands: commandsOf(p, id, made) };
  },
});
