/** Forged replies: the driver reads what was wanted, the protocol takes them for answers, and nothing else in them has changed. */
import { describe, expect, test } from 'vitest';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { latin1 } from '../protocols/protocol.ts';
import { text } from '../protocols/text.ts';
import { catalogue } from '../src/catalogue.ts';
import { leastOptions } from '../src/cli/instruments.ts';
import { forged, type Goal, type Question, seenIn } from '../src/forge.ts';
import type { AnyProtocol, Body, Links } from '../src/instrument.ts';
import type { Kind, Kinds, Measured, Values } from '../src/reading.ts';
import { actor, shown } from '../src/talk.ts';
import { laboratory, rigOf } from './laboratory.ts';

const value = (m: Measured<Kind> | undefined): unknown => (m === undefined || m.quality === 'bad' ? undefined : m.value);
const about = (slot: string, wanted: number | boolean | string, by = 0): Goal => ({
  slot,
  values: [wanted],
  good(m) {
    const v = value(m);
    return typeof v === 'number' && typeof wanted === 'number' ? Math.abs(v - wanted) <= by : v === wanted;
  },
});
const nonsense = (slot: string): Goal => ({ slot, values: [], good: (m) => m === undefined || m.quality === 'bad' });
const asked = (gives: Kinds, read: (m: string) => Values<Kinds>): Question => ({
  protocol: text('\n'),
  fits: () => true,
  gives,
  read: read as Question['read'], // of a text protocol's messages
});
const said = (made: ReturnType<typeof forged>): string | undefined => made && latin1(made.bytes);

describe('texts', () => {
  const level = asked({ level: 'V' }, (m) => ({ level: Number(m.slice(4)) / 1000 }));
  test('a number, with the decimals of the instrument', () => {
    expect(said(forged(level, 'LEV=2500.0', about('level', 7.25, 1e-9)))).toBe('LEV=7250.0\n');
    expect(said(forged(level, 'LEV=2500.0', about('level', -3, 1e-9)))).toBe('LEV=-3000.0\n');
    expect(said(forged(level, 'LEV=+1.50E+03', about('level', 0.02, 1e-9)))).toBe('LEV=+2.00E+1\n');
  });
  test('a reply without a number gets one', () => {
    const power = asked({ power: 'W' }, (m) => ({ power: m === 'ROP: Off' ? 0 : Number(m.slice(5)) }));
    expect(said(forged(power, 'ROP: Off', about('power', 12, 1e-6)))).toMatch(/^ROP: 12/);
  });
  test('a reply that says it already stays as it is', () => {
    expect(said(forged(level, 'LEV=2500.0', about('level', 2.5)))).toBe('LEV=2500.0\n');
  });
  test('one bit of a status word, and one number of a list, leave the others alone', () => {
    const bits = asked({ a: 'flag', b: 'flag', c: 'flag' }, (m) => {
      const word = Number(m.slice(5));
      return { a: (word & 1) !== 0, b: (word & 2) !== 0, c: (word & 0x200000) !== 0 };
    });
    expect(said(forged(bits, 'STA: 2097153', about('b', true)))).toBe('STA: 2097155\n');
    expect(said(forged(bits, 'STA: 2097153', about('c', false)))).toBe('STA: 1\n');
    const list = asked({ bias: 'V' }, (m) => ({ bias: m.split(',').map(Number) }));
    expect(said(forged(list, '1.0,2.0,3.0', about('bias[1]', 9, 1e-9)))).toBe('1.0,9.0,3.0\n');
  });
  test('a word by its code, and what is no value', () => {
    const mode = asked({ mode: 'state' }, (m) => ({ mode: { 0: 'idle', 4: 'busy' }[m] ?? { quality: 'bad', why: 'no mode' } }));
    expect(said(forged(mode, '0', about('mode', 'busy')))).toBe('4\n');
    expect(seenIn(mode, forged(mode, '0', nonsense('mode'))?.m)).toMatchObject({ mode: { quality: 'bad' } });
    expect(said(forged(level, 'LEV=2500.0', nonsense('level')))).toBe('LEV=NaN\n');
  });
  test('what no reply can say is not forged', () => {
    const deaf = asked({ level: 'V' }, () => ({ level: 1 }));
    expect(forged(deaf, 'LEV=2500.0', about('level', 3))).toBe(undefined);
    // The protocol does not carry it: it would be two lines.
    const whole = asked({ note: 'state' }, (m) => ({ note: m }));
    expect(forged(whole, 'one', about('note', 'two\nlines'))).toBe(undefined);
  });
});

test('registers of Modbus: signed ones, two as one number, and a fitting frame', () => {
  const protocol: AnyProtocol = modbusRtu();
  const q = { unit: 3, function: 3, address: 1, count: 3 } as const;
  const reply = { unit: 3, function: 3, values: [250, 0, 1000] };
  const question: Question = {
    protocol,
    fits: (m) => protocol.fits(m, q) === 'answer',
    gives: { t: 'K', total: '1' },
    read(m) {
      const [t = 0, high = 0, low = 0] = (m as { readonly values: readonly number[] }).values;
      return { t: 273.15 + (t > 0x7fff ? t - 0x10000 : t) / 10, total: high * 0x10000 + low };
    },
  };
  expect(forged(question, reply, about('t', 263.15, 0.06))?.m).toMatchObject({ values: [0xff9c, 0, 1000] });
  expect(forged(question, reply, about('total', 1e6))?.m).toMatchObject({ values: [250, 15, 16960] });
});

/** Channels whose reply no single change brings to another value: a checksum of meaning, a value made of several numbers. */
const known = await catalogue();
/** What no single change of a reply can say: it comes of several replies, of silence, or of an index into a table. Set in the program then. */
const UNFORGEABLE: readonly string[] = [
  'firmata-board.reset',
  'johnny-five.ready',
  'julabo.alarm',
  'keithley-6221.stepping',
  ...['336.heater_output[0]', '336.heater_output[3]', '372.heater_output[0]', '372.heater_output[2]', '372.excitation[0]'].map(
    (name) => `lake-shore-${name}`,
  ),
];

/** Two channels that one answer gives. */
const COUPLED: readonly string[] = ['keithley-6221: live changes output'];

test('every polled number and flag of every instrument can be forged, and nothing beside it', () => {
  const failed: string[] = [];
  let tried = 0;
  for (const [model, instrument] of known.instruments) {
    const options: unknown = instrument.options.parse(leastOptions(instrument) ?? {});
    const languages = instrument.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
    if (!known.simulators.has(model)) continue;
    const lab = laboratory(rigOf(model, known), known);
    lab.clock.advance(5);
    const id = lab.host.identity(model);
    const body = (): Body<Links> => instrument.body(options, id);
    const roles = Object.fromEntries(Object.keys(languages).map((role) => [role, actor(role)]));
    for (const [n, poll] of (body().polls ?? []).entries()) {
      const step = poll.talk(roles).next();
      const act = step.done ? undefined : shown(step.value);
      const protocol = act?.do === 'ask' ? languages[act.role] : undefined;
      const [example] = poll.example;
      // A talk that makes something else of its reply is tried in a laboratory.
      if (!protocol || act?.do !== 'ask' || !roundTrips(protocol, example)) continue;
      const fresh = body().polls?.[n] ?? poll;
      const question: Question = {
        protocol,
        // The example may carry another number than the question.
        fits: (m) => protocol.fits(m, act.q) === protocol.fits(example, act.q),
        gives: poll.gives,
        span: poll.span,
        read: (m) => fresh.read(m, { asked: 0, t: 0 }),
      };
      const before = seenIn(question, example);
      if (typeof before === 'string') continue;
      for (const [slot, m] of Object.entries(before)) {
        const now = value(m);
        if (typeof now !== 'number' && typeof now !== 'boolean') continue;
        tried++;
        const [lo, hi] = poll.span?.[slot] ?? [];
        const other =
          typeof now === 'boolean'
            ? !now
            : lo !== undefined && hi !== undefined && now * 1.1 + 1 > hi
              ? (now + (now === lo ? hi : lo)) / 2
              : now * 1.1 + 1;
        const goal = about(slot, other, typeof other === 'number' ? Math.abs(other - Number(now)) / 2 : 0);
        const after = seenIn(question, forged(question, example, goal)?.m ?? '');
        // A word may quote the reply: it is as free as that.
        const rest = Object.keys(before).filter((name) => name !== slot && typeof value(before[name]) !== 'string');
        if (typeof after === 'string' || !goal.good(after[slot])) failed.push(`${model}.${slot}`);
        else
          for (const name of rest)
            if (!COUPLED.includes(`${model}: ${slot} changes ${name}`))
              expect(value(after[name]), `${model}: ${slot} changes ${name}`).toEqual(value(before[name]));
      }
    }
  }
  expect(tried).toBeGreaterThan(40);
  expect(failed.filter((name) => !UNFORGEABLE.includes(name))).toEqual([]);
});

function roundTrips(protocol: AnyProtocol, example: unknown): boolean {
  try {
    return protocol.tells.decoder()(protocol.tells.encode(example)).length === 1;
  } catch {
    return false;
  }
}
