import { channelList, channelsOf, isChannel } from '../protocols/channel-list.ts';
import { errorEntry, scpi, splitReplies } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  declared,
  type Here,
  instrument,
  NoReply,
  options,
  poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
  word,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
  readonly measures: 'voltage' | 'resistance' | 'current';
  readonly arrangements: ReadonlyMap<string, readonly string[]>;
  readonly settle: number;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  /** There is a scanner card. */
  readonly card: boolean;
}

const OPEN = 'open';
const OTHER = 'other';
const CHANNELS = 10; // of the 2000-SCAN

const arrangements = declared(
  'channels of the scanner card that are closed together, by name (otherwise "{ a: [1, 4], b: [2, 3] }"); nothing else is ever closed together',
  (part): ReadonlyMap<string, readonly string[]> => {
    const like = '{ a: [1, 4], b: [2, 3] }';
    if (!part.given) return new Map([['a', ['1', '4']] as const, ['b', ['2', '3']] as const]);
    const all = part.named(like).map(([name, at]): readonly [string, readonly string[]] => {
      if (name === OPEN || name === OTHER) at.wrong(`is a word of the driver: "${name}" cannot name an arrangement`);
      const list: unknown = at.yaml;
      const channels = Array.isArray(list) ? list.map(String) : [];
      if (channels.length === 0 || !channels.every((c) => isChannel(c) && !c.includes('!') && Number(c) >= 1 && Number(c) <= CHANNELS))
        return at.wrong(`must be a list of channels from 1 to ${CHANNELS}, such as [1, 4]`);
      return [name, channelsOf(channelList(channels)) ?? []];
    });
    return all.length === 0 ? part.wrong(`must be written as ${like}`) : new Map(all);
  },
);

const nameOf = (all: ReadonlyMap<string, readonly string[]>, closed: readonly string[]): string =>
  closed.length === 0 ? OPEN : ([...all].find(([, list]) => list.join() === closed.join())?.[0] ?? OTHER);

const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);

/** What the meter is to measure: its functions as it names them, the unit of the channel, and an example. */
const MEASURED = {
  voltage: { functions: ['"VOLT:DC"'], unit: 'V', set: '"VOLT:DC"' },
  resistance: { functions: ['"FRES"', '"RES"'], unit: 'Ω', set: '"FRES"' },
  current: { functions: ['"CURR:DC"'], unit: 'A', set: '"CURR:DC"' },
} as const;

/** The meter's latest reading; it goes on measuring by itself, and is not triggered. */
function latest(what: Options['measures']) {
  const { functions, unit } = MEASURED[what];
  const known: readonly string[] = functions;
  const questions = [':SENS:FUNC?', ':FORM:ELEM?', ':INIT:CONT?', ':SENS:DATA?'];
  return poll<L, Readonly<Record<string, typeof unit>>>({
    ask: questions.join(';'),
    every: 0.5,
    gives: { [what]: unit },
    read(m) {
      const [f = '', elements = '', continuous, data = ''] = answers(m, questions.length);
      const one = () => {
        if (!known.includes(f.toUpperCase())) return bad(`the meter measures ${f}, not ${what}: order "measure"`);
        if (continuous !== '1') return bad('the meter waits for triggers, so that its reading may be old: order "measure"');
        const names = elements.toUpperCase().split(',');
        const said = data.split(',')[names.findIndex((e) => e.startsWith('READ'))];
        if (said === undefined) return bad(`its readings are ${elements}, without the value: order "measure"`);
        if (/^[+-]?9\.90*E\+?37$/i.test(said)) return bad(`overflow or nothing connected: the meter says "${said}"`);
        if (/\s/.test(data)) return bad(`"${data}" has blanks, which is not this instrument's number format`);
        const n = decimal(said);
        return Number.isNaN(n) ? bad(`the meter answers "${said}", which is no number`) : n;
      };
      return { [what]: one() };
    },
    example: [`${functions[0]};READ;1;+8.12345678E-05`, { [what]: 8.12345678e-5 }],
    span: { [what]: [-1.3e8, 1.3e8] },
  });
}

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = ''] = idn.split(',').map((part) => part.trim());
  const model = /^MODEL (2000)(?!\d)/i.exec(name)?.[1];
  if (!/^KEITHLEY/i.test(maker) || model === undefined) return new Refused(`"${idn}" is no Keithley 2000`);
  return { model, serial, card: /SCAN/i.test(yield* ask.main.ask('*OPT?')) };
}

/** What is closed, asked twice: it has no checksum, and decides what may be closed next. */
function* closedNow(act: Actors<L>): Talk<readonly string[]> {
  const ask = ':ROUT:MULT:CLOS:STAT?';
  const [first, second] = [channelsOf(yield* act.main.ask(ask)), channelsOf(yield* act.main.ask(ask))];
  if (!first || !second || first.join() !== second.join()) throw new NoReply('the scanner does not tell which channels are closed');
  return first;
}

/** Opens everything, sees that it is open, and only then closes the channels of the arrangement: break before make. */
const arrange = (act: Actors<L>, here: Here, channels: readonly string[], settle: number): Talk<void> =>
  here.atomic(
    (function* () {
      yield* act.main.send(':ROUT:OPEN:ALL');
      if (settle > 0) yield* here.wait(settle);
      const left = yield* closedNow(act);
      if (left.length > 0) throw new NoReply(`channels ${left.join(', ')} stay closed: nothing more is closed`);
      if (channels.length === 0) return;
      yield* act.main.send(`:ROUT:MULT:CLOS ${channelList(channels)}`);
      if (settle > 0) yield* here.wait(settle);
      const now = yield* closedNow(act);
      if (now.join() === channels.join()) return;
      yield* act.main.send(':ROUT:OPEN:ALL');
      throw new NoReply(`channels ${now.join(', ') || 'none'} were closed, not ${channels.join(', ')}: all are opened`);
    })(),
  );

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * Keithley 2000 multimeter, and its 2000-SCAN card as the scanner of van der Pauw measurements, by serial or GPIB. Two arrangements are
 * never closed at one time; what was read while relays moved is dropped.
 */
export default instrument<L, Options, Id>({
  model: 'Keithley 2000',
  source:
    'pymeasure keithley2000.py; QCoDeS Keithley_2000.py; CINF/PyExpLabSys keithley_2000.py; third-party drivers of the 2000-SCAN card',
  options: options<Options>({
    terminator: terminator('LF'),
    measures: word('what the meter is to measure', ['voltage', 'resistance', 'current'] as const, 'voltage'),
    arrangements,
    settle: declared('time for relays to settle (otherwise "20 ms")', (part) => (part.given ? part.seconds() : 0.02)),
  }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  within: 2,
  proof: { main: { ask: () => '*IDN?', is: (m) => /^KEITHLEY[^,]*,\s*MODEL 2000/i.test(m) } },
  identify,
  body({ measures, arrangements: all, settle }, { card }) {
    const [[first, list] = ['a', ['1', '4']]] = [...all];
    const scanner = poll<L, { closed: 'state'; arrangement: 'state' }>({
      ask: ':ROUT:MULT:CLOS:STAT?',
      every: 1,
      gives: { closed: 'state', arrangement: 'state' },
      read(m) {
        const closed = channelsOf(m);
        if (!closed) return { closed: bad(`"${m}" is no list of channels`), arrangement: bad(`"${m}" is no list of channels`) };
        const name = nameOf(all, closed);
        return {
          closed: closed.join(' ') || 'none',
          arrangement: name === OTHER ? bad(`channels ${closed.join(', ')} are closed, which is no arrangement of the rig`) : name,
        };
      },
      example: [channelList(list), { closed: list.join(' '), arrangement: first }],
      words: { arrangement: [...all.keys(), OPEN] },
    });
    return {
      polls: [
        latest(measures),
        ...(card ? [scanner] : []),
        poll<L, { error: 'state' }>({
          ask: ':SYST:ERR?',
          every: 5,
          gives: { error: 'state' },
          read(m) {
            const error = errorEntry(m);
            return {
              error: !error ? bad(`"${m}" is no entry of an error queue`) : error.code === 0 ? 'none' : `${error.code} ${error.text}`,
            };
          },
          example: ['-113,"Undefined header"', { error: '-113 Undefined header' }],
        }),
      ],
      commands: {
        ...(card
          ? {
              arrangement: command({
                takes: 'state',
                words: [...all.keys(), OPEN],
                talk: (act, name, _index, here) => arrange(act, here, all.get(name) ?? [], settle),
                readback: { channel: 'arrangement', within: 5, by: 0 },
                renews: { [measures]: 2 },
                about: 'opens all, then closes the channels of that name; "open" leaves all open',
              }),
              open_all: command({ takes: 'nothing', talk: (act) => act.main.send(':ROUT:OPEN:ALL'), renews: { [measures]: 2 } }),
            }
          : {}),
        measure: command({
          takes: 'nothing',
          talk: (act) => act.main.send(`:SENS:FUNC ${MEASURED[measures].set};:FORM:ELEM READ;:INIT:CONT ON;:TRIG:SOUR IMM;:TRIG:COUN 1`),
          renews: { [measures]: 2 },
          about: `sets the meter to ${measures}, measuring all the time`,
        }),
      },
    };
  },
});
