import { type IsegTell, isegShq, isegWritten } from '../protocols/iseg-shq.ts';
import { decimal } from '../protocols/text.ts';
import { type Field, options, Refused, simulator, whole, word } from '../src/simulator.ts';
import { type HighVoltage, highVoltage, kill, type Output } from './worlds/high-voltage.ts';

/** The states of a channel as S1 says them, and those that stay until they have been read. */
type Word = 'ON ' | 'OFF' | 'MAN' | 'ERR' | 'INH' | 'QUA' | 'L2H' | 'H2L' | 'LAS' | 'TRP';

interface Channel {
  readonly name: string;
  readonly ohms: number;
  /** V: as it was set, and where the output goes since the last start. */
  set: number;
  goal: number;
  /** V/s. */
  ramp: number;
  /** A; 0: none. */
  trip: number;
  auto: boolean;
  /** Percent of the nominal values, as the rotary switches stand. */
  voltageLimit: number;
  currentLimit: number;
  polarity: '+' | '-';
  /** Switches of the front panel, and the inhibit input. */
  manual: boolean;
  switchedOff: boolean;
  killEnabled: boolean;
  inhibit: boolean;
  latched: 'ERR' | 'INH' | 'TRP' | undefined;
}
interface State {
  readonly identity: string;
  /** V and A. */
  readonly volts: number;
  readonly amps: number;
  readonly channels: Channel[];
  /** ms between two characters. */
  delay: number;
}

const VOLTS = -1; // exponent of the last digit: 0.1 V, 0.1 µA
const AMPS = -7;
const SETTLED = 0.5; // V

const outputOf = (c: Channel, w: HighVoltage): Output => w.output(c.name, c.ohms);

function statusOf(c: Channel, w: HighVoltage): Word {
  const { volts } = outputOf(c, w);
  if (c.switchedOff) return 'OFF';
  if (c.latched) return c.latched;
  if (c.manual) return 'MAN';
  if (volts < c.goal - SETTLED) return outputOf(c, w).limited ? 'QUA' : 'L2H';
  return volts > c.goal + SETTLED ? 'H2L' : 'ON ';
}

/** Bit 7 first: quality, error, inhibit, kill enable, switch off, positive, manual, display on voltage. */
function moduleOf(c: Channel, w: HighVoltage): number {
  const { limited } = outputOf(c, w);
  const bits = [
    limited,
    c.latched === 'ERR',
    c.inhibit || c.latched === 'INH',
    c.killEnabled,
    c.switchedOff,
    c.polarity === '+',
    c.manual,
    true,
  ];
  return bits.reduce((sum, is) => 2 * sum + (is ? 1 : 0), 0);
}

/** Reading the status lets go of what was latched; with auto start the ramp begins again then. */
function readStatus(c: Channel, w: HighVoltage): string {
  const said = statusOf(c, w);
  if (c.latched && !c.inhibit) {
    c.latched = undefined;
    if (c.auto) c.goal = c.set;
  }
  return said;
}

function start(c: Channel, w: HighVoltage): Word {
  if (c.switchedOff) return 'OFF';
  if (c.manual) return 'MAN';
  if (c.latched) return 'LAS';
  c.goal = c.set;
  return statusOf(c, w);
}

const three = (n: number): string => String(n).padStart(3, '0');
const between = (text: string, lo: number, hi: number): number | undefined => {
  const n = decimal(text);
  return n >= lo && n <= hi ? n : undefined;
};

/** One command of a channel; undefined is a syntax error. */
function channelSaid(s: State, c: Channel, n: string, head: string, value: string | undefined, w: HighVoltage): string | undefined {
  if (value === undefined) {
    const { volts, amps } = outputOf(c, w);
    switch (head) {
      case 'U':
        return isegWritten(
          (c.polarity === '-' ? -1 : 1) * Math.max(0, volts + (volts > 0 ? 0.05 * w.noise(`${c.name} volts`) : 0)),
          VOLTS,
          5,
          true,
        );
      case 'I':
        return isegWritten(Math.max(0, amps + (amps > 0 ? 2e-8 * w.noise(`${c.name} amps`) : 0)), AMPS, 5);
      case 'M':
        return three(c.voltageLimit);
      case 'N':
        return three(c.currentLimit);
      case 'D':
        return isegWritten(c.set, VOLTS, 5);
      case 'V':
        return three(c.ramp);
      case 'G':
        return `S${n}=${start(c, w)}`;
      case 'L':
        return isegWritten(c.trip, AMPS, 5);
      case 'S':
        return `S${n}=${readStatus(c, w)}`;
      case 'T':
        return three(moduleOf(c, w));
      case 'A':
        return three(c.auto ? 8 : 0);
      default:
        return undefined;
    }
  }
  switch (head) {
    case 'D': {
      const most = (s.volts * c.voltageLimit) / 100;
      const volts = between(value, 0, Number.POSITIVE_INFINITY);
      if (volts === undefined) return undefined;
      if (volts > most) return `? UMAX=${most}`;
      c.set = volts;
      if (c.auto && !c.manual && !c.latched) c.goal = volts;
      return '';
    }
    case 'V': {
      const ramp = between(value, 2, 255);
      if (ramp === undefined || !Number.isInteger(ramp)) return undefined;
      c.ramp = ramp;
      return '';
    }
    case 'L': {
      const digits = between(value, 0, 99_999);
      if (digits === undefined || !Number.isInteger(digits)) return undefined;
      c.trip = Number(`${digits}e${AMPS}`);
      return '';
    }
    case 'A': {
      const auto = between(value, 0, 8);
      if (auto !== 0 && auto !== 8) return undefined;
      c.auto = auto === 8;
      return '';
    }
    default:
      return undefined;
  }
}

function answer(ask: string, s: State, w: HighVoltage): readonly IsegTell[] {
  if (ask === '') return [];
  const tell = (said: string | undefined): readonly IsegTell[] => [{ echo: ask, answer: said ?? '????' }];
  if (ask === '#') return tell(s.identity);
  if (ask === 'W') return tell(three(s.delay));
  const [, delay] = /^W=(\d{1,3})$/.exec(ask) ?? [];
  if (delay !== undefined) {
    const ms = between(delay, 1, 255);
    if (ms !== undefined) s.delay = ms;
    return tell(ms === undefined ? undefined : '');
  }
  const [, head, n, value] = /^([A-Z])(\d)(?:=(.*))?$/.exec(ask) ?? [];
  if (head === undefined || n === undefined) return tell(undefined);
  const channel = s.channels[Number(n) - 1];
  return tell(channel ? channelSaid(s, channel, n, head, value, w) : '?WCN');
}

function tick(s: State, w: HighVoltage): void {
  for (const c of s.channels) {
    const output = outputOf(c, w);
    if (c.inhibit) c.latched = 'INH';
    else if (c.trip > 0 && output.amps > c.trip) c.latched = 'TRP';
    else if (output.limited) c.latched ??= c.killEnabled ? 'ERR' : undefined;
    if (c.latched || c.switchedOff) {
      c.goal = 0;
      kill(output);
    }
    Object.assign(output, { target: c.goal, up: c.ramp, down: c.ramp, limit: (s.amps * c.currentLimit) / 100 });
  }
}

const flag = (about: string): Field<boolean> => ({
  about: `${about} (true | false, otherwise false)`,
  of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? (yaml ?? false) : new Refused('must be true or false')),
});
interface Options {
  readonly channels: number;
  readonly polarity: 'positive' | 'negative';
  readonly volts: number;
  readonly manual: boolean;
  readonly kiloohms: number;
}

/** A unit of one or two channels with loads of the world `high-voltage`. Written from the SHQ and EHQ operators manuals. */
export default simulator({
  options: options<Options>({
    channels: whole('channels', 1, 2, 2),
    polarity: word('as the switches stand', ['positive', 'negative'], 'positive'),
    volts: whole('nominal V', 500, 9000, 3000),
    manual: flag('the switches CONTROL stand at manual'),
    kiloohms: whole('kΩ of the load on each channel', 1, 1_000_000_000, 10_000),
  }),
  links: { main: isegShq() },
  state: (p: Partial<Options>, name: string): State => {
    const { channels = 2, polarity = 'positive', volts = 3000, manual = false, kiloohms = 10_000 } = p;
    const channel = (n: number): Channel => ({
      ...{ name: `${name}[${n}]`, ohms: 1000 * kiloohms, set: 0, goal: 0, ramp: 100, trip: 0, auto: false },
      ...{ voltageLimit: 100, currentLimit: 100, polarity: polarity === 'positive' ? '+' : '-' },
      ...{ manual, switchedOff: false, killEnabled: false, inhibit: false, latched: undefined },
    });
    return {
      identity: `487412;3.09;${volts}V;4mA`,
      volts,
      amps: 4e-3,
      channels: Array.from({ length: channels }, (_, n) => channel(n)),
      delay: 3,
    };
  },
  world: highVoltage,
  answer: { main: answer },
  tick: (s, w) => tick(s, w),
  think: 0.03, // an answer of a dozen characters, 3 ms apart
});
