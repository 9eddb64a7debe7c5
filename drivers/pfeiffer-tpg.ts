import { ACK, ENQ, NAK, pfeifferTpg } from '../protocols/pfeiffer-tpg.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  type Here,
  instrument,
  type Measured,
  NoReply,
  Refused,
  type Talk,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof pfeifferTpg> };
interface Id {
  readonly model: string;
  readonly firmware: string;
  readonly gauges: number;
}
/** The answers of one poll. */
interface Said {
  readonly unit: string;
  readonly pressures: string;
  readonly switches: string;
  readonly names: string;
}

const STATUS = ['ok', 'underrange', 'overrange', 'sensor error', 'off', 'no sensor', 'identification error'] as const;
const WHY: readonly string[] = [
  '',
  'underrange: the pressure is below what the gauge measures',
  'overrange: the pressure is above what the gauge measures',
  'sensor error',
  'the gauge is switched off',
  'there is no gauge',
  'the gauge cannot be identified',
];
const TORR = 101_325 / 760; // Pa, exact by definition
/** UNI, by its number: 26x know the first three, 36x all; the last is no pressure. */
const UNITS: readonly (readonly [string, number])[] = [
  ['mbar', 100],
  ['Torr', TORR],
  ['Pa', 1],
  ['micron', TORR / 1000],
  ['hPa', 100],
  ['V', Number.NaN],
];
const POWER = ['fixed', 'off', 'on'] as const;
const ERRORS = ['controller error', 'no hardware', 'inadmissible parameter', 'syntax error'];
const errorOf = (word: string): string =>
  /^[01]{4}$/.test(word) ? ERRORS.filter((_, i) => word[i] === '1').join(', ') || 'no error' : `error "${word}"`;

/** What the data of a mnemonic look like: those of another one that came in between do not. */
const list = (one: string) => (n: number) => new RegExp(`^${Array.from({ length: n }, () => one).join('\\s*,\\s*')}$`);
const NUMBER = '[-+]?\\d(?:\\.\\d+)?E[-+]?\\d{1,2}';
const PRESSURES = list(`[0-6]\\s*,\\s*${NUMBER}`);
const SWITCHES = list('[012]');
const NAMES = list('[A-Za-z][\\w/ ]{2,}');
const FIRMWARE = /^[\w.-]{3,}$/;
const AYT = /^TPG ?\d{3}[^,]*(?:,[^,]*){4}$/i;
const DIGIT = /^[0-5]$/;
const TRIES = 3;
/** No unit knows it: NAK is its answer alone. */
const UNKNOWN = 'XXX';

class Rejected extends NoReply {}

type Enquire = { ask(q: string, within?: number): Talk<string> };

/** ACK of a mnemonic, then its data; Rejected after NAK. An order that came in between is seen by the form of the data. */
function* enquired(ask: Enquire, mnemonic: string, like: RegExp): Talk<string> {
  let said = '';
  for (let i = 0; i < TRIES; i++) {
    const report = yield* ask.ask(mnemonic);
    said = (yield* ask.ask(ENQ)).trim();
    if (report === NAK) throw new Rejected(`the unit refuses ${mnemonic}: ${errorOf(said)}`);
    if (like.test(said)) return said;
  }
  throw new NoReply(`"${said}" is no answer to ${mnemonic}`);
}

const pressuresOf = (gauges: number): string => (gauges === 1 ? 'PR1' : 'PRX');

/** The unit twice: it may be changed at the panel while the pressures are asked for. */
function* polled(ask: Askers<L>, gauges: number): Talk<Said> {
  const { main } = ask;
  let unit = yield* enquired(main, 'UNI', DIGIT);
  for (let i = 0; i < TRIES; i++) {
    const pressures = yield* enquired(main, pressuresOf(gauges), PRESSURES(gauges));
    const names = yield* enquired(main, 'TID', NAMES(gauges));
    const again = yield* enquired(main, 'UNI', DIGIT);
    const switches = yield* enquired(main, 'SEN', SWITCHES(gauges));
    if (again === unit) return { unit, pressures, switches, names };
    unit = again;
  }
  throw new NoReply('the unit of the pressures is being changed');
}

function pascal(status: number, value: number, [unit, factor]: readonly [string, number]): number | Measured<'Pa'> {
  const why = WHY[status];
  if (why === undefined) return bad(`status ${status} is not known`);
  if (why !== '') return bad(why);
  if (Number.isNaN(factor)) return bad(`the unit is set to ${unit}, which is no pressure: set it to hPa`);
  return value > 0 ? value * factor : bad(`${value} ${unit} is no pressure that a gauge shows`);
}

/** 26x have no AYT: the error word says so, and PNR gives the firmware alone. */
function* identify({ main }: Askers<L>): Talk<Id | Refused> {
  let model = 'TPG 26x';
  let firmware: string;
  try {
    const parts = (yield* enquired(main, 'AYT', AYT)).split(',').map((part) => part.trim());
    model = (parts[0] ?? '').replace(/^TPG ?/i, 'TPG ');
    firmware = parts[3] ?? '';
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    firmware = yield* enquired(main, 'PNR', FIRMWARE);
  }
  const names = yield* enquired(main, 'TID', /./);
  const gauges = names.split(',').length;
  if (![1, 2, 6].includes(gauges) || !NAMES(gauges).test(names)) return new Refused(`"${names}" are no gauges of a TPG`);
  return { model, firmware, gauges };
}

function* order(act: Actors<L>, line: string, like: RegExp): Talk<void> {
  const { main } = act;
  const report = yield* main.exchange(line);
  const said = (yield* main.ask(ENQ)).trim();
  if (report !== ACK) throw new NoReply(`the unit refuses ${line}: ${errorOf(said)}`);
  if (!like.test(said)) throw new NoReply(`"${said}" is no answer to ${line}`);
  // A poll that was between a mnemonic and its ENQ gets these data then, which are like no others.
  yield* main.ask('TID');
}

/** Holds the line: nothing comes between a mnemonic and its ENQ. */
const turn = (act: Actors<L>, here: Here, gauges: number, index: number, on: boolean): Talk<void> =>
  here.atomic(
    (function* () {
      const switches = (yield* enquired(act.main, 'SEN', SWITCHES(gauges))).split(',');
      if (switches[index]?.trim() === '0') throw new NoReply(`gauge ${index + 1} is none that can be switched`);
      const wanted = switches.map((_, i) => (i === index ? (on ? '2' : '1') : '0'));
      yield* order(act, `SEN,${wanted.join(',')}`, SWITCHES(gauges));
    })(),
  );

const command = (c: Command<L, 'flag'>): Command<L, 'flag'> => c;

/**
 * Pfeiffer TPG 261, 262, 361, 362 and 366 by RS-232, USB (9600 8N1) or TCP port 8000. Index i is the gauge at input i + 1. Pressures are in
 * Pa whatever unit the panel shows; where the gauge measures none (under range, over range, off) there is no number.
 */
export default instrument<L, Readonly<Record<string, never>>, Id>({
  model: 'Pfeiffer TPG 26x / 36x',
  source: 'CINF/PyExpLabSys drivers/pfeiffer.py; hvl_ccb pfeiffer_tpg; ISIS EPICS-DeviceEmulator tpgx6x; pylablib Pfeiffer TPG260',
  proven: 'third-party driver',
  links: { main: pfeifferTpg() },
  proof: { main: { ask: () => UNKNOWN, is: (m) => m === NAK } },
  identify,
  body: (_p, { gauges }) => ({
    polls: [
      {
        every: 1,
        gives: { pressure: 'Pa', status: 'state', gauge: 'state', power: 'state', unit: 'state' },
        talk: (ask: Askers<L>) => polled(ask, gauges),
        read({ unit, pressures, switches, names }: Said) {
          const shown = UNITS[Number(unit)] ?? ['?', Number.NaN];
          const fields = pressures.split(',').map((field) => field.trim());
          const each = Array.from({ length: gauges }, (_, i) => [Number(fields[2 * i]), decimal(fields[2 * i + 1] ?? '')] as const);
          return {
            pressure: each.map(([status, value]) => pascal(status, value, shown)),
            status: each.map(([status]) => STATUS[status] ?? bad(`status ${status} is not known`)),
            gauge: names.split(',').map((name) => name.trim()),
            power: switches.split(',').map((word) => POWER[Number(word)] ?? bad(`"${word}" is no state of a gauge`)),
            unit: shown[0],
          };
        },
        example: [
          {
            unit: '0',
            pressures: Array.from({ length: gauges }, () => '0,1.2345E-05').join(','),
            switches: Array.from({ length: gauges }, () => '2').join(','),
            names: Array.from({ length: gauges }, () => 'PKR').join(','),
          },
          {
            pressure: Array.from({ length: gauges }, () => 1.2345e-3),
            status: Array.from({ length: gauges }, () => 'ok'),
            gauge: Array.from({ length: gauges }, () => 'PKR'),
            power: Array.from({ length: gauges }, () => 'on'),
            unit: 'mbar',
          },
        ],
        span: { pressure: [0, 2e7] },
        words: { status: STATUS, power: POWER, unit: UNITS.map(([name]) => name) },
      },
    ],
    commands: {
      power: command({
        takes: 'flag',
        count: gauges,
        talk: (act, on, index, here) => turn(act, here, gauges, index, on),
        readback: { channel: 'power', within: 5, by: 0, shows: (on) => (on === true ? 'on' : 'off') },
        about: 'high voltage of a cold cathode or emission of a hot one; others cannot be switched',
      }),
    },
  }),
});
