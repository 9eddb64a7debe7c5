/** CAEN WaveDump files as hits: one a recorded waveform. */
import { EVENT_NUMBERS, WAVEDUMP_HEADER, type WaveDumpHeader, waveDumpHeader, waveDumpSamples } from '../../protocols/wavedump.ts';
import { FLAG, type HitSource, hits, type SourceCounts, sourceCounts } from './hits.ts';

/** Nanoseconds of the trigger time tag's tick: 125 MHz on the 720, 725, 730, 740 and 751 (CAEN UM3148); 10 on the 724, 8.53 on the 742. */
export const WAVEDUMP_TICK = 8;
/** The 32nd bit is a roll-over flag, unless the extended time tag is switched on (CAEN UM3148): then there are 32 of them. */
export const WAVEDUMP_TIME_BITS = 31;

/** Of one waveform; `time` in samples since its first one, NaN where there is none. */
export interface Pulse {
  readonly baseline: number;
  readonly noise: number;
  readonly peak: number;
  readonly charge: number;
  readonly tail: number;
  readonly time: number;
  readonly flags: number;
}

export interface WaveDumpSettings {
  /** Looks at one waveform; the samples are overwritten after the call. */
  readonly pulse: (samples: Float64Array, channel: number) => Pulse;
  /** Nanoseconds of a tick of the trigger's time, and how many of its bits count. */
  readonly tick?: number;
  readonly timeBits?: number;
  /** Nanoseconds between two samples: then a hit's time is that of its pulse. Otherwise it is the trigger's. */
  readonly sample?: number;
  /** Bytes of a sample. */
  readonly width?: 1 | 2;
  /** The number that a channel of a board has here; undefined: there is no such board. */
  readonly numbered?: (board: number, channel: number) => number | undefined;
}

export interface WaveDumpSource extends HitSource {
  /** Samples of the events: the least and the most. */
  readonly samples: { least: number; most: number };
  /** The highest sample of all, and how many events reach it. */
  readonly highest: { sample: number; events: number };
}

const BLOCK = 1024;
const GAP = 1024; // event numbers of a gap that are remembered
const GAPS = 65_536; // and of all gaps

/**
 * A hit for each event, also where its waveform holds no pulse (flagged empty). Times are unrolled: between two events of a channel the
 * counter has gone round once at most (17 s of 31 bits at 8 ns); more turns cannot be seen. An event that goes back to an earlier number is
 * counted as late and given on, and is missing no more; one with the number and time of the one before is counted as doubled and not given on. After a damaged
 * header the next one of the same board, with a channel and a size that were there before, is looked for; what lies between is junk.
 */
export function waveDumpSource(settings: WaveDumpSettings): WaveDumpSource {
  const { pulse, tick = WAVEDUMP_TICK, timeBits = WAVEDUMP_TIME_BITS, sample = 0, width = 2 } = settings;
  const numbered = settings.numbered ?? ((_, channel) => channel);
  const counts: SourceCounts = sourceCounts();
  const samples = { least: Number.POSITIVE_INFINITY, most: 0 };
  const highest = { sample: -1, events: 0 };
  const block = hits(BLOCK);
  const clocks = new Map<number, { number: number; raw: number; ticks: number }>();
  const gaps = new Set<string>(); // event numbers that are counted as missing, while they may still come
  const sizes = new Set<number>();
  const turn = 2 ** timeBits;
  let record = new Float64Array(0);
  let carry = new Uint8Array(0);
  let held = 0;
  let board: number | undefined;
  let lost = false;
  let over = false;

  const flush = (give: (b: typeof block) => void): void => {
    if (block.count > 0) give(block);
    block.count = 0;
  };

  /** Ticks since the counter began; undefined for an event that came twice. */
  const unrolled = (channel: number, header: WaveDumpHeader): number | undefined => {
    const raw = header.time % turn;
    const { number } = header;
    const clock = clocks.get(channel);
    if (!clock) {
      clocks.set(channel, { number, raw, ticks: raw });
      return raw;
    }
    const round = Math.max(number, clock.number) < EVENT_NUMBERS ? EVENT_NUMBERS : 2 ** 32;
    const ahead = forward(number - clock.number, round);
    if (ahead === 0 && raw === clock.raw) return undefined;
    const back = ahead < 0 && number !== 0; // at 0 the run was started again, and time goes on
    if (ahead > 1) counts.missing += ahead - 1;
    if (gaps.size > GAPS) gaps.clear();
    for (let k = 1; k < Math.min(ahead, GAP); k++) gaps.add(`${channel} ${(number - k + round) % round}`);
    if (ahead < 0) counts.late++;
    if (ahead < 0 && gaps.delete(`${channel} ${number}`)) counts.missing--;
    let passed = (raw - clock.raw + turn) % turn;
    if (back && passed > turn / 2) passed -= turn;
    const ticks = clock.ticks + passed;
    if (!back) clocks.set(channel, { number, raw, ticks });
    return ticks;
  };

  const event = (bytes: Uint8Array, at: number, header: WaveDumpHeader, channel: number, give: (b: typeof block) => void): void => {
    counts.frames++;
    const ticks = unrolled(channel, header);
    if (ticks === undefined) {
      counts.doubled++;
      return;
    }
    const n = Math.floor((header.size - WAVEDUMP_HEADER) / width);
    if (record.length < n) record = new Float64Array(n);
    waveDumpSamples(bytes, at, header.size, width, record);
    samples.least = Math.min(samples.least, n);
    samples.most = Math.max(samples.most, n);
    let top = -1;
    for (let i = 0; i < n; i++) top = Math.max(top, record[i] ?? 0);
    if (top > highest.sample) Object.assign(highest, { sample: top, events: 0 });
    if (top === highest.sample) highest.events++;
    const p = pulse(record.subarray(0, n), channel);
    const i = block.count++;
    block.t[i] = ticks * tick + (sample > 0 && Number.isFinite(p.time) ? p.time * sample : 0);
    block.channel[i] = channel;
    block.charge[i] = p.charge;
    block.tail[i] = p.tail;
    block.peak[i] = p.peak;
    block.baseline[i] = p.baseline;
    block.noise[i] = p.noise;
    block.flags[i] = p.flags | (lost ? FLAG.lostBefore : 0);
    block.frame[i] = header.number;
    lost = false;
    counts.hits++;
    if (block.count === BLOCK) flush(give);
  };

  /** One that was there before is believed; another one where it can be the next. */
  const fits = (header: WaveDumpHeader | undefined): header is WaveDumpHeader =>
    header !== undefined &&
    (board === undefined || header.board === board) &&
    (header.size - WAVEDUMP_HEADER) % width === 0 &&
    numbered(header.board, header.channel) !== undefined;
  const known = (header: WaveDumpHeader | undefined): boolean =>
    fits(header) && sizes.has(header.size) && clocks.has(numbered(header.board, header.channel) ?? -1);

  /** The next known header from `at` on, or the first byte at which one could still begin. */
  const search = (bytes: Uint8Array, at: number): number => {
    while (at + WAVEDUMP_HEADER <= bytes.length && !known(waveDumpHeader(bytes, at))) at++;
    return at;
  };

  /** Gives what is whole; the offset of what is kept. */
  const read = (bytes: Uint8Array, give: (b: typeof block) => void): number => {
    let at = 0;
    let damaged = lost;
    while (at + WAVEDUMP_HEADER <= bytes.length) {
      const header = waveDumpHeader(bytes, at);
      const good = damaged ? known(header) : fits(header);
      if (good && header) {
        const next = at + header.size;
        const strange = sizes.size > 0 && !sizes.has(header.size);
        // Of an unknown size: the next header must bear it out.
        const whole = next <= bytes.length && (!strange || next + WAVEDUMP_HEADER <= bytes.length || over);
        if (!whole && !(strange && over)) return at;
        const borne = !strange || (next <= bytes.length && (next === bytes.length || fits(waveDumpHeader(bytes, next))));
        if (borne) {
          board ??= header.board;
          sizes.add(header.size);
          if (damaged) counts.resynced++;
          event(bytes, at, header, numbered(header.board, header.channel) ?? 0, give);
          damaged = false;
          at = next;
          continue;
        }
        if (over && search(bytes, at + 4) + WAVEDUMP_HEADER > bytes.length) return at; // only its end is not there
      }
      if (!damaged) {
        counts.damaged++;
        damaged = true;
        lost = true;
      }
      const found = search(bytes, at + 1);
      counts.junk += found - at;
      at = found;
    }
    return at;
  };

  const keep = (bytes: Uint8Array): void => {
    if (carry.length < bytes.length) {
      const larger = new Uint8Array(Math.max(bytes.length, Math.min(2 * carry.length, 2 ** 27)));
      larger.set(bytes);
      carry = larger;
    } else if (bytes.buffer === carry.buffer) carry.copyWithin(0, bytes.byteOffset, bytes.byteOffset + bytes.length);
    else carry.set(bytes);
    held = bytes.length;
  };

  return {
    counts,
    samples,
    highest,
    take(bytes, _now, give) {
      counts.bytes += bytes.length;
      let all = bytes;
      if (held > 0) {
        if (carry.length < held + bytes.length) {
          const larger = new Uint8Array(Math.max(held + bytes.length, Math.min(2 * carry.length, 2 ** 27)));
          larger.set(carry.subarray(0, held));
          carry = larger;
        }
        carry.set(bytes, held);
        all = carry.subarray(0, held + bytes.length);
      }
      keep(all.subarray(read(all, give)));
      flush(give);
    },
    end(give) {
      over = true;
      const all = carry.subarray(0, held);
      const at = read(all, give);
      if (lost && !known(waveDumpHeader(all, at))) counts.junk += all.length - at;
      else counts.cutOff += all.length - at;
      held = 0;
      flush(give);
    },
  };
}

/** A step of a counter that begins again at `turn`, from minus half a turn to half a turn. */
function forward(step: number, turn: number): number {
  const ahead = ((step % turn) + turn) % turn;
  return ahead > turn / 2 ? ahead - turn : ahead;
}
