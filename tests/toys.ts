/** A plain instrument with one command of each sort, and its simulator that writes down all that changes it. For tests of the core. */
import { text } from '../protocols/text.ts';
import type { Catalogue } from '../src/catalogue.ts';
import { type Actors, bad, type Command, instrument, NoReply, options, poll, type Takes, type Talk, whole } from '../src/instrument.ts';
import type { Rig } from '../src/rig.ts';
import { simulator, world } from '../src/simulator.ts';

type L = { readonly main: ReturnType<typeof text> };
const wire = text({ ask: '\n', tell: '\n' });
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
function* set(act: Actors<L>, words: string): Talk<void> {
  const said = yield* act.main.exchange(words);
  if (said !== 'OK') throw new NoReply(`the toy says ${said}`);
}
const asNumber = (m: string): number => Number(m.slice(m.indexOf('=') + 1));

export const toy = instrument<L, { readonly serial: number }, { readonly serial: string }>({
  model: 'Toy',
  source: 'the simulator beside it',
  options: options<{ readonly serial: number }>({ serial: whole('serial number in its simulator', 0, 99, 1) }),
  links: { main: wire },
  within: 0.2,
  proof: { main: { ask: () => '*IDN?', is: (m) => m.startsWith('TOY,') } },
  *identify(ask) {
    return { serial: yield* ask.main.ask('*IDN?') };
  },
  body: () => ({
    polls: [
      poll<L, { output: 'flag' }>({
        ask: 'OUT?',
        every: 0.1,
        gives: { output: 'flag' },
        read: (m) => ({ output: m === 'OUT=?' ? bad('the toy does not know') : m === 'OUT=1' }),
        example: ['OUT=1', { output: true }],
      }),
      poll<L, { level: 'V' }>({
        ask: 'LEV?',
        every: 0.1,
        gives: { level: 'V' },
        read: (m) => ({ level: asNumber(m) }),
        example: ['LEV=2.5', { level: 2.5 }],
        span: { level: [-100, 100] },
      }),
      poll<L, { bias: 'V' }>({
        ask: 'BIAS?',
        every: 0.1,
        gives: { bias: 'V' },
        read: (m) => ({ bias: m.slice(5).split(',').map(Number) }),
        example: ['BIAS=1,2,3', { bias: [1, 2, 3] }],
      }),
      poll<L, { fast: '1' }>({
        ask: 'FAST?',
        every: 0.05,
        gives: { fast: '1' },
        read: (m) => ({ fast: asNumber(m) }),
        example: ['FAST=7', { fast: 7 }],
      }),
    ],
    commands: {
      output: command<'flag'>({
        takes: 'flag',
        safe: false,
        talk: (act, on) => set(act, `OUT ${on ? 1 : 0}`),
        readback: { channel: 'output', within: 1, by: 0 },
      }),
      level: command<'V'>({
        takes: 'V',
        limits: [0, 10],
        talk: (act, v) => set(act, `LEV ${v.toFixed(2)}`),
        readback: { channel: 'level', within: 1, by: 0.006 },
      }),
      bias: command<'V'>({
        takes: 'V',
        count: 3,
        limits: [0, 50],
        safe: 0,
        talk: (act, v, i, here) => here.atomic(set(act, `BIAS ${i} ${v}`)),
        readback: { channel: 'bias', within: 1, by: 1e-6 },
      }),
      fresh: command<'V'>({ takes: 'V', talk: (act, v) => set(act, `LEV ${v}`), renews: { level: 2, bias: 1 } }),
      ramp: command<'V'>({
        takes: 'V',
        *talk(act, v, _, here) {
          yield* set(act, `LEV ${v / 2}`);
          yield* here.wait(2);
          yield* set(act, `LEV ${v}`);
        },
        readback: { channel: 'level', within: 1, by: 0.006 },
      }),
      twice: command<'V'>({
        takes: 'V',
        *talk(act, v, _, here) {
          yield* here.atomic(
            (function* () {
              yield* set(act, `LEV ${v}`);
              yield* here.wait(0.5);
              yield* set(act, `LEV ${v + 1}`);
            })(),
          );
        },
      }),
      stuck: command<'V'>({ takes: 'V', talk: (act) => set(act, 'STUCK'), readback: { channel: 'level', within: 1, by: 0.1 } }),
      unread: command<'V'>({ takes: 'V', talk: (act) => set(act, 'STUCK'), readback: { channel: 'nothing', within: 1, by: 0.1 } }),
      mute: command<'nothing'>({ takes: 'nothing', talk: (act) => set(act, 'MUTE') }),
      forbidden: command<'nothing'>({ takes: 'nothing', talk: (act) => set(act, 'FORBIDDEN') }),
      beep: command<'nothing'>({ takes: 'nothing', talk: (act) => act.main.send('BEEP') }),
      mode: command<'state'>({ takes: 'state', words: ['dc', 'ac'], talk: (act, word) => set(act, `MODE ${word}`) }),
      broken: command<'nothing'>({
        takes: 'nothing',
        talk: () => {
          throw new Error('cannot even begin');
        },
      }),
      unsayable: command<'nothing'>({ takes: 'nothing', talk: (act) => act.main.send('two\nlines') }),
    },
  }),
});

export interface ToyState {
  serial: number;
  output: boolean;
  level: number;
  readonly bias: number[];
  fast: number;
  /** Silent to everything. */
  dead: boolean;
  /** Says that it does not know whether its output is on. */
  unsure: boolean;
  /** Answers OK and does not switch off. */
  welded: boolean;
  /** All that was to change it, with the time in seconds. */
  readonly heard: { readonly t: number; readonly text: string }[];
}

const nowhere = world({ name: 'nowhere', tick: 1, make: () => ({ step() {} }) });
type W = ReturnType<typeof nowhere.make>;

export const toySimulator = simulator<L, ToyState, W, { readonly serial: number }>({
  options: options<{ readonly serial: number }>({ serial: whole('serial number', 0, 99, 1) }),
  links: { main: wire },
  state: ({ serial }) => ({
    serial,
    output: false,
    level: 0,
    bias: [0, 0, 0],
    fast: 0,
    dead: false,
    unsure: false,
    welded: false,
    heard: [],
  }),
  world: nowhere,
  answer: {
    main(q, s, _w, t) {
      if (s.dead) return [];
      const [head, a, b] = q.split(' ');
      if (q.endsWith('?')) {
        if (head === '*IDN?') return [`TOY,${s.serial}`];
        if (head === 'OUT?') return [s.unsure ? 'OUT=?' : `OUT=${s.output ? 1 : 0}`];
        if (head === 'LEV?') return [`LEV=${s.level}`];
        if (head === 'BIAS?') return [`BIAS=${s.bias.join(',')}`];
        if (head === 'FAST?') return [`FAST=${s.fast++}`];
        return [];
      }
      s.heard.push({ t, text: q });
      if (head === 'MUTE' || head === 'BEEP') return [];
      if (head === 'FORBIDDEN') return ['NO'];
      if (head === 'OUT' && !(s.welded && a === '0')) s.output = a === '1';
      if (head === 'LEV') s.level = Number(a);
      if (head === 'BIAS') s.bias[Number(a)] = Number(b);
      return ['OK'];
    },
  },
});

export const toys: Catalogue = { instruments: new Map([['toy', toy]]), simulators: new Map([['toy', toySimulator]]) };

type RigInstrument = Rig['instruments'][number];

/** A rig of toys, each on a wire of its own. */
export function toyRig(names: readonly string[] = ['toy'], more: Partial<RigInstrument> = {}, rest: Partial<Rig> = {}): Rig {
  return {
    name: 'toys',
    folder: import.meta.dirname,
    file: 'rig.yaml',
    text: '',
    sessions: '',
    links: {},
    instruments: names.map((name) => ({
      name,
      model: 'toy',
      links: { main: { wire: name, address: 'simulated' } },
      options: {},
      every: {},
      limits: {},
      leases: {
        output: { longest: 60, deadline: 1, then: 'safe' },
        bias: { longest: 60, deadline: 1, then: 'safe' },
      },
      simulate: {},
      ...more,
    })),
    derive: [],
    start: [],
    record: { rawOrder: [] },
    ...rest,
  };
}
