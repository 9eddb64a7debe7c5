import { METER_TAKEN } from '../protocols/keithley.ts';
import { deltaCollector, halfCollector } from '../protocols/keithley-delta.ts';
import { fromLatin1, latin1 } from '../protocols/protocol.ts';
import { scpi } from '../protocols/scpi.ts';
import { type Actors, instrument, NoReply, options, type Poll, poll, type Talk, terminator, word } from '../src/instrument.ts';
import { type Claim, deltaPoll } from './parts/keithley-6221/delta.ts';
import { halfPoll } from './parts/keithley-6221/half-cycles.ts';
import { meterPoll, pairCommands, settingsPoll } from './parts/keithley-6221/pair.ts';
import {
  amount,
  answers,
  command,
  either,
  errors,
  flag,
  type Id,
  identify,
  type L,
  MOST,
  named,
  number,
  type Options,
  off,
  oneOf,
  onOff,
  relayed,
  relayWait,
  SHIELD,
} from './parts/keithley-6221/talk.ts';
import { waveCommands, wavePoll } from './parts/keithley-6221/wave.ts';

/**
 * Keithley 6221 and 6220 current sources, by RS-232, TCP port 1394 or GPIB; with the option `meter: relay` the delta pair with a 2182A on its
 * RS-232 relay and trigger link. Connecting sets nothing; what is on stays on until it is ordered off.
 */
export default instrument<L, Options, Id>({
  model: 'Keithley 6221 / 6220',
  source:
    'pymeasure keithley6221.py; CINF/PyExpLabSys keithley_6220.py; tektronix/keithley Model_622x_2182A; Model 6220/6221 Reference Manual 622X-901-01',
  proven: 'third-party driver',
  options: options<Options>({
    terminator: terminator('LF'),
    meter: word('a 2182A at its relay and trigger link, for delta and half_cycles', ['none', 'relay'] as const, 'none'),
    relay_wait: relayWait,
  }),
  links: ({ terminator: end }) => ({
    main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'], eightBit: true, max: 65_536 }),
  }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /MODEL\s*622[01]/i.test(m) } },
  identify,
  body({ meter, relay_wait }, { model }) {
    const waves = /6221/.test(model);
    const paired = meter === 'relay';
    const delta = deltaCollector();
    const half = halfCollector();
    const claim: Claim = { busy: false, arming: 0, stepping: false, steps: 0, patience: 0 };
    const trouble = { compliance: false, hot: false };
    const watched = deltaPoll(delta, trouble);
    const deltaWatch: typeof watched = {
      ...watched,
      *talk(ask) {
        const look = yield* watched.talk(ask);
        claim.arming = Math.max(0, claim.arming - 1);
        // One that was asked before the last run began says nothing of it.
        if (look.run === delta.run) claim.busy = look.armed || claim.arming > 0;
        return look;
      },
    };
    return {
      polls: [
        outputPoll(claim, waves),
        poll<L, { compliance: 'flag'; over_temperature: 'flag'; interlock: 'flag' }>({
          ask: ':STAT:MEAS:EVEN?;:STAT:MEAS:COND?;:OUTP:INT:TRIP?',
          every: 0.5,
          gives: { compliance: 'flag', over_temperature: 'flag', interlock: 'flag' },
          read(m) {
            const [event = '', now = '', closed = ''] = answers(m, 3);
            const compliance = either(event, now, 3);
            const hot = either(event, now, 2);
            trouble.compliance ||= compliance === true;
            trouble.hot ||= hot === true;
            return { compliance, over_temperature: hot, interlock: flag(closed) };
          },
          example: ['8;0;1', { compliance: true, over_temperature: false, interlock: true }],
        }),
        poll<L, { inner_shield: 'state'; low_to_earth: 'flag'; response: 'state'; filter: 'flag'; source_delay: 's' }>({
          ask: ':OUTP:ISH?;:OUTP:LTE?;:OUTP:RESP?;:SOUR:CURR:FILT?;:SOUR:DEL?',
          every: 5,
          gives: { inner_shield: 'state', low_to_earth: 'flag', response: 'state', filter: 'flag', source_delay: 's' },
          read(m) {
            const [shield = '', earth = '', response = '', filter = '', delay = ''] = answers(m, 5);
            return {
              inner_shield: oneOf(SHIELD, shield),
              low_to_earth: flag(earth),
              response: oneOf({ FAST: 'fast', SLOW: 'slow' }, response),
              filter: flag(filter),
              source_delay: number(delay),
            };
          },
          example: [
            'GUAR;1;FAST;0;+1.000000E-03',
            { inner_shield: 'guard', low_to_earth: true, response: 'fast', filter: false, source_delay: 1e-3 },
          ],
          words: { inner_shield: Object.values(SHIELD), response: ['fast', 'slow'] },
        }),
        errors,
        ...(waves ? [wavePoll] : []),
        ...(paired ? [settingsPoll, deltaWatch, meterPoll(claim), halfPoll(half)] : []),
      ],
      commands: {
        output: command({
          takes: 'flag',
          safe: false,
          talk: (act, on) => (on ? act.main.send(':OUTP 1') : off(act)),
          readback: { channel: 'output', within: 3, by: 0 },
          about: 'direct current at its set point; off ends a delta measurement too',
        }),
        current: command({
          takes: 'A',
          limits: [-MOST, MOST],
          safe: 0,
          talk: (act, amps) => act.main.send(`:SOUR:CURR ${amps.toExponential(6)}`),
          readback: { channel: 'current', within: 3, by: 1e-7 },
          about: 'set point; it flows while "output" is on',
        }),
        compliance_limit: amount('V', [0.1, 105], ':SOUR:CURR:COMP', 'compliance_limit', 'the highest voltage across the output'),
        range: command({
          takes: 'A',
          limits: [0, MOST],
          talk: (act, amps) => act.main.send(`:SOUR:CURR:RANG ${amps.toExponential(6)}`),
          readback: { channel: 'range', within: 3, by: 1e-12, shows: (amps) => rangeFor(Number(amps)) },
          about: 'the smallest range that holds this current; it ends auto_range',
        }),
        auto_range: onOff(':SOUR:CURR:RANG:AUTO', 'auto_range'),
        filter: onOff(':SOUR:CURR:FILT', 'filter', 'analog filter of the output'),
        source_delay: amount('s', [1e-3, 999_999.999], ':SOUR:DEL', 'source_delay'),
        response: command({
          takes: 'state',
          words: ['fast', 'slow'],
          talk: (act, how) => act.main.send(`:OUTP:RESP ${how.toUpperCase()}`),
          readback: { channel: 'response', within: 7, by: 0 },
        }),
        inner_shield: command({
          takes: 'state',
          words: Object.values(SHIELD),
          talk: (act, where) => grounded(act, `:OUTP:ISH ${named(SHIELD, where)}`),
          readback: { channel: 'inner_shield', within: 7, by: 0 },
          about: 'what the inner shield of the triaxial cable is on; only with the output off',
        }),
        low_to_earth: command({
          takes: 'flag',
          talk: (act, on) => grounded(act, `:OUTP:LTE ${on ? 1 : 0}`),
          readback: { channel: 'low_to_earth', within: 7, by: 0 },
          about: 'the low side of the output is on earth; only with the output off',
        }),
        ...(waves ? waveCommands : {}),
        ...(paired ? pairCommands(delta, half, claim, waves) : {}),
      },
      *tunnel(act, address, bytes, reply, here) {
        if (address !== 'relay')
          throw new NoReply(`"${address}" is not there: what the serial port of the source leads to is gpib:NAME/relay`);
        const asked = latin1(bytes);
        const line = asked.replace(/[\r\n]+$/, '');
        if (line === '') return undefined;
        // Whoever asks reads lines that end as the own ones do.
        const end = asked.slice(line.length) || '\n';
        if (claim.busy) return reply ? fromLatin1(`${METER_TAKEN}${end}`) : undefined;
        const text = yield* relayed(act, line, reply ? relay_wait : undefined, here);
        return reply ? fromLatin1(`${text}${end}`) : undefined;
      },
    };
  },
});

const OUTPUT = {
  live: 'flag',
  output: 'flag',
  stepping: 'flag',
  current: 'A',
  compliance_limit: 'V',
  range: 'A',
  auto_range: 'flag',
} as const;
/**
 * `live` is the output itself; who has switched it on is told apart, because each has a lease of its own: `output` is a direct current,
 * `stepping` the half-cycles from here, and `delta` and `wave` are channels of their own.
 */
function outputPoll(claim: Claim, waves: boolean): Poll<L, typeof OUTPUT, string> {
  const questions = [':OUTP?', ':SOUR:CURR?', ':SOUR:CURR:COMP?', ':SOUR:CURR:RANG?', ':SOUR:CURR:RANG:AUTO?', ':SOUR:DELT:ARM?'];
  if (waves) questions.push(':SOUR:WAVE:ARM?');
  const last = { steps: 0, t: 0 };
  return poll<L, typeof OUTPUT>({
    ask: questions.join(';'),
    every: 0.5,
    gives: OUTPUT,
    read(m, came) {
      const [on = '', amps = '', volts = '', range = '', auto = '', delta = '', wave = '0'] = answers(m, questions.length);
      const [live, armed, waving] = [on, delta, wave].map(flag);
      const known = typeof live === 'boolean' && typeof armed === 'boolean' && typeof waving === 'boolean';
      const direct = known ? live && !armed && !waving : [live, armed, waving].find((f) => typeof f === 'object');
      if (claim.steps !== last.steps) Object.assign(last, { steps: claim.steps, t: came.t });
      const stepping = claim.stepping && came.t - last.t < claim.patience * 1e6;
      return {
        live,
        output: direct === true ? !stepping : direct,
        stepping: direct === true ? stepping : direct,
        ...(stepping ? {} : { current: number(amps) }),
        compliance_limit: number(volts),
        range: number(range),
        auto_range: flag(auto),
      };
    },
    example: [
      `1;+1.000000E-03;+1.000000E+01;+2.000000E-03;0;0${waves ? ';0' : ''}`,
      { live: true, output: true, stepping: false, current: 1e-3, compliance_limit: 10, range: 2e-3, auto_range: false },
    ],
    span: { current: [-MOST, MOST], compliance_limit: [0, MOST * 1000] },
    resolution: { current: 1e-15 },
  });
}

const RANGES = [2e-9, 20e-9, 200e-9, 2e-6, 20e-6, 200e-6, 2e-3, 20e-3, 0.1];
/** The range that the source takes for a current (manual, section 3: 105 % of a range). */
const rangeFor = (amps: number): number => RANGES.find((r) => amps <= 1.05 * r) ?? 0.1;

function* grounded(act: Actors<L>, line: string): Talk<void> {
  if ((yield* act.main.ask(':OUTP?')) !== '0') throw new NoReply('the output is on: its grounding is changed with the output off only');
  yield* act.main.send(line);
}
