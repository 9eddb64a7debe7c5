import { latin1 } from '../protocols/protocol.ts';
import { type Binding, errorWord, named, type SnmpAsk, type SnmpTell, type SnmpValue, snmp } from '../protocols/snmp.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  declared,
  type Field,
  instrument,
  type Measured,
  NoReply,
  options,
  type Poll,
  patiently,
  Refused,
  type Takes,
  type Talk,
  word,
} from '../src/instrument.ts';
import { celsius, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof snmp> };
interface Options {
  readonly version: 'v1' | 'v2c';
  readonly read: string;
  readonly write: string;
  /** Rows of outputTable, from 1; none: those that the crate shows when it is connected. */
  readonly outputs_named: readonly number[];
  readonly max_volts: number;
  readonly max_amps: number;
}
interface Id {
  readonly description: string;
  readonly rows: readonly number[];
}

/** WIENER-CRATE-MIB, revision 1207; bits 15 and 16 of outputStatus from revision 7280. */
const CRATE = '1.3.6.1.4.1.19947.1';
const MAIN_SWITCH = `${CRATE}.1.1.0`;
const CRATE_STATUS = `${CRATE}.1.2.0`;
const OUTPUTS = `${CRATE}.3.1.0`;
const ENTRY = `${CRATE}.3.2.1`;
const SYS_DESCR = '1.3.6.1.2.1.1.1.0';
const COLUMN = {
  ...{ name: 2, status: 4, sense: 5, terminal: 6, current: 7, temperature: 8, switch: 9 },
  ...{ voltage: 10, limit: 12, rise: 13, fall: 14 },
} as const;
const CRATE_BITS: readonly string[] = [
  ...['main on', 'main inhibit', 'local control only', 'input failure', 'output failure', 'fan tray failure', 'sensor failure'],
  ...['VME SYSFAIL', 'plug and play incompatible'],
];
const STATUS_BITS: readonly string[] = [
  ...['on', 'inhibit', 'sense voltage too low', 'sense voltage too high', 'terminal voltage too high', 'current too high'],
  ...['temperature too high', 'power too high', 'bit 8', 'communication timeout', 'current limited', 'ramping up', 'ramping down'],
  ...['kill enabled', 'emergency off', 'adjusting', 'constant voltage'],
];
const FAILURES = [2, 3, 4, 5, 6, 7, 9];
/** outputSwitch: what is written. */
const SWITCH = { off: 0, on: 1, resetEmergencyOff: 2, setEmergencyOff: 3, clearEvents: 10 } as const;
/** outputMeasurementTemperature: what is no temperature. */
const NO_TEMPERATURE: Readonly<Record<number, string>> = {
  [-128]: 'the module measures no temperature',
  127: 'its thermometer has failed',
};
const TOO_BIG = 1;
const NO_SUCH_NAME = 2;
/** Names of one question: 40 replies of 32 bytes go into one datagram. */
const MOST = 40;
const MOST_ROWS = 2000;
/** How often a question is asked again whose datagram, or that of its answer, was lost. */
const TRIES = 2;

const cell = (column: keyof typeof COLUMN, row: number): string => `${ENTRY}.${COLUMN[column]}.${row}`;
const nameOf = (row: number): string => `u${row - 1}`;

/** The values of all these names as one reply, asked in as many questions as it takes. */
function* all(ask: Askers<L>, p: Options, names: readonly string[], most = MOST): Talk<SnmpTell> {
  const found: Binding[] = [];
  let last: SnmpTell | undefined;
  for (let at = 0; at < names.length; at += most) {
    last = yield* some(ask, p, names.slice(at, at + most));
    found.push(...last.bindings);
  }
  if (last === undefined) throw new NoReply('there is nothing to ask');
  return found.length === last.bindings.length ? last : { ...last, bindings: found };
}

function* some(ask: Askers<L>, p: Options, names: readonly string[]): Talk<SnmpTell> {
  const m = yield* patiently(TRIES, () => ask.main.ask({ version: p.version, community: p.read, kind: 'get', bindings: named(names) }));
  if (m.error === 0 && m.kind === 'response') return m;
  if (m.error === TOO_BIG && names.length > 1) return yield* all(ask, p, names, Math.ceil(names.length / 2));
  const missing = names[m.errorIndex - 1];
  if (m.error === NO_SUCH_NAME && missing !== undefined) {
    // Version 1 refuses the whole question for one name that it has not.
    const rest = names.filter((name) => name !== missing);
    const got = rest.length > 0 ? yield* some(ask, p, rest) : { ...m, error: 0, errorIndex: 0, bindings: [] };
    const bindings = got.bindings.toSpliced(m.errorIndex - 1, 0, { name: missing, value: { type: 'noSuchInstance' } });
    return { ...got, bindings };
  }
  throw new NoReply(`the crate answers ${m.kind === 'report' ? 'with a report' : errorWord(m.error)}`);
}

/** The rows of outputTable, found by asking for one after the other. */
function* rowsOf(ask: Askers<L>, p: Options): Talk<readonly number[]> {
  const column = `${ENTRY}.${COLUMN.name}.`;
  const rows: number[] = [];
  let from = column.slice(0, -1);
  while (rows.length < MOST_ROWS) {
    const base = { version: p.version, community: p.read, bindings: named([from]) };
    const q: SnmpAsk = p.version === 'v1' ? { ...base, kind: 'next' } : { ...base, kind: 'bulk', once: 0, most: MOST };
    const m = yield* patiently(TRIES, () => ask.main.ask(q));
    if (m.error === NO_SUCH_NAME) break;
    if (m.error !== 0) throw new NoReply(`the crate answers ${errorWord(m.error)} to a walk of its outputs`);
    const here = m.bindings
      .filter((b) => b.name.startsWith(column) && b.value.type === 'octets')
      .map((b) => Number(b.name.slice(column.length)));
    const more = here.filter((row) => Number.isInteger(row) && row > (rows.at(-1) ?? 0));
    rows.push(...more);
    if (more.length === 0 || here.length < m.bindings.length) break;
    from = `${column}${more.at(-1)}`;
  }
  return rows;
}

function* identify(ask: Askers<L>, p: Options): Talk<Id | Refused> {
  const { bindings } = yield* all(ask, p, [SYS_DESCR, OUTPUTS]);
  const [what, many] = bindings.map((b) => b.value);
  const description =
    what?.type === 'octets'
      ? latin1(what.value)
          .replace(/[^\x20-\x7e]/g, '')
          .trim()
      : '';
  if (!/wiener/i.test(description)) return new Refused(`"${description || 'no sysDescr'}" is no WIENER crate`);
  if (many?.type !== 'integer') return new Refused(`"${description}" gives no number of outputs: it is no crate of WIENER-CRATE-MIB`);
  const rows = p.outputs_named.length > 0 ? p.outputs_named : yield* rowsOf(ask, p);
  if (rows.length === 0)
    return new Refused('the crate shows no outputs: switch it on, or name those that it should have by "outputs_named: [u0, u1]"');
  return { description, rows };
}

// Values: a bad reading says what came in the place of one.
const absent = (v: SnmpValue | undefined) =>
  v === undefined || v.type === 'noSuchInstance' || v.type === 'noSuchObject'
    ? bad('the crate has no such output or value: is the module there, and the crate on?')
    : bad(`the crate answers with a value of type ${v.type}`);
const real = (v: SnmpValue | undefined): number | Measured<'1'> =>
  v?.type !== 'float' && v?.type !== 'double' ? absent(v) : Number.isFinite(v.value) ? v.value : bad('the crate answers with no number');
const integer = (v: SnmpValue | undefined): number | Measured<'1'> => (v?.type === 'integer' ? v.value : absent(v));
const turned = (v: SnmpValue | undefined): boolean | Measured<'flag'> =>
  v?.type !== 'integer'
    ? absent(v)
    : v.value === 1
      ? true
      : v.value === 0 || v.value === SWITCH.setEmergencyOff
        ? false
        : bad(`${v.value} is no state of a switch`);
const thermometer = (v: SnmpValue | undefined): number | Measured<'1'> => {
  if (v?.type !== 'integer') return absent(v);
  const why = NO_TEMPERATURE[v.value];
  return why === undefined ? celsius(v.value) : bad(why);
};
const title = (v: SnmpValue | undefined): string | Measured<'state'> => (v?.type === 'octets' ? latin1(v.value) || '-' : absent(v));

/** BITS: the first one is the high bit of the first byte; bytes that are left out are zero. */
const bit = (bytes: Uint8Array, n: number): boolean => (((bytes[n >> 3] ?? 0) << (n & 7)) & 0x80) !== 0;
const words = (bytes: Uint8Array, names: readonly string[]): string =>
  Array.from({ length: 8 * bytes.length }, (_, n) => (bit(bytes, n) ? [names[n] ?? `bit ${n}`] : []))
    .flat()
    .join(', ') || 'none';
/** What the bits say; a bad reading where there are none. */
const ofBits =
  <T>(read: (bytes: Uint8Array) => T) =>
  (v: SnmpValue | undefined) =>
    v?.type !== 'octets' ? absent(v) : v.value.length === 0 ? bad('the crate answers with no bits') : read(v.value);
const flag = (...of: readonly number[]) => ofBits((bytes) => of.some((n) => bit(bytes, n)));

function* write(act: Actors<L>, p: Options, name: string, value: SnmpValue, what: string): Talk<void> {
  const m = yield* act.main.exchange({ version: p.version, community: p.write, kind: 'set', bindings: [{ name, value }] });
  if (m.error === 0 && m.kind === 'response') return;
  const why = m.kind === 'report' ? 'with a report' : errorWord(m.error);
  throw new NoReply(
    `the crate refuses ${what}: ${why}${/noAccess|readOnly|noSuchName|authorization/.test(why) ? ' (may this community write it?)' : ''}`,
  );
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const community = (about: string, otherwise: string): Field<string> =>
  declared(`${about} (otherwise ${otherwise})`, (part) => part.text('public', otherwise));
const size = (about: string, unit: Unit, otherwise: number): Field<number> =>
  declared(`${about} (otherwise ${otherwise} ${unit})`, (part) => {
    const value = part.given ? part.amount({ written: unit, unit }) : otherwise;
    return value > 0 ? value : part.wrong(`must be above 0 ${unit}`);
  });
const rows: Field<readonly number[]> = declared('list of outputs, such as [u0, u1, u100] (otherwise all that the crate shows)', (part) => {
  const given: unknown = part.yaml ?? [];
  const numbers = Array.isArray(given)
    ? given.map((one: unknown) => (/^[uU]\d{1,4}$/.test(String(one)) ? Number(String(one).slice(1)) + 1 : 0))
    : [0];
  if (numbers.some((row) => row < 1 || row > MOST_ROWS) || new Set(numbers).size < numbers.length)
    return part.wrong('must be a list of different outputs from u0 to u1999');
  return numbers;
});

/**
 * WIENER MPOD crates by SNMP over UDP (port 161). Index i of a list is the i-th output of the crate, or of `outputs_named`; the channel
 * `name` says which. An output that is switched off goes down at its own `ramp_down`. Orders carry the community `write`.
 */
export default instrument<L, Options, Id>({
  model: 'Wiener MPOD',
  source: 'WIENER-CRATE-MIB revision 1207 and the MPOD driver in cjpl/midas; MPOD probes of revision 7280',
  proven: 'third-party driver',
  options: options<Options>({
    version: word('version of SNMP', ['v1', 'v2c'] as const, 'v2c'),
    read: community('community of questions', 'public'),
    write: community('community of orders', 'guru'),
    outputs_named: rows,
    max_volts: size('V that may be set at most, of either sign', 'V', 6000),
    max_amps: size('A that may be set at most as a limit; low-voltage modules need more', 'A', 0.01),
  }),
  links: { main: snmp() },
  identify,
  body: (p, { rows: own }) => {
    const { max_volts: volts, max_amps: amps } = p;
    const polled = <O extends Poll<L>['gives']>(
      columns: readonly (keyof typeof COLUMN)[],
      each: Omit<Poll<L, O, SnmpTell>, 'talk' | 'read' | 'example'> & {
        readonly of: (
          column: (name: keyof typeof COLUMN) => readonly (SnmpValue | undefined)[],
        ) => ReturnType<Poll<L, O, SnmpTell>['read']>;
        readonly sample: Partial<Record<keyof typeof COLUMN, SnmpValue>>;
        /** Of one output. */
        readonly means: { readonly [N in keyof O]: number | boolean | string };
      },
    ): Poll<L, O, SnmpTell> => {
      const { of, sample, means, ...rest } = each;
      const names = own.flatMap((row) => columns.map((column) => cell(column, row)));
      const read = (m: SnmpTell) => {
        const got = new Map(m.bindings.map((b) => [b.name, b.value]));
        return of((column) => own.map((row) => got.get(cell(column, row))));
      };
      const example: SnmpTell = {
        ...{ version: p.version, community: p.read, kind: 'response', error: 0, errorIndex: 0 },
        bindings: own.flatMap((row) => columns.map((column) => ({ name: cell(column, row), value: sample[column] ?? { type: 'null' } }))),
      };
      // The same value of each output, as `means` says it once.
      const meaning = Object.fromEntries(Object.entries<unknown>(means).map(([name, value]) => [name, own.map(() => value)]));
      return { ...rest, talk: (ask) => all(ask, p, names), read, example: [example, meaning as unknown as ReturnType<typeof read>] }; // the names and kinds of `means`
    };
    const crate = [MAIN_SWITCH, CRATE_STATUS, OUTPUTS];
    const float = (value: number): SnmpValue => ({ type: 'float', value });
    const set = (column: keyof typeof COLUMN, channel: string, unit: Unit, limits: readonly [number, number], about: string, by: number) =>
      command<Unit>({
        takes: unit,
        count: own.length,
        limits,
        talk: (act, value, index) =>
          write(act, p, cell(column, own[index] ?? 0), float(value), `${value} ${unit} for ${nameOf(own[index] ?? 0)}`),
        readback: { channel, within: 6, by },
        about,
      });
    const trigger = (value: number, about: string) =>
      command<'nothing'>({
        takes: 'nothing',
        count: own.length,
        talk: (act, _value, index) =>
          write(
            act,
            p,
            cell('switch', own[index] ?? 0),
            { type: 'integer', value },
            `${value} to the switch of ${nameOf(own[index] ?? 0)}`,
          ),
        about,
      });
    return {
      polls: [
        polled(['status', 'sense', 'terminal', 'current', 'switch'], {
          every: 1,
          gives: {
            ...{ voltage: 'V', terminal_voltage: 'V', current: 'A', on: 'flag', switch: 'flag', ramping: 'flag', inhibited: 'flag' },
            ...{ current_limited: 'flag', failure: 'flag', emergency_off: 'flag', status: 'state' },
          },
          of: (column) => ({
            voltage: column('sense').map(real),
            terminal_voltage: column('terminal').map(real),
            current: column('current').map(real),
            switch: column('switch').map(turned),
            on: column('status').map(flag(0)),
            inhibited: column('status').map(flag(1)),
            failure: column('status').map(flag(...FAILURES)),
            current_limited: column('status').map(flag(10)),
            ramping: column('status').map(flag(11, 12)),
            emergency_off: column('status').map(flag(14)),
            status: column('status').map(ofBits((bytes) => words(bytes, STATUS_BITS))),
          }),
          sample: {
            status: { type: 'octets', value: Uint8Array.of(0x80, 0x10) },
            ...{ sense: float(123), terminal: float(123.5), current: float(0.5), switch: { type: 'integer', value: 1 } },
          },
          means: {
            ...{ voltage: 123, terminal_voltage: 123.5, current: 0.5, switch: true, on: true, ramping: true, status: 'on, ramping up' },
            ...{ inhibited: false, failure: false, current_limited: false, emergency_off: false },
          },
          span: { voltage: [-2 * volts, 2 * volts], terminal_voltage: [-2 * volts, 2 * volts], current: [-1000, 1000] },
        }),
        polled(['voltage', 'limit', 'rise', 'fall', 'temperature', 'name'], {
          every: 2,
          gives: { set_voltage: 'V', current_limit: 'A', ramp_up: 'V/s', ramp_down: 'V/s', temperature: 'K', name: 'state' },
          of: (column) => ({
            set_voltage: column('voltage').map(real),
            current_limit: column('limit').map(real),
            ramp_up: column('rise').map(real),
            ramp_down: column('fall').map(real),
            temperature: column('temperature').map(thermometer),
            name: column('name').map(title),
          }),
          sample: {
            ...{ voltage: float(1500), limit: float(0.25), rise: float(50), fall: float(100) },
            ...{ temperature: { type: 'integer', value: 28 }, name: { type: 'octets', value: Uint8Array.of(0x55, 0x30) } },
          },
          means: { set_voltage: 1500, current_limit: 0.25, ramp_up: 50, ramp_down: 100, temperature: 301.15, name: 'U0' },
          span: { temperature: [230, 420] },
        }),
        {
          every: 1,
          gives: { main_switch: 'flag', main_inhibited: 'flag', outputs: '1', crate_failure: 'flag', crate_status: 'state' },
          talk: (ask: Askers<L>) => all(ask, p, crate),
          read: ({ bindings }: SnmpTell) => {
            const [main, status, many] = crate.map((name) => bindings.find((b) => b.name === name)?.value);
            return {
              main_switch: turned(main),
              main_inhibited: flag(1)(status),
              crate_failure: flag(3, 4, 5, 6, 7, 8)(status),
              crate_status: ofBits((bytes) => words(bytes, CRATE_BITS))(status),
              outputs: integer(many),
            };
          },
          example: [
            {
              ...{ version: p.version, community: p.read, kind: 'response', error: 0, errorIndex: 0 },
              bindings: [
                { name: MAIN_SWITCH, value: { type: 'integer', value: 1 } },
                { name: CRATE_STATUS, value: { type: 'octets', value: Uint8Array.of(0x80, 0x00) } },
                { name: OUTPUTS, value: { type: 'integer', value: 16 } },
              ],
            },
            { main_switch: true, main_inhibited: false, crate_failure: false, crate_status: 'main on', outputs: 16 },
          ],
          span: { outputs: [0, MOST_ROWS] },
        },
      ],
      commands: {
        voltage: command<Unit>({
          ...set('voltage', 'set_voltage', 'V', [-volts, volts], 'set voltage, reached at ramp_up and ramp_down', volts / 1e5),
          safe: 0,
        }),
        switch: command<'flag'>({
          takes: 'flag',
          count: own.length,
          safe: false,
          talk: (act, on, index) =>
            write(
              act,
              p,
              cell('switch', own[index] ?? 0),
              { type: 'integer', value: on ? SWITCH.on : SWITCH.off },
              `to switch ${nameOf(own[index] ?? 0)} ${on ? 'on' : 'off'}`,
            ),
          readback: { channel: 'on', within: 4, by: 0 },
          about: 'off goes down at ramp_down',
        }),
        current_limit: set('limit', 'current_limit', 'A', [0, amps], 'current limit', amps / 1e5),
        ramp_up: set('rise', 'ramp_up', 'V/s', [0, volts], 'rate at which the voltage rises', volts / 1e5),
        ramp_down: set('fall', 'ramp_down', 'V/s', [0, volts], 'rate at which it falls, also after switching off', volts / 1e5),
        emergency_off: trigger(SWITCH.setEmergencyOff, 'off without a ramp; stays until reset_emergency_off and clear_events'),
        reset_emergency_off: trigger(SWITCH.resetEmergencyOff, 'leaves emergency off; clear_events is needed before it can be switched on'),
        clear_events: trigger(SWITCH.clearEvents, 'clears the failures of the output and of its module'),
        main_switch: command<'flag'>({
          takes: 'flag',
          talk: (act, on) => write(act, p, MAIN_SWITCH, { type: 'integer', value: on ? 1 : 0 }, `to switch the crate ${on ? 'on' : 'off'}`),
          readback: { channel: 'main_switch', within: 15, by: 0 },
          about: 'the whole crate',
        }),
      },
    };
  },
});
