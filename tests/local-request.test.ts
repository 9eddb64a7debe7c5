/** What may be asked over the local socket, and what is said of anything else. */
import { expect, test } from 'vitest';
import { requestOf } from '../src/local.ts';

const ask = (given: unknown) => requestOf(JSON.stringify(given));

test('acknowledge: everything by default, one name, or all', () => {
  expect(ask({ do: 'acknowledge', by: 'ann' })).toEqual({ do: 'acknowledge', by: 'ann' });
  expect(ask({ do: 'acknowledge', by: 'ann', name: 'door' })).toEqual({ do: 'acknowledge', by: 'ann', name: 'door' });
  expect(ask({ do: 'acknowledge', by: 'ann', all: true })).toEqual({ do: 'acknowledge', by: 'ann', all: true });
  expect(ask({ do: 'acknowledge' })).toBe('"by" must say who asks');
  expect(ask({ do: 'acknowledge', by: 'ann', name: 7 })).toBe('"name" says what is acknowledged');
  expect(ask({ do: 'acknowledge', by: 'ann', all: 'yes' })).toBe('"all" of an acknowledgement is true or false');
});

test('shelve: with a time and a reason', () => {
  const right = { do: 'shelve', by: 'ann', name: 'chiller', seconds: 600, why: 'being mended' };
  expect(ask(right)).toEqual(right);
  expect(ask({ ...right, by: undefined })).toBe('"by" must say who asks');
  expect(ask({ ...right, name: '' })).toBe('"name" says which alarm is shelved');
  for (const seconds of [0, -1, '600', null, undefined])
    expect(ask({ ...right, seconds })).toBe('"seconds" says for how long it is shelved');
  for (const why of ['', '  ', 3, undefined]) expect(ask({ ...right, why })).toBe('"why" says why it is shelved');
});

test('ramp: hold, resume, stop', () => {
  for (const what of ['hold', 'resume', 'stop'])
    expect(ask({ do: 'ramp', by: 'ann', output: 'oven.setpoint', what, more: 1 })).toEqual({
      do: 'ramp',
      by: 'ann',
      output: 'oven.setpoint',
      what,
    });
  expect(ask({ do: 'ramp', by: 'ann', output: 'oven.setpoint', what: 'go' })).toBe('"what" of a ramp is hold, resume or stop');
  expect(ask({ do: 'ramp', by: 'ann', what: 'hold' })).toBe('"output" says which ramp, such as "oven.setpoint"');
  expect(ask({ do: 'ramp', output: 'oven.setpoint', what: 'hold' })).toBe('"by" must say who asks');
});

test('hold: release, off', () => {
  for (const what of ['release', 'off'])
    expect(ask({ do: 'hold', by: 'ann', loop: 'heating', what, more: 1 })).toEqual({ do: 'hold', by: 'ann', loop: 'heating', what });
  expect(ask({ do: 'hold', by: 'ann', loop: 'heating', what: '3000 K' })).toBe('"what" of a hold is release or off');
  expect(ask({ do: 'hold', by: 'ann', what: 'off' })).toBe('"loop" says which feedback, such as "heating"');
  expect(ask({ do: 'hold', loop: 'heating', what: 'off' })).toBe('"by" must say who asks');
});

test('calibrate: a record with its files', () => {
  const right = { do: 'calibrate', by: 'ann', name: 'lamp-us.yaml', text: 'calibration: lamp', files: { 'lamp-us.spe': 'AAAA' } };
  expect(ask({ ...right, more: 1 })).toEqual(right);
  expect(ask({ ...right, by: '' })).toBe('"by" must say who asks');
  expect(ask({ ...right, text: 7 })).toBe('a calibration has "name" and "text": those of its record');
  for (const files of [undefined, null, [1], { a: 1 }])
    expect(ask({ ...right, files })).toBe('"files" of a calibration are its data by their names, base64');
});

test("a stop needs nobody's name", () => {
  expect(ask({ do: 'stop' })).toEqual({ do: 'stop', by: 'unknown' });
});

test('anything else is answered with what is known', () => {
  expect(ask({ do: 'dance' })).toBe(
    'not understood; known are order, note, mark, acknowledge, shelve, ramp, hold, calibrate, status, stop',
  );
});
