import { decimal, text } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  type Here,
  instrument,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  word,
} from '../src/instrument.ts';
import { celsius, percent, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof text> };

/** Which question gives what: the makes of one maker differ. Names of channels -> questions; all but `power` and `control_ratio` are °C. */
interface Family {
  readonly inputs: Readonly<Record<string, string>>;
  /** Warning limits. */
  readonly high?: string;
  readonly low?: string;
  /** IN_SP_06 tells °C from °F. */
  readonly unit?: boolean;
  readonly pid?: boolean;
}
const FAMILIES = {
  /** Circulators HL, SL, CF: dvg_devices (FP51-SL), Julabo LC 6 and SC manuals. */
  hl: {
    inputs: { power: 'IN_PV_01', external_temperature: 'IN_PV_02', safety_temperature: 'IN_PV_03' },
    high: 'IN_SP_03',
    low: 'IN_SP_04',
    unit: true,
    pid: true,
  },
  /** Circulators MH (FP50-MH), and HE with other limits: the ISIS device emulator. */
  mh: { inputs: { external_temperature: 'IN_PV_01', power: 'IN_PV_02' }, high: 'IN_SP_01', low: 'IN_SP_02', pid: true },
  he: { inputs: { external_temperature: 'IN_PV_01', power: 'IN_PV_02' }, high: 'IN_SP_03', low: 'IN_SP_04', pid: true },
  /** Recirculating coolers FC: the package julabo (JulaboFC). */
  fc: {
    inputs: { external_temperature: 'IN_PV_01', power: 'IN_PV_02', return_temperature: 'IN_PV_03' },
    high: 'IN_SP_01',
    low: 'IN_SP_02',
  },
  /** Recirculating coolers FL, and whatever else: only what all of them have. */
  fl: { inputs: {} },
} as const satisfies Record<string, Family>;
type FamilyName = keyof typeof FAMILIES;
// The keys of the table above.
const NAMES = Object.keys(FAMILIES) as readonly FamilyName[];

interface Options {
  readonly family: 'by name' | FamilyName;
}
interface Id {
  readonly version: string;
  readonly family: FamilyName;
  /** It tells °C from °F. */
  readonly unit: boolean;
}

const UNIT = 'IN_SP_06';
const FAHRENHEIT = 'it shows °F: set it to °C at its panel';
const OUT_GAP = 0.25; // s between two out commands (manuals, "Important times for a command transmission")
/** Errors that say of a command that it has not been carried out; -01 to -07 and others are alarms. */
const REFUSALS: readonly number[] = [-8, -9, -10, -11, -12, -13];

const codeOf = (status: string): number => {
  const [, code] = /^\s*(-?\d+)\b/.exec(status) ?? [];
  return code === undefined ? Number.NaN : Number(code);
};
/** °C as K; "---.--" or "-151.00", which a sensor gives that is not plugged in, is bad. */
const degrees = (reply: string) => (/^\s*-{2,}/.test(reply) || decimal(reply) <= -150 ? bad('no sensor') : celsius(decimal(reply)));
const isCelsius = (unit: string | undefined): boolean => unit === undefined || /^\s*0\s*$/.test(unit);
const onOff = (reply: string) => (/^\s*[01]\s*$/.test(reply) ? Number(reply) === 1 : bad(`"${reply}" is neither 0 nor 1`));

/** Asks twice, because such a device is silent where it does not know a question, and because a reply may be lost. */
function* maybe(ask: Askers<L>, question: string): Talk<string | undefined> {
  for (let n = 0; n < 2; n++) {
    try {
      return yield* ask.main.ask(question);
    } catch (error) {
      if (!(error instanceof NoReply)) throw error;
    }
  }
  return undefined;
}

function* identify(ask: Askers<L>, { family }: Options): Talk<Id | Refused> {
  const version = (yield* ask.main.ask('VERSION')).trim();
  if (!/^JULABO\b/i.test(version)) return new Refused(`"${version}" (VERSION) is no Julabo`);
  const found = family === 'by name' ? yield* byName(ask, version) : family;
  const rules: Family = FAMILIES[found];
  return { version, family: found, unit: rules.unit === true && (yield* maybe(ask, UNIT)) !== undefined };
}

function* byName(ask: Askers<L>, version: string): Talk<FamilyName> {
  if (/\b(?:HL|SL|HIGHTECH|CF\d*|LC\s?\d+)\b/i.test(version)) return 'hl';
  if (/FC\d|\bFC\b/i.test(version)) return 'fc';
  if (!/[\s_-](?:MH|HE)\b/i.test(version)) return 'fl';
  if ((yield* maybe(ask, 'IN_SP_03')) !== undefined) return 'he';
  yield* maybe(ask, 'STATUS'); // takes away the error that the question before has made
  return 'mh';
}

/** An out command has no answer: it counts when the device shows it, and where it does not, its status says why. */
const order = (act: Actors<L>, here: Here, line: string, shows: string, unit = false): Talk<void> =>
  here.atomic(
    (function* () {
      if (unit && !isCelsius(yield* act.main.ask(UNIT))) throw new NoReply(FAHRENHEIT);
      yield* act.main.send(line);
      yield* here.wait(OUT_GAP);
      const status = (yield* act.main.ask('STATUS')).trim(); // first: a question might clear it
      if (!REFUSALS.includes(codeOf(status))) return;
      // It may be of an earlier command.
      const wanted = Number(line.split(' ')[1]);
      if (!(Math.abs(decimal(yield* act.main.ask(shows)) - wanted) <= 0.0051))
        throw new NoReply(`the device answers to ${line}: ${status}`);
    })(),
  );
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

interface Row {
  readonly every: number;
  readonly example: readonly [string, number];
  readonly span: readonly [number, number];
  readonly of?: (reply: string) => number | ReturnType<typeof bad>;
}
const amount = (ask: string, channel: string, unit: Unit, { every, example: [reply, means], span, of = decimal }: Row) =>
  poll<L, Readonly<Record<string, Unit>>>({
    ask,
    every,
    gives: { [channel]: unit },
    read: (m) => ({ [channel]: of(m) }),
    example: [reply, { [channel]: means }],
    span: { [channel]: span },
  });
type Told = readonly [reply: string, unit: string | undefined];
/** A temperature, together with the unit of the panel where the device tells it. */
const temperature = (question: string, channel: string, every: number, unit: boolean): Poll<L, Readonly<Record<string, 'K'>>, Told> => ({
  every,
  gives: { [channel]: 'K' },
  *talk(ask) {
    return [yield* ask.main.ask(question), unit ? yield* ask.main.ask(UNIT) : undefined];
  },
  read: ([reply, shows]) => ({ [channel]: isCelsius(shows) ? degrees(reply) : bad(FAHRENHEIT) }),
  example: [['23.45', unit ? '0' : undefined], { [channel]: 296.6 }],
  span: { [channel]: [100, 700] },
});

/** Control parameters Xp, Tn, Tv of the internal and the external controller. */
const PID = {
  internal_proportional_band: ['PAR_06', 'K', 0.1, 99.9, 1],
  internal_integral_time: ['PAR_07', 's', 3, 9999, 0],
  internal_derivative_time: ['PAR_08', 's', 0, 999, 0],
  external_proportional_band: ['PAR_09', 'K', 0.1, 99.9, 1],
  external_integral_time: ['PAR_11', 's', 3, 9999, 0],
  external_derivative_time: ['PAR_12', 's', 0, 999, 0],
} as const;

/**
 * Julabo circulators and coolers by RS-232 (mostly 4800 baud, 7 bits, even parity: `?baud=4800&bits=7&parity=even`) or TCP. Orders are
 * taken only in remote mode, which is chosen at the panel; otherwise the status says -09 and the order fails with it.
 */
export default instrument<L, Options, Id>({
  model: 'Julabo circulators and coolers',
  source:
    'ISISComputingGroup/EPICS-DeviceEmulator lewis_emulators/julabo (FP50-MH); python-dvg-devices Julabo (FP51-SL); package julabo; Julabo manuals FL300, FC600, LC 6, Magio MX',
  options: options<Options>({ family: word('what its questions mean', ['by name', ...NAMES], 'by name') }),
  links: { main: text({ ask: '\r', tell: ['\r\n', '\n'] }) },
  pace: 0.02, // 10 ms after an answer (manuals); dvg_devices keeps 20 ms
  proof: { main: { ask: () => 'VERSION', is: (m) => /JULABO/i.test(m) } },
  identify,
  body: (_p, { family, unit }) => {
    const rules: Family = FAMILIES[family];
    const { inputs, high, low, pid } = rules;
    const limits = [173.15, 673.15] as const; // no such device goes beyond; the rig says what yours may
    const out = (question: string): string => question.replace('IN_', 'OUT_');
    const kelvin = (question: string, channel: string, about: string): Command<L, 'K'> => ({
      takes: 'K',
      limits,
      talk: (act, value, _index, here) => order(act, here, `${out(question)} ${(value - 273.15).toFixed(2)}`, question, unit),
      readback: { channel, within: channel === 'set_point' ? 3 : 12, by: 0.0051 },
      about,
    });
    const tunings = pid ? Object.entries(PID) : [];
    return {
      polls: [
        temperature('IN_PV_00', 'temperature', 1, unit),
        temperature('IN_SP_00', 'set_point', 1, unit),
        poll<L, { running: 'flag' }>({
          ask: 'IN_MODE_05',
          every: 1,
          gives: { running: 'flag' },
          read: (m) => ({ running: onOff(m) }),
          example: ['1', { running: true }],
        }),
        poll<L, { status: 'state'; alarm: 'flag'; remote: 'flag' }>({
          ask: 'STATUS',
          every: 2,
          gives: { status: 'state', alarm: 'flag', remote: 'flag' },
          read: (m) => {
            const code = codeOf(m);
            const unknown = bad(`"${m}" has no number`);
            return {
              status: m.trim(),
              alarm: Number.isNaN(code) ? unknown : code < 0 && !REFUSALS.includes(code),
              // An error takes the place of the mode.
              remote: code === 2 || code === 3 ? true : code === 0 || code === 1 ? false : bad(`the status is "${m.trim()}"`),
            };
          },
          example: ['03 REMOTE START', { status: '03 REMOTE START', alarm: false, remote: true }],
        }),
        ...Object.entries(inputs).map(([channel, question]) =>
          channel === 'power'
            ? amount(question, channel, '1', {
                every: 2,
                example: ['25.0', 0.25],
                span: [-1.05, 1.05],
                of: (reply) => percent(decimal(reply)),
              })
            : temperature(question, channel, 2, unit),
        ),
        ...(high ? [temperature(high, 'high_limit', 10, unit)] : []),
        ...(low ? [temperature(low, 'low_limit', 10, unit)] : []),
        ...tunings.map(([channel, [parameter, kind, least, most]]) =>
          amount(`IN_${parameter}`, channel, kind, { every: 60, example: [String(least), least], span: [0, most] }),
        ),
      ],
      commands: {
        set_point: command(kelvin('IN_SP_00', 'set_point', 'temperature of the bath')),
        running: command({
          takes: 'flag',
          talk: (act, on, _index, here) => order(act, here, `OUT_MODE_05 ${on ? 1 : 0}`, 'IN_MODE_05'),
          readback: { channel: 'running', within: 4, by: 0 },
          about: 'pump and control on or off',
        }),
        // MH and FC have limits that are set at the device.
        ...(family === 'hl' && high ? { high_limit: command(kelvin(high, 'high_limit', 'warning above it')) } : {}),
        ...(family === 'hl' && low ? { low_limit: command(kelvin(low, 'low_limit', 'warning below it')) } : {}),
        ...Object.fromEntries(
          tunings.map(([channel, [parameter, takes, least, most, decimals]]) => [
            channel,
            command({
              takes,
              limits: [least, most],
              talk: (act, value, _index, here) => order(act, here, `OUT_${parameter} ${value.toFixed(decimals)}`, `IN_${parameter}`),
              readback: { channel, within: 62, by: 0.51 * 10 ** -decimals },
            }),
          ]),
        ),
        ...(pid
          ? {
              external_control: command({
                takes: 'flag',
                talk: (act, on, _index, here) => order(act, here, `OUT_MODE_04 ${on ? 1 : 0}`, 'IN_MODE_04'),
                about: 'on: controls by the external sensor; off: by the bath',
              }),
            }
          : {}),
      },
    };
  },
});
