import { expect, test } from 'vitest';
import keithley2400 from '../drivers/keithley-2400.ts';
import { answered, drained, Garbled } from '../src/instrument.ts';

test('as many answers as questions, without the blanks around them', () => {
  expect(answered([' 1', '+2.5E-03 '], 2)).toEqual(['1', '+2.5E-03']);
});

test('one too few or one too many is garbled: the answers may belong to other questions', () => {
  expect(() => answered(['1'], 2)).toThrow(Garbled);
  expect(() => answered(['1', '2', '3'], 2)).toThrow('3 answers to 2 questions');
});

test('a source-meter whose reply carries one answer more gives no value', () => {
  const body = keithley2400.body({ terminator: '\n' }, { model: '2400', serial: '1', volts: 210, amps: 1.05 });
  const [poll] = (body.polls ?? []).filter((one) => 'voltage' in one.gives);
  if (!poll) throw new Error('no poll of the voltage');
  const [state, reply] = poll.example[0] as readonly [string, string]; // what the driver asks for
  expect(poll.read([state, reply], { asked: 0, t: 0 })).toBeDefined();
  expect(() => poll.read([`0;${state}`, reply], { asked: 0, t: 0 })).toThrow(Garbled);
});

test('a queue is emptied, and one that never ends is left after so many', () => {
  const said = ['-113', '-222', '0', '-100'];
  const run = (most: number, none: string): readonly string[] => {
    let at = 0;
    // A talk that asks nothing of any wire.
    const talk = drained(
      // biome-ignore lint/correctness/useYield: its answers are here
      function* () {
        return said[at++ % said.length] ?? '';
      },
      (one) => one === none,
      most,
    ).next();
    if (!talk.done) throw new Error('it waits for something');
    return talk.value;
  };
  expect(run(11, '0')).toEqual(['-113', '-222']);
  expect(run(6, 'never')).toHaveLength(6);
});
