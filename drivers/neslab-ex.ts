import { NESLAB_ERROR, type NeslabFrame, neslab, neslabValue, neslabWord } from '../protocols/neslab.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  type Here,
  instrument,
  NoReply,
  options,
  poll,
  Refused,
  type Takes,
  type Talk,
  whole,
  word,
} from '../src/instrument.ts';
import { celsius, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof neslab> };
interface Options {
  readonly address: number;
  readonly bus: 'rs232' | 'rs485';
  readonly series: 'ex' | 'rte';
}
interface Id {
  readonly version: string;
  /** The questions that this bath knows, of those that not every one does. */
  readonly knows: readonly number[];
}

/** Read functions (table 1); a set function is the read function's number and 80 hex. */
const ACKNOWLEDGE = 0x00;
const STATUS = 0x09;
const TEMPERATURE = 0x20;
const EXTERNAL = 0x21;
const LOW_LIMIT = 0x40;
const HIGH_LIMIT = 0x60;
const SET_POINT = 0x70;
const SET = 0x80;
const ON_OFF_ARRAY = 0x81;
const NO_CHANGE = 2;
/** Places in the on/off array. */
const ARRAY = { running: 0, external_sensor: 1, faults_enabled: 2, mute: 3, auto_restart: 4, fine: 5 } as const;

const ERRORS: Readonly<Record<number, string>> = { 1: 'bad command', 2: 'bad data', 3: 'bad checksum' };

/** Bits 7 to 0 of the status bytes d1 to d4 that are faults or warnings; '' is none. */
const TROUBLES = {
  ex: [
    ['RTD1 open fault', 'RTD1 shorted fault', 'RTD1 open', 'RTD1 shorted', '', '', '', ''],
    ['RTD2 open fault', 'RTD2 shorted fault', 'RTD2 open warning', 'RTD2 shorted warning', 'RTD2 open', 'RTD2 shorted', '', 'HTC fault'],
  ],
  rte: [
    [
      'RTD1 open fault',
      'RTD1 shorted fault',
      'RTD1 open',
      'RTD1 shorted',
      'RTD3 open fault',
      'RTD3 shorted fault',
      'RTD3 open',
      'RTD3 shorted',
    ],
    [
      ...['RTD2 open fault', 'RTD2 shorted fault', 'RTD2 open warning', 'RTD2 shorted warning', 'RTD2 open', 'RTD2 shorted'],
      ...['refrigeration high temperature', 'HTC fault'],
    ],
  ],
} as const;
const LEVELS = [
  ...['high fixed temperature fault', 'low fixed temperature fault', 'high temperature fault', 'low temperature fault', 'low level fault'],
  ...['high temperature warning', 'low temperature warning', 'low level warning'],
] as const;

const set = (byte: number, bit: number): boolean => ((byte >> bit) & 1) === 1;

/** What the bath answers in words, where it is an error. */
const trouble = ({ command, data: [code = 0] }: NeslabFrame): string | undefined =>
  command === NESLAB_ERROR ? `the bath answers "${ERRORS[code] ?? `error ${code}`}"` : undefined;

function value(m: NeslabFrame) {
  const found = neslabValue(m.data);
  if (!found) throw new Error(`${m.data.length} bytes are no value`);
  return found;
}
/** °C as K; a value that does not say °C is no temperature. */
const kelvin = (m: NeslabFrame) => {
  const { value: shown, unit } = value(m);
  return unit === 1 ? celsius(shown) : bad(`the bath gives it in the unit ${unit}, not in °C (1)`);
};
const plain = (m: NeslabFrame) => value(m).value;
/** A value, or the bath's error in words. */
const said = (m: NeslabFrame, of: (m: NeslabFrame) => number | ReturnType<typeof bad>) => {
  const why = trouble(m);
  return why === undefined ? of(m) : bad(why);
};

function* identify(ask: Askers<L>, { address }: Options): Talk<Id | Refused> {
  const read = (command: number): NeslabFrame => ({ address, command, data: [] });
  const status = yield* ask.main.ask(read(STATUS));
  if (status.data.length === 4 && !trouble(status)) {
    return new Refused('its status has 4 bytes: a ThermoFlex, whose status bits mean other things');
  }
  if (status.data.length !== 5)
    return new Refused(`${trouble(status) ?? `its status has ${status.data.length} bytes, not 5`}: no NESLAB EX or RTE`);
  const about = yield* ask.main.ask(read(ACKNOWLEDGE));
  const knows: number[] = [];
  for (const command of [EXTERNAL, LOW_LIMIT, HIGH_LIMIT, ...PID.map(([, n]) => n)]) {
    if (!trouble(yield* ask.main.ask(read(command)))) knows.push(command);
  }
  return { version: trouble(about) ? 'unknown' : about.data.join('.'), knows };
}

/** Sends a value with as many decimals as the bath uses now, which its own value tells. */
const write = (act: Actors<L>, here: Here, address: number, command: number, wanted: number): Talk<void> =>
  here.atomic(
    (function* () {
      const now = yield* act.main.ask({ address, command, data: [] });
      const why = trouble(now);
      if (why !== undefined) throw new NoReply(why);
      const { decimals } = value(now);
      const reply = yield* exchange(act, { address, command: command | SET, data: neslabWord(wanted, decimals) });
      const taken = neslabValue(reply.data)?.value;
      if (taken !== undefined && Math.abs(taken - wanted) > 0.51 * 10 ** -decimals) throw new NoReply(`the bath stays at ${taken}`);
    })(),
  );
function* exchange(act: Actors<L>, q: NeslabFrame): Talk<NeslabFrame> {
  const reply = yield* act.main.exchange(q);
  const why = trouble(reply);
  if (why !== undefined) throw new NoReply(why);
  return reply;
}
function* turn(act: Actors<L>, address: number, place: number, on: boolean): Talk<void> {
  const data = Array.from({ length: 8 }, (_, i) => (i === place ? Number(on) : NO_CHANGE));
  yield* exchange(act, { address, command: ON_OFF_ARRAY, data });
}

/** Channel, read function, unit, highest value that can be set (manual, table 1). */
const PID = [
  ['heat_proportional_band', 0x71, '1', 99.9],
  ['heat_integral', 0x72, '1', 9.99],
  ['heat_derivative', 0x73, '1', 5],
  ['cool_proportional_band', 0x74, '1', 99.9],
  ['cool_integral', 0x75, '1', 9.99],
  ['cool_derivative', 0x76, '1', 5],
] as const;
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * Thermo NESLAB EX and RTE baths by RS-232 or RS-485 (19200 baud, RTE 110 series 9600) or TCP. Serial communication must be switched on at
 * the bath ("Computer"). A temperature is set with the decimals that the bath has now (0.1 or 0.01 °C), which are asked before.
 */
export default instrument<L, Options, Id>({
  model: 'Thermo NESLAB EX / RTE',
  source: 'epics-modules/ip NeslabEX; NESLAB EX, RTE 7 and RTE 110 manuals, appendix "NC Serial Communications Protocol"',
  options: options<Options>({
    address: whole('address on RS-485; 1 on RS-232', 1, 100, 1),
    bus: word('what the frames begin with', ['rs232', 'rs485'] as const, 'rs232'),
    series: word('what the bits of its status mean', ['ex', 'rte'] as const, 'ex'),
  }),
  links: ({ bus }) => ({ main: neslab({ bus }) }),
  pace: 0.01, // RS-485: the bath keeps the line for 5 ms
  proof: ({ address }) => ({ main: { ask: () => ({ address, command: STATUS, data: [] }), is: (m) => m.command === STATUS } }),
  identify,
  body: ({ address, series }, { knows }) => {
    const frame = (command: number, ...data: readonly number[]): NeslabFrame => ({ address, command, data });
    const amount = (
      command: number,
      channel: string,
      unit: Unit,
      every: number,
      span: readonly [number, number],
      [data, means]: readonly [readonly number[], number],
    ) =>
      poll<L, Readonly<Record<string, Unit>>>({
        ask: frame(command),
        every,
        gives: { [channel]: unit },
        read: (m) => ({ [channel]: said(m, unit === 'K' ? kelvin : plain) }),
        example: [frame(command, ...data), { [channel]: means }],
        span: { [channel]: span },
      });
    const temperature = (command: number, channel: string, every: number) =>
      amount(command, channel, 'K', every, [150, 600], [[0x11, 0xff, 0x97], 262.65]); // RTE 110 manual: -10.5 °C
    const has = (n: number): boolean => knows.includes(n);
    const degrees = (n: number, channel: string, about: string): Command<L, 'K'> => ({
      takes: 'K',
      limits: [173.15, 523.15],
      talk: (act, wanted, _index, here) => write(act, here, address, n, wanted - 273.15),
      readback: { channel, within: channel === 'set_point' ? 3 : 12, by: 0.051 },
      about,
    });
    const either = (place: number, about: string): Command<L, 'flag'> => ({
      takes: 'flag',
      talk: (act, on) => turn(act, address, place, on),
      about,
    });
    return {
      polls: [
        temperature(TEMPERATURE, 'temperature', 1),
        temperature(SET_POINT, 'set_point', 1),
        poll<L, Readonly<Record<string, 'flag' | 'state'>>>({
          ask: frame(STATUS),
          every: 1,
          gives: {
            running: 'flag',
            pump: 'flag',
            heating: 'flag',
            fault: 'flag',
            troubles: 'state',
            ...(series === 'rte' ? { compressor: 'flag' } : {}),
          },
          read: (m) => {
            const why = trouble(m);
            if (why !== undefined || m.data.length !== 5) throw new Error(why ?? `a status of ${m.data.length} bytes, not 5`);
            const [d1, d2, d3, d4] = m.data;
            const names = [...TROUBLES[series], LEVELS].flatMap((row, i) =>
              row.filter((name, n) => name !== '' && set([d1, d2, d3][i], 7 - n)),
            );
            return {
              running: set(d4, 3),
              pump: set(d4, 2),
              heating: set(d4, 0),
              ...(series === 'rte' ? { compressor: set(d4, 1) } : {}),
              fault: set(d4, 5),
              troubles: names.join(', ') || 'none',
            };
          },
          example: [
            frame(STATUS, 0, 0, 0x08, 0x2d, 0x08),
            {
              ...{ running: true, pump: true, heating: true, fault: true, troubles: 'low level fault' },
              ...(series === 'rte' ? { compressor: false } : {}),
            },
          ],
        }),
        ...(has(EXTERNAL) ? [temperature(EXTERNAL, 'external_temperature', 2)] : []),
        ...(has(LOW_LIMIT) ? [temperature(LOW_LIMIT, 'low_limit', 10)] : []),
        ...(has(HIGH_LIMIT) ? [temperature(HIGH_LIMIT, 'high_limit', 10)] : []),
        ...PID.filter(([, n]) => has(n)).map(([channel, n, unit, most]) =>
          amount(n, channel, unit, 60, [0, 10 * most], [[0x20, 0x00, 0x96], 1.5]),
        ),
      ],
      commands: {
        set_point: command(degrees(SET_POINT, 'set_point', 'temperature of the bath')),
        running: command({
          ...either(ARRAY.running, 'bath on or off; one that was switched off by the line is switched on by it'),
          readback: { channel: 'running', within: 5, by: 0 },
        }),
        ...(has(LOW_LIMIT) ? { low_limit: command(degrees(LOW_LIMIT, 'low_limit', 'fault below it')) } : {}),
        ...(has(HIGH_LIMIT) ? { high_limit: command(degrees(HIGH_LIMIT, 'high_limit', 'fault above it')) } : {}),
        external_sensor: command(either(ARRAY.external_sensor, 'controls by the external sensor')),
        mute: command(either(ARRAY.mute, 'mutes the alarm')),
        auto_restart: command(either(ARRAY.auto_restart, 'on again by itself after a power cut')),
        fine: command(either(ARRAY.fine, 'numbers with 0.01 °C')),
        ...Object.fromEntries(
          PID.filter(([, n]) => has(n)).map(([channel, n, takes, most]) => [
            channel,
            command({
              takes,
              limits: [0, most],
              talk: (act, wanted, _index, here) => write(act, here, address, n, wanted),
              readback: { channel, within: 62, by: 0.051 },
            }),
          ]),
        ),
      },
    };
  },
});
