import { channelList, channelsOf, isChannel } from '../protocols/channel-list.ts';
import { errorEntry, scpi } from '../protocols/scpi.ts';
import {
  type Actors,
  type Askers,
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
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
  readonly arrangements: ReadonlyMap<string, readonly string[]>;
  readonly settle: number;
}

const OPEN = 'open';
const OTHER = 'other';

const arrangements = declared(
  `channels that are closed together, by name (otherwise "{ a: ['1!1', '1!4'], b: ['1!2', '1!3'] }"); nothing else is ever closed together`,
  (part): ReadonlyMap<string, readonly string[]> => {
    const like = "{ a: ['1!1', '1!4'] }";
    if (!part.given) return new Map([['a', ['1!1', '1!4']] as const, ['b', ['1!2', '1!3']] as const]);
    const all = part.named(like).map(([name, at]): readonly [string, readonly string[]] => {
      if (name === OPEN || name === OTHER) at.wrong(`is a word of the driver: "${name}" cannot name an arrangement`);
      const list: unknown = at.yaml;
      const channels = Array.isArray(list) ? list.map(String) : [];
      if (channels.length === 0 || !channels.every((c) => isChannel(c) && c.includes('!')))
        return at.wrong(`must be a list of channels such as ['1!1', '1!4'] (card!channel)`);
      return [name, channelsOf(channelList(channels)) ?? []];
    });
    return all.length === 0 ? part.wrong(`must be written as ${like}`) : new Map(all);
  },
);

const nameOf = (all: ReadonlyMap<string, readonly string[]>, closed: readonly string[]): string =>
  closed.length === 0 ? OPEN : ([...all].find(([, list]) => list.join() === closed.join())?.[0] ?? OTHER);

function* identify(ask: Askers<L>): Talk<{ readonly model: string; readonly serial: string } | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = ''] = idn.split(',').map((part) => part.trim());
  const model = /^MODEL (7001|7002)/i.exec(name)?.[1];
  if (!/^KEITHLEY/i.test(maker) || model === undefined) return new Refused(`"${idn}" is no Keithley 7001 or 7002 switch`);
  return { model, serial };
}

/** What is closed, asked twice: it has no checksum, and decides what may be closed next. */
function* closedNow(act: Actors<L>): Talk<readonly string[]> {
  const [first, second] = [channelsOf(yield* act.main.ask(':ROUT:CLOS:STAT?')), channelsOf(yield* act.main.ask(':ROUT:CLOS:STAT?'))];
  if (!first || !second || first.join() !== second.join()) throw new NoReply('the switch does not tell which channels are closed');
  return first;
}

/** Opens everything, sees that it is open, and only then closes the channels of the arrangement: break before make. */
const arrange = (act: Actors<L>, here: Here, channels: readonly string[], settle: number): Talk<void> =>
  here.atomic(
    (function* () {
      yield* act.main.send(':ROUT:OPEN ALL');
      if (settle > 0) yield* here.wait(settle);
      const left = yield* closedNow(act);
      if (left.length > 0) throw new NoReply(`channels ${left.join(', ')} stay closed: nothing more is closed`);
      if (channels.length === 0) return;
      yield* act.main.send(`:ROUT:CLOS ${channelList(channels)}`);
      if (settle > 0) yield* here.wait(settle);
      const now = yield* closedNow(act);
      if (now.join() === channels.join()) return;
      yield* act.main.send(':ROUT:OPEN ALL');
      throw new NoReply(`channels ${now.join(', ') || 'none'} were closed, not ${channels.join(', ')}: all are opened`);
    })(),
  );

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/** Keithley 7001 and 7002 switches, as the scanner of van der Pauw measurements. Two arrangements are never closed at one time. */
export default instrument<L, Options, { readonly model: string; readonly serial: string }>({
  model: 'Keithley 7001',
  source: 'third-party drivers of the 7001 (ROUT:CLOS (@card!channel), ROUT:OPEN ALL, CLOS:STAT?)',
  options: options<Options>({
    terminator: terminator('LF'),
    arrangements,
    settle: declared('time for relays to settle (otherwise "20 ms")', (part) => (part.given ? part.seconds() : 0.02)),
  }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /^KEITHLEY[^,]*,\s*MODEL 700/i.test(m) } },
  identify,
  body: ({ arrangements: all, settle }) => {
    const [[first, list] = ['a', ['1!1', '1!4']]] = [...all];
    return {
      polls: [
        poll<L, { closed: 'state'; arrangement: 'state' }>({
          ask: ':ROUT:CLOS:STAT?',
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
        }),
        {
          every: 5,
          gives: { error: 'state' },
          *talk(ask) {
            return yield* ask.main.ask(':SYST:ERR?');
          },
          read(m: string) {
            const error = errorEntry(m);
            return {
              error: !error ? bad(`"${m}" is no entry of an error queue`) : error.code === 0 ? 'none' : `${error.code} ${error.text}`,
            };
          },
          example: ['-113,"Undefined header"', { error: '-113 Undefined header' }],
        },
      ],
      commands: {
        arrangement: command({
          takes: 'state',
          words: [...all.keys(), OPEN],
          talk: (act, name, _index, here) => arrange(act, here, all.get(name) ?? [], settle),
          readback: { channel: 'arrangement', within: 5, by: 0 },
          renews: { closed: 1 },
          about: 'opens all, then closes the channels of that name; "open" leaves all open',
        }),
        open_all: command({ takes: 'nothing', talk: (act) => act.main.send(':ROUT:OPEN ALL') }),
      },
    };
  },
});
