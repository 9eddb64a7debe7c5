import { type AbcdEvent, type AbcdFile, abcdFile, encodeAbcd } from '../protocols/abcd.ts';
import { gauss, options, simulator, whole } from '../src/simulator.ts';
import { type DetectorWorld, detector, type LightEvent } from './worlds/detector.ts';
import { type Given, setupFields } from './worlds/detector-setup.ts';

interface Options extends Given {
  readonly every: number;
  readonly channels: number;
}
interface State {
  /** What the rig says of the detector, until the world has been told. */
  setup: Given | undefined;
  readonly name: string;
  readonly every: number;
  readonly channels: number;
  /** The last flash that is in a file, and the number of the next file. */
  seen: number;
  waiting: LightEvent[];
  number: number;
}

const TICKS = 512e9; // 2 ns / 1024
const GAIN = 20; // counts of the long gate per photoelectron
const SLOW_LATE = 0.8; // of the slow light comes after the short gate, and so much of the fast
const FAST_LATE = 0.1;
const LEAST = 3; // photoelectrons: the threshold of a channel

/** The channels that a flash lights, each with its gates; a board reads channel after channel, so their times go back and forth. */
function eventsOf(s: State, w: DetectorWorld, { n, t, pe, slow }: LightEvent): AbcdEvent[] {
  return Array.from({ length: s.channels }, (_, channel) => channel)
    .filter((channel) => (pe[channel] ?? 0) * w.gain(channel, t) >= LEAST)
    .map((channel) => {
      const noise = (what: string): number => gauss(w.seed, `${s.name} ${what} ${channel}`, n);
      const long = Math.max(0, (pe[channel] ?? 0) * GAIN * w.gain(channel, t) + 5 * noise('long'));
      const late = (slow[channel] ?? 0) * SLOW_LATE + (1 - (slow[channel] ?? 0)) * FAST_LATE;
      const counts = (x: number): number => Math.min(0xffff, Math.max(0, Math.round(x)));
      return {
        timestamp: Math.round(t * TICKS + 512 * Math.abs(noise('time'))),
        short: counts(long * (1 - late) + 3 * noise('short')),
        long: counts(long),
        baseline: counts(61_850 + 3 * noise('baseline')),
        channel,
        group: n & 0xff,
      };
    });
}

function files(s: State, w: DetectorWorld, t: number): readonly AbcdFile[] {
  s.waiting.push(...w.events(s.seen));
  s.seen = s.waiting.at(-1)?.n ?? s.seen;
  if (t < s.every * s.number) return [];
  const number = s.number++;
  const flashes = s.waiting.splice(0);
  // ABCD writes blocks as they come from the board's channels: one after the other within a block.
  const events = flashes.flatMap((flash) => eventsOf(s, w, flash)).sort((a, b) => a.channel - b.channel || a.timestamp - b.timestamp);
  return events.length === 0 ? [] : [{ name: `run${String(number).padStart(4, '0')}_events.ade`, bytes: encodeAbcd(events) }];
}

/** The ABCD program beside a digitizer that sees the detector: it saves the events of every `every` seconds as one file. */
export default simulator({
  options: options<Options>({
    every: whole('seconds of one file', 1, 3600, 10),
    channels: whole('of the board', 1, 64, 16),
    ...setupFields,
  }),
  links: { main: abcdFile() },
  world: detector,
  state: (p: Options, name): State => {
    const { every, channels, ...setup } = p;
    return { setup, name, every, channels, seen: 0, waiting: [], number: 1 };
  },
  answer: {},
  unasked: { main: { every: 0.1, say: (s, w, t) => files(s, w, t) } },
  tick: (s, w) => {
    if (!s.setup) return;
    w.configure(s.setup);
    s.setup = undefined;
  },
});
