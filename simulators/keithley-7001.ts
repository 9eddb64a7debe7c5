import { channelList, channelsOf } from '../protocols/channel-list.ts';
import { scpi } from '../protocols/scpi.ts';
import { options, simulator, terminator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  type Box,
  bool,
  box,
  type Code,
  common,
  type Entry,
  interpreter,
  nothing,
  num,
  reset,
  type Trouble,
  text,
  whole,
  word,
} from './worlds/keithley-scpi.ts';
import { type Arrangements, arrangementsOf, connect } from './worlds/scanner.ts';

interface Options {
  readonly terminator: string;
  readonly arrangements: Arrangements;
  readonly settle?: unknown;
}
interface State extends Box {
  readonly arrangements: Arrangements;
  closed: readonly string[];
  w: Dac | undefined;
}

const CHANNELS = 40; // of one card, two of which are there
const exists = (channel: string): boolean => {
  const [card, n, ...more] = channel.split('!').map(Number);
  return more.length === 0 && (card === 1 || card === 2) && n >= 1 && n <= CHANNELS;
};
/** The channels of a list; the code of its error where it is none, or one is not there. */
function listed(args: readonly string[]): readonly string[] | Code {
  if (args.length === 0) return -109;
  const channels = channelsOf(args.join(','));
  if (!channels || channels.length === 0) return -104;
  return channels.every(exists) ? channels : -222;
}
const all = (args: readonly string[]): boolean => args.length === 1 && /^ALL$/i.test(args[0]);
function put(s: State, closed: readonly string[]): void {
  s.closed = channelsOf(channelList(closed)) ?? [];
  if (s.w) connect(s.closed, s.arrangements, s.w);
}
function close(s: State, args: readonly string[]): Trouble {
  const channels = listed(args);
  if (typeof channels === 'number') return channels;
  put(s, [...s.closed, ...channels]);
  return undefined;
}
function open(s: State, args: readonly string[]): Trouble {
  if (all(args)) return void put(s, []);
  const channels = listed(args);
  if (typeof channels === 'number') return channels;
  put(
    s,
    s.closed.filter((c) => !channels.includes(c)),
  );
  return undefined;
}
const asked = (args: readonly string[], of: (channel: string) => boolean): string | Code => {
  const channels = listed(args);
  return typeof channels === 'number' ? channels : channels.map((c) => (of(c) ? '1' : '0')).join(',');
};

const TABLE: readonly Entry<State>[] = [
  { pattern: '[:ROUTe]:CLOSe', set: close, get: (s, args) => asked(args, (c) => s.closed.includes(c)) },
  { pattern: '[:ROUTe]:OPEN', set: open, get: (s, args) => asked(args, (c) => !s.closed.includes(c)) },
  { pattern: '[:ROUTe]:OPEN:ALL', set: (s) => void put(s, []) },
  { pattern: '[:ROUTe]:CLOSe:STATe', get: (s) => channelList(s.closed) },
  text('[:ROUTe]:SCAN[:INTernal]', 'scan', '(@)'),
  { pattern: '[:ROUTe]:SCAN:POINts', get: (s) => String(channelsOf(String(s.values.scan))?.length ?? 0) },
  bool(':ROUTe:CONFigure:BBMake', 'bbm', true),
  bool(':ROUTe:CONFigure:SPAir', 'spair', false),
  ...['1', '2'].flatMap((n): Entry<State>[] => [
    { pattern: `:ROUTe:CONFigure:SLOT${n}:CTYPe`, get: () => 'C7011' },
    num(`:ROUTe:CONFigure:SLOT${n}:CPOLe`, `poles${n}`, { lo: 1, hi: 4, rst: 2 }, whole),
    num(`:ROUTe:CONFigure:SLOT${n}:STIMe`, `stime${n}`, { lo: 0, hi: 99999.999, rst: 0 }),
  ]),
  nothing(':ROUTe:MEMory:SAVE'),
  nothing(':ROUTe:MEMory:RECall'),
  bool(':INITiate:CONTinuous', 'continuous', false),
  nothing(':INITiate[:IMMediate]'),
  nothing(':ABORt'),
  nothing('*TRG'),
  num(':TRIGger[:SEQuence]:COUNt', 'triggerCount', { lo: 1, hi: 99999, rst: 1, infinite: true }, whole),
  word(':TRIGger[:SEQuence]:SOURce', 'triggerSource', ['IMMediate', 'HOLD', 'MANual', 'BUS', 'TLINk', 'EXTernal', 'TIMer'], 'IMM'),
  num(':TRIGger[:SEQuence]:DELay', 'triggerDelay', { lo: 0, hi: 99999.999, rst: 0 }),
  num(':ARM[:SEQuence]:LAYer1:COUNt', 'armCount', { lo: 1, hi: 99999, rst: 1, infinite: true }, whole),
];
const ALL: readonly Entry<State>[] = [...TABLE, ...common<State>('KEITHLEY INSTRUMENTS INC.,MODEL 7001,0654321,B03  /A01', initial)];
function initial(s: State): void {
  reset(s, ALL);
  put(s, []);
}
const say = interpreter(ALL);

/** A switch with two cards of forty channels between the instruments and the sample. It begins with the first arrangement closed. */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    arrangements: {
      about: "the driver's own",
      of: (yaml) => arrangementsOf(yaml, { a: ['1!1', '1!4'], b: ['1!2', '1!3'] }),
    },
    settle: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end }),
  }),
  state: ({ arrangements }: Partial<Options>): State => {
    const known = arrangements ?? arrangementsOf(undefined, { a: ['1!1', '1!4'], b: ['1!2', '1!3'] });
    return {
      ...box(ALL as readonly Entry<never>[]), // of any state: only keys and defaults are read
      arrangements: known,
      closed: Object.values(known)[0] ?? [],
      w: undefined,
    };
  },
  world: dac,
  answer: {
    main(line, s, w) {
      s.w = w;
      const said = say(line, s);
      connect(s.closed, s.arrangements, w);
      s.w = undefined;
      return said;
    },
  },
  tick: (s, w) => connect(s.closed, s.arrangements, w),
  think: 0.005,
});
