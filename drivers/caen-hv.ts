import {
  CAEN_ALARMS,
  CAEN_BLOCKING,
  CAEN_FAMILIES,
  CAEN_LIMITS,
  CAEN_OTHERWISE,
  CAEN_SPELLINGS,
  CAEN_STATUS,
  CAEN_TROUBLE,
  CAEN_WORST,
  type CaenFamily,
  caenFamily,
  caenWords,
} from '../protocols/caen-family.ts';
import { type CaenAsk, type CaenError, caenAsk, caenHv, caenTell, readCaenTell } from '../protocols/caen-hv.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  type Body,
  bad,
  type Command,
  type Field,
  Garbled,
  type Here,
  instrument,
  type Measured,
  NoReply,
  options,
  poll,
  Refused,
  type Takes,
  type Talk,
  word,
} from '../src/instrument.ts';
import type { Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof caenHv> };
/** A poll of any message. */
type AnyPoll = NonNullable<Body<L>['polls']>[number];
interface Options {
  readonly board: 'auto' | 'none' | number;
  readonly family: 'auto' | CaenFamily;
  readonly power_down: 'ramp' | 'as_set';
}
interface Id {
  readonly family: CaenFamily;
  readonly name: string;
  readonly serial: string;
  readonly firmware: string;
  readonly count: number;
  /** The address that stands in each question; absent in the form without one. */
  readonly board?: number;
  /** The channel number that means all of them; absent where each is asked for itself. */
  readonly all?: number;
  /** Our name of a parameter -> this unit's own spelling; absent where it has none. */
  readonly spelled: Readonly<Record<string, string>>;
  /** Largest setting, and decimals, as the unit says them. */
  readonly limits: Readonly<Record<string, { readonly most: number; readonly decimals: number }>>;
  /** How a channel is switched: by ON and OFF, or by one parameter (Pw). */
  readonly power?: string;
}

const trouble = (error: CaenError): string => `the supply answers ${error}:ERR (${CAEN_TROUBLE[error]})`;
const NEEDED = ['VSET', 'ISET', 'VMON', 'IMON', 'STAT'] as const;
const BOARD = ['BDILK', 'BDILKM', 'BDCTR', 'BDALARM'] as const;

/** The values that a question gets; undefined where the unit refuses it. */
function* valuesOf(ask: Askers<L>, question: CaenAsk): Talk<readonly string[] | undefined> {
  const reply = yield* ask.main.ask(caenAsk(question));
  const tell = readCaenTell(reply);
  if (!tell) throw new Garbled(`"${reply}" is no reply of a CAEN supply`);
  return tell.ok ? tell.values : undefined;
}

/** The question for the name. Where the form of address is not given it is two, one after the other; the `last` form is heard in any case. */
function nameOf({ board }: Options, last: 'plain' | 'board'): string {
  const name = (at: number | undefined): string => caenAsk({ ...(at === undefined ? {} : { board: at }), verb: 'MON', par: 'BDNAME' });
  if (board !== 'auto') return name(board === 'none' ? undefined : board);
  return (last === 'plain' ? [name(0), name(undefined)] : [name(undefined), name(0)]).join('\r\n');
}

/** The address form that is answered, and the name. */
function* found(ask: Askers<L>, p: Options): Talk<{ readonly board?: number; readonly name: string } | undefined> {
  const tell = readCaenTell(yield* ask.main.ask(nameOf(p, 'plain')));
  if (!tell?.ok || !tell.values) return undefined;
  return { ...(tell.board === undefined ? {} : { board: tell.board }), name: tell.values.join(';').trim() };
}

function* identify(ask: Askers<L>, p: Options): Talk<Id | Refused> {
  const there = yield* found(ask, p);
  if (!there) return new Refused('it does not tell its name (BDNAME)');
  const { name, ...at } = there;
  const known = caenFamily(name);
  const family = known ?? (p.family === 'auto' ? undefined : p.family);
  if (!family)
    return new Refused(`"${name}" is none of the families ${CAEN_FAMILIES.join(', ')}; the option "family" says which one it speaks like`);
  if (p.family !== 'auto' && family !== p.family)
    return new Refused(`"${name}" is of the family ${family}, not ${p.family} as the rig says`);
  function* one(question: Omit<CaenAsk, 'verb'>, verb: CaenAsk['verb'] = 'MON'): Talk<string | undefined> {
    return (yield* valuesOf(ask, { ...at, verb, ...question }))?.join(';').trim();
  }
  const count = Number((yield* one({ par: 'BDNCH' })) ?? '');
  if (!Number.isInteger(count) || count < 1 || count > 64) return new Refused(`"${name}" does not say how many channels it has (BDNCH)`);
  const serial = (yield* one({ par: 'BDSNUM' })) ?? 'unknown';
  const firmware = (yield* one({ par: 'BDFREL' })) ?? 'unknown';
  let all: number | undefined;
  for (const channel of new Set([count, Math.max(4, count)])) // N14xx: "4 for all channels", one past the last for others
    if (all === undefined && (yield* valuesOf(ask, { ...at, verb: 'MON', channel, par: 'VMON' }))?.length === count) all = channel;
  const listed = family === '803x' ? ((yield* one({ channel: 0, par: 'PARCHLIST' })) ?? '').split(';') : [];
  const spelled: Record<string, string> = {};
  for (const [par, spellings] of Object.entries(CAEN_SPELLINGS)) {
    const own = listed.filter((name) => spellings.includes(name.toUpperCase()));
    for (const spelling of new Set([...own, ...spellings]))
      if (spelled[par] === undefined && (yield* one({ channel: 0, par: spelling })) !== undefined) spelled[par] = spelling;
  }
  const missing = NEEDED.filter((par) => spelled[par] === undefined);
  if (missing.length > 0) return new Refused(`"${name}" does not have ${missing.join(', ')}`);
  for (const par of BOARD) if ((yield* one({ par })) !== undefined) spelled[par] = par;
  const limits: Record<string, { most: number; decimals: number }> = {};
  for (const [par, [most, decimals]] of Object.entries(CAEN_OTHERWISE)) {
    const own = spelled[par];
    if (own === undefined) continue;
    const info = family === '803x' ? yield* one({ channel: 0, par: own }, 'INFO') : undefined;
    const asked = info === undefined ? yield* asksOf(one, CAEN_LIMITS[par], all) : info.split(';').slice(3, 5);
    const [hi = Number.NaN, digits = Number.NaN] = asked.map(decimal);
    limits[par] = { most: hi > 0 ? hi : most, decimals: Number.isInteger(digits) && digits >= 0 && digits <= 6 ? digits : decimals };
  }
  const switches = family === '803x' && (yield* one({ channel: 0, par: 'ON' }, 'INFO')) === undefined;
  let power: string | undefined;
  if (switches) for (const par of ['Pw', 'PW']) if (power === undefined && (yield* one({ channel: 0, par })) !== undefined) power = par;
  return {
    family,
    name,
    serial,
    firmware,
    count,
    ...at,
    spelled,
    limits,
    ...(all === undefined ? {} : { all }),
    ...(power ? { power } : {}),
  };
}

/** Largest setting of any channel, and decimals; empty where it is not said. */
function* asksOf(
  one: (question: Omit<CaenAsk, 'verb'>) => Talk<string | undefined>,
  names: readonly [readonly string[], readonly string[]],
  all: number | undefined,
): Talk<readonly string[]> {
  const got: string[] = [];
  for (const spellings of names) {
    let value: string | undefined;
    for (const par of spellings) value ??= yield* one({ channel: all ?? 0, par });
    got.push(value === undefined ? '' : String(Math.max(...value.split(';').map(decimal))));
  }
  return got;
}

/** What came for all channels as one reply would have said it, where each was asked for itself. */
const joined = (replies: readonly string[]): string => {
  const tells = replies.map(readCaenTell);
  const wrong = tells.findIndex((t) => !t?.ok);
  return wrong >= 0 ? replies[wrong] : caenTell({ ok: true, values: tells.flatMap((t) => (t?.ok ? (t.values ?? []) : [])) });
};

/** The values of all channels; of a refusal the reason, for each. */
function read<T>(reply: string, n: number, of: (said: string) => T): readonly (T | ReturnType<typeof bad>)[] {
  const tell = readCaenTell(reply);
  if (!tell) throw new Garbled(`"${reply}" is no reply of a CAEN supply`);
  if (!tell.ok) return Array.from({ length: n }, () => bad(trouble(tell.error)));
  return answered(tell.values ?? [], n).map(of);
}
/** A status word is decimal, with zeros in front (02048). */
const statusWord = (said: string, most: number): number | Measured<'1'> =>
  /^\d{1,5}$/.test(said) && Number(said) <= most ? Number(said) : bad(`"${said}" is no status word`);

const product = (a: number | ReturnType<typeof bad>, b: number | ReturnType<typeof bad>) =>
  typeof a !== 'number' ? a : typeof b !== 'number' ? b : a * b * 1e-6;

/** A change, and what the unit has to say against it. */
function* settle(act: Actors<L>, question: CaenAsk, within?: number): Talk<void> {
  const reply = yield* act.main.exchange(caenAsk(question), within);
  const tell = readCaenTell(reply);
  if (!tell) throw new NoReply(`"${reply}" came for an answer`);
  const { channel, par, value } = question;
  const what = `${par}${value === undefined ? '' : ` ${value}`}${channel === undefined ? '' : ` on channel ${channel}`}`;
  if (!tell.ok) throw new NoReply(`${what}: ${trouble(tell.error)}`);
}

/** Why a setting that nobody waited for was refused, or none; undefined for what is no answer to a setting. */
function answersSafe(reply: string): string | undefined {
  const tell = readCaenTell(reply);
  if (!tell) return undefined;
  return tell.ok ? (tell.values === undefined ? 'none' : undefined) : tell.error;
}

/** A safe order waits for no answer: those of several channels would cut each other's off. */
const APART = 0.02; // s between the commands of one channel
function* atOnce(act: Actors<L>, here: Here, ...questions: readonly CaenAsk[]): Talk<void> {
  for (const [n, question] of questions.entries()) {
    if (n > 0) yield* here.wait(APART);
    yield* act.main.send(caenAsk(question));
  }
}

const board: Field<Options['board']> = {
  about:
    'address of the board (0 to 31), none for the form without address, or auto: the form that is answered, with board 0 (otherwise auto)',
  of(yaml = 'auto') {
    if (yaml === 'auto' || yaml === 'none') return yaml;
    if (typeof yaml === 'number' && Number.isInteger(yaml) && yaml >= 0 && yaml <= 31) return yaml;
    return new Refused(`must be a whole number from 0 to 31, none or auto, not ${JSON.stringify(yaml)}`);
  },
};

/** Rather less than ordered. */
const down = (n: number): number => Math.floor(n + 1e-9);
const SWITCHING = 0.3; // s until the status shows that a channel has been switched on
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * CAEN high-voltage supplies of the families N14xx (NDT1470, DT1471ET ...), DT55xxE and 803x (DT8033, R8034, DT1415ET ...), by USB (a
 * serial port at 9600 baud), TCP port 1470 or 23, or RS-485. Index i of a list is channel i. Voltages are sizes; `polarity` says their
 * sign. A trip time of 1000 s means never.
 */
export default instrument<L, Options, Id>({
  model: 'CAEN N14xx / DT55xxE / 803x',
  source:
    'N1470, N1471, DT55xxE and 803x user manuals, communication protocol; hvctl (803x), dcs-server (DT1415ET), fecaen14xxet (R1470ET), caen-dt5533e-monitor',
  options: options<Options>({
    board,
    family: word('family, where the name does not tell; a name that tells another one is refused', ['auto', ...CAEN_FAMILIES], 'auto'),
    power_down: word('ramp: switching off sets the power-down mode to RAMP first; as_set: as the unit is set', ['ramp', 'as_set'], 'ramp'),
  }),
  links: (p) => ({ main: caenHv({ boards: typeof p.board === 'number' }) }),
  pace: 0.03, // the answer to the form of address that is not its own comes within it
  // Nothing else is answered with letters and digits in one value.
  proof: (p) => ({
    main: {
      ask: (n) => nameOf(p, n % 2 === 1 ? 'plain' : 'board'),
      is: (m) => {
        const tell = readCaenTell(m);
        const [name = '', ...more] = (tell?.ok && tell.values) || [];
        return more.length === 0 && /[A-Z]/i.test(name) && /\d\d/.test(name);
      },
    },
  }),
  identify,
  body: (p, id) => {
    const { count, all, spelled, limits, family } = id;
    const at = id.board === undefined ? {} : { board: id.board };
    const has = (par: string): boolean => spelled[par] !== undefined;
    const ask = (par: string, channel?: number): string =>
      caenAsk({ ...at, verb: 'MON', ...(channel === undefined ? {} : { channel }), par: spelled[par] });
    const repeated = <T>(value: T): readonly T[] => Array.from({ length: count }, () => value);
    const example = (said: string): string => caenTell({ ...at, ok: true, values: repeated(said) });

    function* channelsOf(askers: Askers<L>, par: string): Talk<string> {
      if (all !== undefined) return yield* askers.main.ask(ask(par, all));
      const replies: string[] = [];
      for (let i = 0; i < count; i++) replies.push(yield* askers.main.ask(ask(par, i)));
      return joined(replies);
    }
    /** One parameter of all channels. */
    const channels = (par: string, p: Omit<AnyPoll, 'talk' | 'example'> & { readonly says: string; readonly means: object }): AnyPoll => {
      const { says, means, ...rest } = p;
      const meaning = Object.fromEntries(Object.entries(means).map(([name, value]) => [name, repeated(value)]));
      const shown = { ...rest, example: [example(says), meaning] } as Omit<AnyPoll, 'talk'>;
      return all === undefined
        ? { ...shown, talk: (askers) => channelsOf(askers, par) }
        : poll<L, AnyPoll['gives']>({ ...shown, ask: ask(par, all) });
    };
    const amount = (par: string, name: string, unit: Unit, every: number, factor: number, says: string, means: number): AnyPoll[] => {
      const largest = unit === 'A' ? undefined : limits[par === 'VMON' ? 'VSET' : par]?.most;
      const one = (): AnyPoll =>
        channels(par, {
          every,
          gives: { [name]: unit },
          read: (m) => ({ [name]: read(m, count, (said) => decimal(said) * factor) }),
          ...{ says, means: { [name]: means } },
          ...(largest === undefined ? {} : { span: { [name]: [-0.02 * largest, 1.3 * largest] } }),
        });
      return has(par) ? [one()] : [];
    };
    const said = (par: string, name: string, list: Readonly<Record<string, string>>): AnyPoll[] =>
      has(par)
        ? [
            channels(par, {
              every: 10,
              gives: { [name]: 'state' },
              read: (m) => ({
                [name]: read(m, count, (text) => list[text.toUpperCase()] ?? bad(`"${text}" is none of ${Object.keys(list)}`)),
              }),
              ...{ says: Object.keys(list)[0], means: { [name]: Object.values(list)[0] } },
              words: { [name]: [...new Set(Object.values(list))] },
            }),
          ]
        : [];
    const flags = CAEN_STATUS[family];
    const status = channels('STAT', {
      every: 1,
      gives: { status: 'state', ...Object.fromEntries(flags.map((flag) => [flag, 'flag' as const])) },
      read: (m) => {
        const bits = read(m, count, (said) => statusWord(said, 0xffff));
        const on = (flag: string) => (word: (typeof bits)[number]) =>
          typeof word === 'number' ? ((word >> flags.indexOf(flag)) & 1) === 1 : word;
        const worst = (word: (typeof bits)[number]) =>
          typeof word === 'number' ? caenWords(CAEN_WORST.find((flag) => flags.includes(flag) && on(flag)(word) === true) ?? 'off') : word;
        return { status: bits.map(worst), ...Object.fromEntries(flags.map((flag) => [flag, bits.map(on(flag))])) };
      },
      says: '3',
      means: { status: 'ramping up', ...Object.fromEntries(flags.map((flag, n) => [flag, n < 2])) },
      words: { status: ['off', ...CAEN_WORST.filter((flag) => flags.includes(flag)).map(caenWords)] },
    });
    const power: AnyPoll = {
      every: 5,
      gives: { power: 'W' },
      *talk(askers) {
        const volts = yield* channelsOf(askers, 'VMON');
        return [volts, yield* channelsOf(askers, 'IMON')];
      },
      read: ([volts, amps]: readonly [string, string]) => {
        const v = read(volts, count, decimal);
        const i = read(amps, count, decimal);
        return { power: v.map((one, n) => product(one, i[n])) };
      },
      example: [[example('1000.0'), example('150.00')], { power: repeated(0.15) }],
    };
    const single = <K extends 'state' | 'flag'>(
      par: string,
      name: string,
      kind: K,
      every: number,
      says: string,
      of: (said: string) => unknown,
    ): AnyPoll[] =>
      has(par)
        ? [
            poll<L, AnyPoll['gives']>({
              ask: ask(par),
              every,
              gives: { [name]: kind },
              read: (m) => ({ [name]: read(m, 1, of)[0] }) as never, // one value of the kind that it gives
              example: [caenTell({ ...at, ok: true, values: [says] }), { [name]: of(says) } as never],
            }),
          ]
        : [];
    const alarm = (said: string) => {
      const bits = statusWord(said, 0xffff);
      if (typeof bits !== 'number') return bits;
      const names = Array.from({ length: 16 }, (_, n) => (((bits >> n) & 1) === 1 ? (CAEN_ALARMS[family][n] ?? `bit ${n}`) : ''));
      return names.filter((name) => name !== '').join(', ') || 'none';
    };

    const set = (channel: number | undefined, par: string, value?: string): CaenAsk => ({
      ...at,
      verb: 'SET',
      ...(channel === undefined ? {} : { channel }),
      par: spelled[par] ?? par,
      ...(value === undefined ? {} : { value }),
    });
    const adjust = (
      par: string,
      name: string,
      takes: Unit,
      factor: number,
      round: (n: number) => number,
      about: string,
      more: { readonly safe?: number } = {},
    ) => {
      const { most: hi, decimals } = limits[par] ?? { most: 0, decimals: 0 };
      return has(par)
        ? {
            [name === 'set_voltage' ? 'voltage' : name]: command<Unit>({
              takes,
              count,
              limits: [0, hi * factor],
              talk: (act, value, channel, here) => {
                const question = set(channel, par, (round((value / factor) * 10 ** decimals) / 10 ** decimals).toFixed(decimals));
                return value === more.safe ? atOnce(act, here, question) : settle(act, question);
              },
              readback: { channel: name, within: 5, by: Math.max(10 ** -decimals, hi / 10_000) * factor },
              about,
              ...more,
            }),
          }
        : {};
    };
    /** Without the power-down mode a channel that is switched off may lose its voltage at once. */
    const off = (act: Actors<L>, here: Here, channel: number): Talk<void> => {
      const ramp = p.power_down === 'ramp' && has('PDWN') ? [set(channel, 'PDWN', 'RAMP')] : [];
      return atOnce(act, here, ...ramp, id.power ? set(channel, id.power, 'Off') : set(channel, 'OFF'));
    };
    function* on(act: Actors<L>, here: Here, channel: number): Talk<void> {
      yield* settle(act, id.power ? set(channel, id.power, 'On') : set(channel, 'ON'));
      yield* here.wait(SWITCHING); // polls go on meanwhile
      const [word] = read(yield* act.main.ask(ask('STAT', channel)), 1, (said) => statusWord(said, 0xffff));
      if (typeof word !== 'number' || word % 2 === 1) return;
      const why = flags.filter((flag, n) => CAEN_BLOCKING.includes(flag) && ((word >> n) & 1) === 1).map(caenWords);
      if (why.length > 0) throw new NoReply(`channel ${channel} stays off: ${why.join(', ')}`);
    }
    return {
      // What a safe order is answered comes when nobody waits for it.
      streams: {
        main: [
          {
            gives: { refused: 'state' },
            takes: (m: string) => answersSafe(m) !== undefined,
            read: (m: string) => (answersSafe(m) === 'CMD' ? {} : { refused: answersSafe(m) ?? 'none' }), // CMD: the form of address that is not its own
            example: [caenTell({ ...at, ok: false, error: 'LOC' }), { refused: 'LOC' }],
          },
        ],
      },
      gives: { refused: 'state' },
      known: { refused: 'none' },
      polls: [
        status,
        ...amount('VMON', 'voltage', 'V', 1, 1, '1000.5', 1000.5),
        ...amount('IMON', 'current', 'A', 1, 1e-6, '150.25', 150.25e-6),
        ...amount('VSET', 'set_voltage', 'V', 1, 1, '0500.0', 500),
        power,
        ...amount('ISET', 'current_limit', 'A', 5, 1e-6, '0300.00', 300e-6),
        ...amount('RUP', 'ramp_up', 'V/s', 5, 1, '050', 50),
        ...amount('RDW', 'ramp_down', 'V/s', 5, 1, '100', 100),
        ...amount('TRIP', 'trip_time', 's', 5, 1, '0010.5', 10.5),
        ...amount('MAXV', 'max_voltage', 'V', 5, 1, '0900', 900),
        ...said('PDWN', 'power_down', { RAMP: 'ramp', KILL: 'kill' }),
        ...said('POL', 'polarity', { '-': 'negative', '+': 'positive' }),
        ...single(
          'BDILK',
          'interlock',
          'flag',
          1,
          'YES',
          (text) => ({ YES: true, NO: false })[text.toUpperCase()] ?? bad(`"${text}" is neither YES nor NO`),
        ),
        ...single('BDCTR', 'control', 'state', 2, 'REMOTE', (text) => text.toLowerCase()),
        ...single('BDILKM', 'interlock_mode', 'state', 10, 'CLOSED', (text) => text.toLowerCase()),
        ...single('BDALARM', 'board_alarm', 'state', 2, '00000', alarm),
      ],
      commands: {
        ...adjust('VSET', 'set_voltage', 'V', 1, Math.round, 'set voltage, to which a channel that is on moves at its own ramps', {
          safe: 0,
        }),
        on: command({
          takes: 'flag',
          count,
          safe: false,
          talk: (act, value, channel, here) => (value ? on(act, here, channel) : off(act, here, channel)),
          readback: { channel: 'on', within: 5, by: 0 },
          about: 'off: the voltage goes down at ramp_down',
        }),
        ...adjust(
          'ISET',
          'current_limit',
          'A',
          1e-6,
          Math.round,
          'current at which the voltage gives way, and after trip_time the channel trips',
        ),
        ...adjust('RUP', 'ramp_up', 'V/s', 1, down, 'never faster than this is ordered'),
        ...adjust('RDW', 'ramp_down', 'V/s', 1, down, 'never faster than this is ordered'),
        ...adjust('TRIP', 'trip_time', 's', 1, Math.round, 'time in the current limit until the channel trips; 1000 s: never'),
        ...adjust('MAXV', 'max_voltage', 'V', 1, down, 'the output is held below it, whatever the set voltage is'),
        ...(has('PDWN')
          ? {
              power_down: command({
                takes: 'state',
                words: ['ramp', 'kill'],
                count,
                talk: (act, mode, channel) => settle(act, set(channel, 'PDWN', mode.toUpperCase())),
                readback: { channel: 'power_down', within: 12, by: 0 },
                about: 'how a channel loses its voltage when it trips or is switched off',
              }),
            }
          : {}),
        clear_alarm: command({
          takes: 'nothing',
          talk: (act) => settle(act, set(undefined, 'BDCLR')),
          about: 'lets go of trips and alarms whose cause has gone',
        }),
      },
    };
  },
});
