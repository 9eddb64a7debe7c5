import { bare, errorEntry, header, scpi, splitReplies } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  drained,
  type Field,
  Garbled,
  type Here,
  instrument,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
} from '../src/instrument.ts';
import { percent, quantity, show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
  readonly vent_below: number;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** Pa. */
  readonly full: readonly [number, number];
}

/** Pa in one of the instrument's units; columns of water differ with its temperature and are left out. */
const PASCALS: Readonly<Record<string, number>> = {
  PA: 1,
  HPA: 100,
  MBAR: 100,
  KPA: 1e3,
  BAR: 1e5,
  MPA: 1e6,
  ATM: 101325,
  PSI: 6894.757293168,
  TORR: 101325 / 760,
  MMHG: 133.322387415,
  'KG/CM2': 98066.5,
};
const UNIT = ':UNIT:PRES?';
const strange = (unit: string): string => `the controller shows "${unit}"; units known here are ${Object.keys(PASCALS).join(', ')}`;

/** The answers to questions joined by ";", each stripped of the header that it must repeat. */
function answers(reply: string, ...questions: readonly string[]): readonly string[] {
  const parts = splitReplies(reply);
  if (parts.length !== questions.length) throw new Garbled(`${parts.length} answers to ${questions.length} questions`);
  const plain = (h: string) => h.toUpperCase().replace(/[\d?]/g, '');
  return parts.map((part, i) => {
    const came = header(part);
    if (came !== undefined && `${came}?` !== questions[i] && plain(came) !== plain(questions[i]))
      throw new Garbled(`${came} came for ${questions[i]}`);
    return bare(part).trim();
  });
}

/** Numbers in the unit that came with them, as SI. */
const si = (unit: string) => (text: string) => {
  const factor = PASCALS[unit.toUpperCase()];
  return factor === undefined ? bad(strange(unit)) : decimal(text) * factor;
};
const flag = (text: string) => (text === '1' ? true : text === '0' ? false : bad(`"${text}" is neither 0 nor 1`));
const MODES: readonly string[] = ['MAX', 'LIN'];
const VENT: Readonly<Record<string, string>> = { 0: 'idle', 1: 'venting', 2: 'vented' };

/** One poll of joined questions on a grid; the unit is one of them wherever a pressure is. */
const joined = <O extends Poll<L>['gives']>(
  questions: readonly string[],
  p: Pick<Poll<L, O, string>, 'every' | 'gives' | 'example' | 'span' | 'words'> & {
    readonly of: (...texts: readonly string[]) => ReturnType<Poll<L, O, string>['read']>;
  },
): Poll<L, O, string> => poll<L, O>({ ...p, ask: questions.join(';'), read: (m) => p.of(...answers(m, ...questions)) });

/** Errors waiting in the queue of five, read until there are none. */
const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => ask.main.ask(':SYST:ERR?'),
      (entry) => errorEntry(entry)?.code === 0,
      6,
    ),
  read: (entries) => ({
    error:
      entries
        .map((entry) => {
          const error = errorEntry(entry);
          if (!error) throw new Error(`"${entry}" is no entry of an error queue`);
          return `${error.code} ${error.text}`;
        })
        .join('; ') || 'none',
  }),
  example: [[':SYST:ERR -113,"Undefined header"'], { error: '-113 Undefined header' }],
};

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const [idn] = answers(yield* ask.main.ask('*IDN?'), '*IDN?');
  const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  if (!/druck|^GE\b/i.test(maker) || !/pace\s?[56]000/i.test(model)) return new Refused(`"${idn}" is not a Druck PACE 5000 or 6000`);
  const questions = [':INST:SENS:FULL?', UNIT];
  const [scale, unit] = answers(yield* ask.main.ask(questions.join(';')), ...questions);
  const factor = PASCALS[unit.toUpperCase()];
  if (factor === undefined) return new Refused(strange(unit));
  // Rounded, so that it is the same in whichever unit it is read next time.
  const ends = scale.split(',').map((text) => Number((decimal(text.trim()) * factor).toPrecision(4)));
  const full = [Math.min(0, ...ends), Math.max(...ends)] as const;
  if (!(full[1] > 0) || ends.length > 2) return new Refused(`"${scale}" is no full scale`);
  return { model, serial, firmware, full };
}

/** A setting in the unit that the controller has now; the unit decides the size, so it is asked twice. */
const setting = (act: Actors<L>, here: Here, head: string, value: number): Talk<void> =>
  here.atomic(
    (function* () {
      const [unit, again] = answers(yield* act.main.ask(`${UNIT};${UNIT}`), UNIT, UNIT);
      const factor = PASCALS[unit.toUpperCase()];
      if (unit !== again || factor === undefined) throw new NoReply(strange(unit === again ? unit : `${unit}" and then "${again}`));
      yield* act.main.send(`${head} ${(value / factor).toFixed(7)}`);
    })(),
  );

/** Opens the vent valve only below the limit, which two readings must confirm. */
const vent = (act: Actors<L>, here: Here, below: number): Talk<void> =>
  here.atomic(
    (function* () {
      for (let n = 0; n < 2; n++) {
        const [text, unit] = answers(yield* act.main.ask(`:SENS:PRES?;${UNIT}`), ':SENS:PRES?', UNIT);
        const pressure = si(unit)(text);
        if (typeof pressure !== 'number') throw new NoReply(pressure.why);
        if (!(pressure < below)) throw new NoReply(`no vent at ${show(pressure, 'Pa')}: the limit is ${show(below, 'Pa')}`);
      }
      yield* act.main.send(':SOUR:PRES:LEV:IMM:AMPL:VENT 1');
      const [status] = answers(yield* act.main.ask(':SOUR:PRES:LEV:IMM:AMPL:VENT?'), ':SOUR:PRES:LEV:IMM:AMPL:VENT?');
      if (status !== '1' && status !== '2') throw new NoReply('the controller has not begun to vent; see its channel "error"');
    })(),
  );

const ventBelow: Field<number> = {
  about: 'the vent is refused at and above this pressure (otherwise "5 bar")',
  of(yaml) {
    const given = typeof yaml === 'string' || typeof yaml === 'number' || yaml === undefined ? quantity(yaml ?? '5 bar') : 'not a pressure';
    if (typeof given === 'string') return new Refused(given);
    return given.unit === 'Pa' && given.value > 0 ? given.value : new Refused('must be a pressure above zero, such as "5 bar"');
  },
};
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/** Druck (GE) PACE 5000 and 6000 pressure controllers. Every pressure is asked together with the unit of the front panel. */
export default instrument<L, Options, Id>({
  model: 'Druck PACE 5000 / 6000',
  source: 'ISISComputingGroup/EPICS-Pace5000; epics-modules/ip PACE5000.proto; tiagocoutinho/gepace; PACE SCPI manual K0472',
  options: options<Options>({ terminator: terminator('LF'), vent_below: ventBelow }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'], echo: true }) }),
  pace: 0.1, // faster questions are not accepted (gepace)
  proof: { main: { ask: () => '*IDN?', is: (m) => /pace\s?\d/i.test(m) } },
  identify,
  body: ({ vent_below }, { full }) => ({
    polls: [
      joined([':SENS:PRES?', UNIT], {
        every: 0.5,
        gives: { pressure: 'Pa', unit: 'state' },
        of: (pressure, unit) => ({ pressure: si(unit)(pressure), unit }),
        example: [':SENS:PRES 1.234;:UNIT:PRES BAR', { pressure: 123400, unit: 'BAR' }],
        span: { pressure: [-1.5e5, 1.5 * full[1]] },
      }),
      joined([':SOUR:PRES:LEV:IMM:AMPL?', ':SOUR:PRES:SLEW?', ':SOUR:PRES:SLEW:MODE?', UNIT], {
        every: 1,
        gives: { set_point: 'Pa', slew: 'Pa/s', slew_mode: 'state' },
        of: (at, slew, slew_mode, unit) => ({
          set_point: si(unit)(at),
          slew: si(unit)(slew),
          slew_mode: MODES.includes(slew_mode) ? slew_mode : bad(`"${slew_mode}" is no slew mode`),
        }),
        example: [
          ':SOUR:PRES:LEV:IMM:AMPL 0.5000000;:SOUR:PRES:SLEW 2.0;:SOUR:PRES:SLEW:MODE LIN;:UNIT:PRES MPA',
          { set_point: 500000, slew: 2e6, slew_mode: 'LIN' },
        ],
      }),
      joined([':OUTP:STAT?', ':SOUR:PRES:LEV:IMM:AMPL:VENT?', ':SOUR:PRES:EFF?', ':SENS:PRES:INL?'], {
        every: 1,
        gives: { control: 'flag', vent: 'state', effort: '1', in_limits: 'flag' },
        of: (on, status, effort, limits) => ({
          control: flag(on),
          vent: VENT[status] ?? bad(`vent status "${status}" is not known`),
          effort: percent(decimal(effort)),
          in_limits: flag(limits.split(',')[1]?.trim() ?? ''),
        }),
        example: [
          ':OUTP:STAT 1;:SOUR:PRES:LEV:IMM:AMPL:VENT 0;:SOUR:PRES:EFF 12.5;:SENS:PRES:INL 1.2340000, 1',
          { control: true, vent: 'idle', effort: 0.125, in_limits: true },
        ],
        words: { vent: Object.values(VENT) },
      }),
      joined([':SOUR:PRES:COMP1?', ':SOUR:PRES:COMP2?', UNIT], {
        every: 5,
        gives: { source_pressure: 'Pa', negative_source_pressure: 'Pa' },
        of: (plus, minus, unit) => ({ source_pressure: si(unit)(plus), negative_source_pressure: si(unit)(minus) }),
        example: [
          ':SOUR:PRES:COMP1 12.464;:SOUR:PRES:COMP2 -0.5;:UNIT:PRES BAR',
          { source_pressure: 1246400, negative_source_pressure: -50000 },
        ],
      }),
      errors,
    ],
    commands: {
      pressure: command({
        takes: 'Pa',
        limits: full,
        talk: (act, pascals, _index, here) => setting(act, here, ':SOUR:PRES:LEV:IMM:AMPL', pascals),
        readback: { channel: 'set_point', within: 3, by: full[1] * 1e-5 },
        about: 'set point; it acts while "control" is on',
      }),
      slew: command({
        takes: 'Pa/s',
        limits: [0, full[1]],
        talk: (act, speed, _index, here) => setting(act, here, ':SOUR:PRES:SLEW', speed),
        readback: { channel: 'slew', within: 3, by: full[1] * 1e-6 },
        about: 'speed in the slew mode LIN',
      }),
      slew_mode: command({
        takes: 'state',
        words: ['MAX', 'LIN'],
        talk: (act, mode) => act.main.send(`:SOUR:PRES:SLEW:MODE ${mode}`),
        readback: { channel: 'slew_mode', within: 3, by: 0 },
      }),
      control: command({
        takes: 'flag',
        safe: false,
        talk: (act, on) => act.main.send(`:OUTP:STAT ${on ? 1 : 0}`),
        readback: { channel: 'control', within: 3, by: 0 },
        about: 'on: holds the set point; off: valves closed, measures only',
      }),
      vent: command({
        takes: 'nothing',
        talk: (act, _value, _index, here) => vent(act, here, vent_below),
        about: `only below ${show(vent_below, 'Pa')}`,
      }),
      vent_abort: command({ takes: 'nothing', talk: (act) => act.main.send(':SOUR:PRES:LEV:IMM:AMPL:VENT 0') }),
    },
  }),
});
