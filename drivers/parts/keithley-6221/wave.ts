/** Alternating currents of a 6221. */
import { type Actors, NoReply, poll, type Talk } from '../../../src/instrument.ts';
import { amount, answers, command, flag, idle, type L, MOST, named, number, oneOf, onOff, WAVES } from './talk.ts';

type Wave = { wave: 'flag'; wave_function: 'state'; wave_amplitude: 'A'; wave_frequency: '1/s'; wave_offset: 'A'; phase_marker: 'flag' };
export const wavePoll = poll<L, Wave>({
  ask: ':SOUR:WAVE:ARM?;:SOUR:WAVE:FUNC?;:SOUR:WAVE:AMPL?;:SOUR:WAVE:FREQ?;:SOUR:WAVE:OFFS?;:SOUR:WAVE:PMAR:STAT?',
  every: 2,
  gives: { wave: 'flag', wave_function: 'state', wave_amplitude: 'A', wave_frequency: '1/s', wave_offset: 'A', phase_marker: 'flag' },
  read(m) {
    const [armed = '', form = '', peak = '', hertz = '', offset = '', marker = ''] = answers(m, 6);
    return {
      wave: flag(armed),
      wave_function: oneOf(WAVES, form),
      wave_amplitude: number(peak),
      wave_frequency: number(hertz),
      wave_offset: number(offset),
      phase_marker: flag(marker),
    };
  },
  example: [
    '1;SIN;+1.000000E-03;+1.370000E+02;+0.000000E+00;1',
    { wave: true, wave_function: 'sine', wave_amplitude: 1e-3, wave_frequency: 137, wave_offset: 0, phase_marker: true },
  ],
  words: { wave_function: Object.values(WAVES) },
  resolution: { wave_amplitude: 1e-15, wave_offset: 1e-15 },
});
function* waveOn(act: Actors<L>): Talk<void> {
  yield* idle(act, true);
  yield* act.main.send(':SOUR:WAVE:ARM');
  if ((yield* act.main.ask(':SOUR:WAVE:ARM?', 5)) !== '1') throw new NoReply('the source does not arm: see its channel "error"');
  yield* act.main.send(':SOUR:WAVE:INIT');
}
function* waveOff(act: Actors<L>): Talk<void> {
  yield* act.main.send(':SOUR:WAVE:ABOR');
  yield* act.main.send(':OUTP 0');
}
export const waveCommands = {
  wave: command({
    takes: 'flag',
    safe: false,
    talk: (act, on) => (on ? waveOn(act) : waveOff(act)),
    readback: { channel: 'wave', within: 5, by: 0 },
    about: 'an alternating current from now on',
  }),
  wave_function: command({
    takes: 'state',
    words: Object.values(WAVES),
    talk: (act, form) => act.main.send(`:SOUR:WAVE:FUNC ${named(WAVES, form)}`),
    readback: { channel: 'wave_function', within: 5, by: 0 },
  }),
  wave_amplitude: amount('A', [2e-12, MOST], ':SOUR:WAVE:AMPL', 'wave_amplitude', 'peak, not rms'),
  wave_frequency: amount('1/s', [1e-3, 1e5], ':SOUR:WAVE:FREQ', 'wave_frequency'),
  wave_offset: amount('A', [-MOST, MOST], ':SOUR:WAVE:OFFS', 'wave_offset'),
  phase_marker: onOff(':SOUR:WAVE:PMAR:STAT', 'phase_marker', 'a pulse on the trigger link at each period, for a lock-in'),
};
