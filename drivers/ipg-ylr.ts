import { ipg, refusal, value } from '../protocols/ipg.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  instrument,
  NoReply,
  options,
  poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
  type Values,
} from '../src/instrument.ts';
import { celsius, percent, type Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof ipg> };

/** Bits of the status word of the YLR family; the YAR family has another map. */
const STATUS = {
  over_temperature: 1,
  emission: 2,
  back_reflection: 3,
  analog_control: 4,
  module_disconnected: 6,
  module_failed: 7,
  aiming_beam: 8,
  optical_interlock: 10,
  power_supply_off: 11,
  modulation: 12,
  enabled: 14,
  starting: 15,
  unexpected_emission: 17,
  key_remote: 21,
  aiming_hardware_control: 22,
  module_disabled: 29,
  collimator_disconnected: 30,
} as const;
type Name = keyof typeof STATUS;

type Per<T> = { readonly [N in Name]: T };
const BITS = Object.entries(STATUS);
// fromEntries forgets the keys: they are those of STATUS.
const each = <T>(of: (bit: number) => T): Per<T> => Object.fromEntries(BITS.map(([n, bit]) => [n, of(bit)])) as Per<T>;

const NONE = each(() => false);

/** What a reply says; for an error reply a bad value with the laser's own words. */
const said = <T>(reply: string, of: (text: string) => T) => {
  const why = refusal(reply);
  return why === undefined ? of(value(reply) ?? '') : bad(`the laser answers "${why}"`);
};

/** What a reply to STA says, flag by flag. */
function flags(reply: string): Values<Per<'flag'>> {
  const word = said(reply, statusWord);
  if (typeof word !== 'number') return each(() => word);
  const all: Record<string, boolean> = { ...NONE };
  for (const [name, bit] of BITS) all[name] = ((word >>> bit) & 1) === 1;
  return all as Per<boolean>; // the names are those of NONE
}

function statusWord(text: string): number {
  const word = Number(text);
  if (!/^\d+$/.test(text) || word >= 2 ** 32) throw new Error(`"${text}" is no status word`);
  return word;
}

const LOW = { quality: 'suspect', value: 0, why: "below the meter's range" } as const;
const watts = (text: string) => (text === 'Off' ? 0 : text === 'Low' ? LOW : decimal(text));
const level = (text: string) => (text === 'Off' ? 'off' : text === 'Low' ? 'low' : Number.isNaN(decimal(text)) ? bad('no power') : 'on');

interface Amount {
  readonly every: number;
  readonly si: (shown: number) => number;
  readonly example: readonly [string, number];
  readonly span: readonly [number, number];
}
/** A question with one number for an answer. */
const amount = (ask: string, channel: string, unit: Unit, { every, si, example: [reply, means], span }: Amount) =>
  poll<L, Readonly<Record<string, Unit>>>({
    ask,
    every,
    gives: { [channel]: unit },
    read: (m) => ({ [channel]: said(m, (text) => si(decimal(text))) }),
    example: [reply, { [channel]: means }],
    span: { [channel]: span },
  });

function* order(act: Actors<L>, line: string): Talk<void> {
  const why = refusal(yield* act.main.exchange(line));
  if (why !== undefined) throw new NoReply(`the laser refuses ${line}: ${why}`);
}
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
/** A flag with a word for each value, and the flag of the status word that shows it. */
const either = (on: string, off: string, channel?: Name, about?: string): Command<L, 'flag'> => ({
  takes: 'flag',
  talk: (act, wanted) => order(act, wanted ? on : off),
  readback: channel && { channel, within: 2, by: 0 },
  about,
});

/**
 * The families share their words and not their meaning (bits, watts or per cent): the model number decides. Without one, the laser must
 * know a least set point in per cent and none in watts.
 */
function* identify(ask: Askers<L>): Talk<{ readonly family: string; readonly model: string; readonly firmware: string } | Refused> {
  const firmware = value(yield* ask.main.ask('RFV'));
  if (!firmware) return new Refused('RFV gives no firmware version: this is no IPG laser, or one of an unknown kind');
  const model = value(yield* ask.main.ask('RMN')) ?? '';
  if (/\bYL[RM](?![A-Z])/i.test(model)) return { family: 'ylr', model, firmware };
  const yar = 'the YAR family has another status word, and set points in watts: with this driver its emission would not be seen';
  if (/\bYAR/i.test(model)) return new Refused(`this is a ${model}; ${yar}`);
  if (model !== '') return new Refused(`the model "${model}" (RMN) is not known to be of the YLR or YLM family`);
  if (value(yield* ask.main.ask('RNP')) !== undefined) return new Refused(`the laser has a least power in watts (RNP); ${yar}`);
  const least = decimal(value(yield* ask.main.ask('RNC')) ?? '');
  if (!(least >= 0 && least <= 100)) return new Refused('neither RMN nor RNC tells that this laser is of the YLR or YLM family');
  return { family: 'ylr', model: 'unnamed', firmware };
}

/** IPG YLR and YLM fibre lasers, by RS-232 (57600 8N1) or TCP port 10001. The set point is a fraction of full diode current. */
export default instrument({
  model: 'IPG Photonics YLR / YLM',
  source: 'davidgrier/pyfab Ipglaser.py; rojasj84/Gocharov-Laser-Heating ipg_laser_controller.py (YLR-200-SM-CS); pymeasure yar.py',
  options: options({ terminator: terminator('CR') }),
  links: ({ terminator: end }) => ({ main: end === '\r' ? ipg() : ipg({ ask: end, tell: end }) }),
  proof: { main: { ask: () => 'RFV', is: (m) => /^\s*RFV\s*:/i.test(m) } },
  identify,
  body: () => ({
    polls: [
      poll<L, Per<'flag'>>({
        ask: 'STA',
        every: 0.2,
        gives: each(() => 'flag'),
        read: flags,
        example: ['STA: 2113540', each((bit) => [2, 14, 21].includes(bit))],
      }),
      poll<L, { output_power: 'W'; output: 'state' }>({
        ask: 'ROP',
        every: 0.5,
        gives: { output_power: 'W', output: 'state' },
        read: (m) => ({ output_power: said(m, watts), output: said(m, level) }),
        example: ['ROP: 12.3', { output_power: 12.3, output: 'on' }],
        words: { output: ['off', 'low', 'on'] },
        span: { output_power: [0, 1e5] },
      }),
      amount('RCS', 'set_point', '1', { every: 0.2, si: percent, example: ['RCS: 50.5', 0.505], span: [0, 1.1] }),
      amount('RDC', 'diode_current', 'A', { every: 1, si: (n) => n, example: ['RDC: 3.5', 3.5], span: [0, 1e4] }),
      amount('RCT', 'temperature', 'K', { every: 5, si: celsius, example: ['RCT: 25.5', 298.65], span: [223.15, 423.15] }),
      amount('RNC', 'least_set_point', '1', { every: 60, si: percent, example: ['RNC: 10.0', 0.1], span: [0, 1] }),
      amount('RFWS', 'filter_window', 's', { every: 60, si: (n) => n, example: ['RFWS: 0.50', 0.5], span: [0, 3600] }),
    ],
    commands: {
      emission: command({
        ...either('EMON', 'EMOFF', undefined, 'laser emission on or off'),
        safe: false,
        readback: { channel: 'emission', within: 5, by: 0 }, // light comes 3 s after EMON (bit 15 meanwhile)
      }),
      current: command({
        takes: '1',
        limits: [0, 1],
        safe: 0,
        talk: (act, part) => order(act, `SDC ${(100 * part).toFixed(1)}`),
        readback: { channel: 'set_point', within: 3, by: 0.0006 }, // sent with one decimal of a per cent
        about: 'set point of the diode current, as a part of the full one',
      }),
      aiming_beam: either('ABN', 'ABF', 'aiming_beam'),
      external_control: either('EEC', 'DEC', 'analog_control', 'power follows the analog input: "current" then has no hold on it'),
      hardware_emission: either('ELE', 'DLE', undefined, 'emission follows the hardware input'),
      modulation: either('EMOD', 'DMOD', 'modulation'),
      external_aiming: either('EEABC', 'DEABC', 'aiming_hardware_control'),
      filter_window: command({
        takes: 's',
        limits: [0, 60],
        talk: (act, seconds) => order(act, `SFWS ${seconds.toFixed(2)}`),
        readback: { channel: 'filter_window', within: 3, by: 0.006 },
        about: 'averaging time of the power meter',
      }),
      clear_errors: command({ takes: 'nothing', talk: (act) => order(act, 'RERR') }),
    },
  }),
});
