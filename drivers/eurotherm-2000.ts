import { type ModbusAsk, type ModbusTell, signed, unsigned } from '../protocols/modbus.ts';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { modbusTcp } from '../protocols/modbus-tcp.ts';
import {
  type Actors,
  bad,
  type Command,
  type Field,
  instrument,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  whole,
  word,
} from '../src/instrument.ts';
import { celsius, percent, quantity, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof modbusRtu> };
interface Options {
  readonly unit: number;
  readonly decimals: number;
  readonly output_decimals: number;
  readonly safe_setpoint: number;
  readonly framing: 'rtu' | 'tcp';
}

const AUTOTUNE = 270;
const BROKEN: readonly number[] = [32767, -32768];
const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal function',
  2: 'illegal address',
  3: 'illegal value',
  4: 'device failure',
  6: 'busy',
  10: 'the gateway has no way to it',
  11: 'the gateway hears nothing from it',
};
/** A gateway's own: nothing is known of the unit behind it. */
const GATEWAY: readonly number[] = [10, 11];
const trouble = (code: number): string => `exception ${code} (${EXCEPTIONS[code] ?? 'unknown'})`;

/** A register's number and its SI value, both ways. */
interface Register {
  readonly address: number;
  readonly unit: Unit;
  readonly si: (shown: number) => number;
  readonly raw: (si: number) => number;
  /** Largest rounding of `raw`, in SI. */
  readonly step: number;
}

/** Registers by channel; numbers have the decimals of the controller's display, PID and output rate are whole. */
function registers({ decimals, output_decimals }: Options) {
  const shown = 10 ** decimals;
  const power = 10 ** output_decimals;
  const degrees = (address: number): Register => ({
    address,
    unit: 'K',
    si: (n) => celsius(n / shown),
    raw: (kelvin) => (kelvin - celsius(0)) * shown,
    step: 0.6 / shown,
  });
  const plain = (address: number, unit: Unit): Register => ({ address, unit, si: (n) => n, raw: (n) => n, step: 0.6 });
  return {
    temperature: degrees(1),
    set_point: degrees(2),
    output: { address: 3, unit: '1', si: (n) => percent(n / power), raw: (n) => n * 100 * power, step: 0.006 / power },
    proportional_band: plain(6, '1'),
    integral_time: plain(8, 's'),
    derivative_time: plain(9, 's'),
    maximum_output: { address: 30, unit: '1', si: (n) => percent(n / power), raw: (n) => n * 100 * power, step: 0.006 / power },
    output_rate: { address: 37, unit: '1/s', si: percent, raw: (n) => n * 100, step: 0.006 },
    setpoint_high: degrees(111),
    setpoint_low: degrees(112),
  } as const satisfies Record<string, Register>;
}

const value = (register: Register, n: number) =>
  BROKEN.includes(signed(n)) && register.unit === 'K'
    ? bad('sensor break, or beyond what the controller can show')
    : register.si(signed(n));

const read = (unit: number, address: number, count: number): ModbusAsk => ({ unit, function: 3, address, count });

function numbers(m: ModbusTell, count: number): readonly number[] | string {
  if ('exception' in m) return `the controller answers ${trouble(m.exception)}`;
  if ('values' in m && m.function === 3 && m.values.length === count) return m.values;
  throw new Error('another reply than to a read');
}

/** Channels of neighbouring registers, in one question. */
const block = (unit: number, every: number, channels: Readonly<Record<string, Register>>, example: Poll<L>['example']) => {
  const all = Object.entries(channels);
  return poll<L, Readonly<Record<string, Unit>>>({
    ask: read(unit, all[0][1].address, all.length),
    every,
    gives: Object.fromEntries(all.map(([name, r]) => [name, r.unit])),
    read: (m) => {
      const got = numbers(m, all.length);
      return Object.fromEntries(all.map(([name, r], i) => [name, typeof got === 'string' ? bad(got) : value(r, got[i])]));
    },
    span: Object.fromEntries(all.filter(([, r]) => r.unit === 'K').map(([name]) => [name, [0, 4000] as const])),
    // The reply of a read and the channels above, as the caller wrote them.
    example: example as readonly [ModbusTell, Readonly<Record<string, number>>],
  });
};

function* write(act: Actors<L>, unit: number, address: number, number: number): Talk<void> {
  const n = Math.round(number);
  if (!(n >= -32768 && n <= 32767)) throw new NoReply(`${n} does not fit into register ${address}`);
  const m = yield* act.main.exchange({ unit, function: 6, address, value: unsigned(n) });
  if ('exception' in m) throw new NoReply(`the controller refuses: ${trouble(m.exception)}`);
}
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

const temperature = (about: string, otherwise: string): Field<number> => ({
  about: `${about} (otherwise "${otherwise}")`,
  of(yaml) {
    const given = typeof yaml === 'string' || yaml === undefined ? quantity(yaml ?? otherwise) : 'not a temperature';
    if (typeof given === 'string') return new Refused(given);
    return given.unit === 'K' && given.value >= 0 ? given.value : new Refused(`must be a temperature, such as "${otherwise}"`);
  },
});

/**
 * Eurotherm 2000 and 3000 series by Modbus RTU, on a line of their own or behind a Modbus TCP gateway. The proof's reply is longer than
 * a register's and shorter than the poll's.
 */
export default instrument<L, Options, { readonly unit: number }>({
  model: 'Eurotherm 2000 / 3000 series (Modbus)',
  source: 'ISISComputingGroup/EPICS-DeviceEmulator lewis_emulators/eurotherm',
  options: options<Options>({
    unit: whole('address on the bus', 1, 254),
    decimals: whole('decimals of temperatures on the display', 0, 2, 1),
    output_decimals: whole('decimals of output power on the display', 0, 2, 1),
    safe_setpoint: temperature('set point that is safe', '0 °C'),
    framing: word('rtu on a line, tcp behind a Modbus TCP gateway', ['rtu', 'tcp'] as const, 'rtu'),
  }),
  links: ({ framing }) => ({ main: framing === 'tcp' ? modbusTcp() : modbusRtu() }),
  pace: 0.005, // 3.5 characters at 9600 baud
  within: 0.5,
  proof: ({ unit }) => ({
    main: { ask: () => read(unit, 111, 2), is: (m) => 'values' in m && m.values.length === 2 },
  }),
  *identify(ask, { unit, decimals }) {
    const reply = yield* ask.main.ask(read(unit, 111, 2));
    if ('exception' in reply && GATEWAY.includes(reply.exception))
      throw new NoReply(`the unit does not answer: ${trouble(reply.exception)}`);
    const got = numbers(reply, 2);
    if (typeof got === 'string') return new Refused(`${got} for its set-point limits (111, 112): no 2000 or 3000 series`);
    const [high, low] = got.map((n) => signed(n) / 10 ** decimals);
    return high > low ? { unit } : new Refused(`set-point limits ${low} to ${high} °C make no sense: no 2000 or 3000 series`);
  },
  body: (p) => {
    const { unit } = p;
    const all = registers(p);
    const shown = 10 ** p.decimals;
    const power = 10 ** p.output_decimals;
    const reply = (...values: readonly number[]): ModbusTell => ({ unit, function: 3, values: values.map(unsigned) });
    const single = (channel: keyof typeof all, raw: number, means: number) =>
      block(unit, 20, { [channel]: all[channel] }, [reply(raw), { [channel]: means }]);
    const set = (channel: keyof typeof all, limits: readonly [number, number], about?: string): Command<L, Unit> => {
      const { address, unit: takes, raw, step } = all[channel];
      return {
        takes,
        limits,
        about,
        talk: (act, wanted) => write(act, unit, address, raw(wanted)),
        readback: { channel, within: 3, by: step },
      };
    };
    const degrees = [Math.max(0, celsius(-32767 / shown)), celsius(32766 / shown)] as const;
    return {
      polls: [
        block(unit, 0.5, { temperature: all.temperature, set_point: all.set_point, output: all.output }, [
          reply(25 * shown, -5 * shown, 40 * power),
          { temperature: 298.15, set_point: 268.15, output: 0.4 },
        ]),
        single('proportional_band', 20, 20),
        single('integral_time', 360, 360),
        single('derivative_time', 60, 60),
        single('maximum_output', 100 * power, 1),
        single('output_rate', 5, 0.05),
        single('setpoint_high', 300 * shown, 573.15),
        single('setpoint_low', -10 * shown, 263.15),
        poll<L, { autotune: 'flag' }>({
          ask: read(unit, AUTOTUNE, 1),
          every: 20,
          gives: { autotune: 'flag' },
          read: (m) => {
            const got = numbers(m, 1);
            return { autotune: typeof got === 'string' ? bad(got) : got[0] !== 0 };
          },
          example: [reply(1), { autotune: true }],
        }),
      ],
      commands: {
        setpoint: command<Unit>({
          ...set('set_point', degrees, 'the controller refuses one beyond its own limits'),
          safe: p.safe_setpoint,
        }),
        maximum_output: set('maximum_output', [0, 1], 'limit of output power'),
        proportional_band: set('proportional_band', [0, 9999], 'as the controller shows it'),
        integral_time: set('integral_time', [0, 9999]),
        derivative_time: set('derivative_time', [0, 9999]),
        output_rate: set('output_rate', [0, 99], 'limit of the change of output power; 0: none'),
        setpoint_high: set('setpoint_high', degrees),
        setpoint_low: set('setpoint_low', degrees),
        autotune: command({
          takes: 'flag',
          talk: (act, on) => write(act, unit, AUTOTUNE, on ? 1 : 0),
          readback: { channel: 'autotune', within: 3, by: 0 },
        }),
      },
    };
  },
});
