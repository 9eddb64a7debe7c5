/** A recorded wire as a port, on virtual time: which reply a question gets, and when. */
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { modbusTcp } from '../protocols/modbus-tcp.ts';
import { prologix } from '../protocols/prologix.ts';
import { latin1 } from '../protocols/protocol.ts';
import { text } from '../protocols/text.ts';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import type { AnyProtocol } from '../src/instrument.ts';
import { recordedEvents } from '../src/replay/recorded-events.ts';
import { indexed } from '../src/replay/recorded-index.ts';
import { LoosePort } from '../src/replay/recorded-loose.ts';
import { Play } from '../src/replay/recorded-play.ts';
import type { RecordedPort, Strange } from '../src/replay/recorded-port.ts';
import { StrictPort } from '../src/replay/recorded-strict.ts';
import type { Wire } from '../src/rig-wires.ts';
import { made, s, scratchFolder } from './session-made.ts';

const LINK = 'tcp:10.0.0.9:5025';
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const bytes = (words: string): Uint8Array => Uint8Array.from(words, (c) => c.charCodeAt(0));
const out = (seconds: number, words: string): Entry => ({
  kind: 'bytes',
  wire: { link: LINK, direction: 'out', t: s(seconds), bytes: bytes(words) },
});
const heard = (seconds: number, words: string): Entry => ({
  kind: 'bytes',
  wire: { link: LINK, direction: 'in', t: s(seconds), bytes: bytes(words) },
});
let id = 0;
interface Ended {
  readonly came?: number;
  readonly reply?: string;
  readonly fault?: string;
}
const exchange = (asked: number, sent: string, { came, reply, fault }: Ended): Entry => ({
  kind: 'exchange',
  exchanged: {
    id: ++id,
    instrument: 'meter',
    role: 'main',
    by: 'poll:value',
    asked: s(asked),
    sent: bytes(sent),
    ...(came === undefined ? {} : { came: s(came) }),
    ...(reply === undefined ? {} : { reply: bytes(reply) }),
    ...(fault === undefined ? {} : { fault }),
  },
});
/** A question with its reply, as a run records it. */
const asked = (at: number, sent: string, reply: string, took = 0.01): readonly Entry[] => [
  out(at, sent),
  heard(at + took, reply),
  exchange(at, sent, { came: at + took, reply }),
];

interface Bench {
  readonly port: RecordedPort;
  readonly clock: VirtualClock;
  readonly said: string[];
  readonly strange: Strange[];
  readonly ended: boolean[];
  /** Lets time pass in tenths of a second. */
  pass(seconds: number): Promise<void>;
  /** Asks, waits for so many seconds, and gives what has come since. */
  ask(words: string, seconds?: number): Promise<string>;
}

async function bench(
  entries: readonly Entry[],
  { strict = false, repeat = false, speed = 1, protocol = text('\n') as AnyProtocol, seconds = 10 } = {},
): Promise<Bench> {
  const folder = scratchFolder('recorded');
  closing.push(() => rmSync(folder, { recursive: true }));
  const timeOf = (e: Entry): number =>
    e.kind === 'bytes' ? e.wire.t : e.kind === 'exchange' ? e.exchanged.asked : e.kind === 'alarm' ? e.alarm.t : 0;
  await made(folder, { seconds, second: (k) => entries.filter((e) => Math.floor((timeOf(e) - s(0)) / 1e6) === k) });
  const wire = { key: LINK, address: LINK, users: [{ instrument: { name: 'meter' }, role: 'main', protocol }] } as unknown as Wire; // what is read of it
  const index = await indexed(folder, [wire]);
  const clock = virtualClock();
  const [strange, ended, said]: [Strange[], boolean[], string[]] = [[], [], []];
  const play = new Play({ clock, speed, repeat, from: s(0), to: index.to, ended: (again) => void ended.push(again) });
  const options = {
    wire,
    play,
    read: () => recordedEvents(folder, [wire]),
    strange: (_: string, one: Strange) => void strange.push(one),
    failed: (why: string) => void said.push(why),
  };
  const port = strict ? new StrictPort(options) : new LoosePort({ ...options, first: index.wires.get(LINK)?.first });
  port.says.subscribe((one) => void said.push(latin1(one.bytes)));
  closing.push(() => port.close());
  const pass = async (time: number): Promise<void> => {
    for (let left = Math.round(time * 1000); left > 0; left -= 100) {
      await port.settled;
      clock.advance(Math.min(left, 100) / 1000);
      await port.settled;
    }
  };
  return {
    port,
    clock,
    said,
    strange,
    ended,
    pass,
    async ask(words, time = 0.1) {
      const before = said.length;
      port.receive(bytes(words));
      await pass(time);
      return said.slice(before).join('');
    },
  };
}

const METER = [
  ...asked(1, '*IDN?\n', 'METER\n'),
  ...asked(2, 'N?\n', '1\n'),
  ...asked(3, 'N?\n', '2\r\n'),
  ...asked(4, 'N?\n', '3\n', 0.5),
  ...asked(6, 'LATER?\n', 'yes\n'),
];

describe('loose', () => {
  test('a question gets its last reply at that moment; before the first one, the first', async () => {
    const { ask, pass } = await bench(METER);
    expect(await ask('LATER?\n')).toBe('yes\n');
    expect(await ask('N?\n')).toBe('1\n');
    expect(await ask('*IDN?\n')).toBe('METER\n');
    await pass(2.7); // it is 3 s
    expect(await ask('N?\n')).toBe('2\r\n');
    expect(await ask('N?\n')).toBe('2\r\n');
    await pass(1);
    expect(await ask('N?\n')).toBe(''); // as late as it came
    expect(await ask('', 0.5)).toBe('3\n');
  });

  test('the time begins with the first byte, and runs as fast as it is wanted', async () => {
    const { ask, pass } = await bench(METER, { speed: 10 });
    await pass(60);
    expect(await ask('N?\n', 0.2)).toBe('1\n');
    expect(await ask('N?\n', 0.05)).toBe('1\n');
    await pass(0.15);
    expect(await ask('N?\n', 0.06)).toBe('3\n');
  });

  test('what was never asked is named once, counted, and gets silence', async () => {
    const { ask, strange, port } = await bench(METER);
    expect(await ask('*RST\n')).toBe('');
    expect(await ask('*RST\n*IDN?\n')).toBe('METER\n');
    expect(strange).toHaveLength(1);
    expect(port.account).toMatchObject({ answered: 1, strange: [{ asked: '"*RST\\n"', count: 2 }] });
  });

  test('capital letters and blanks do not matter where the text is not the same', async () => {
    const { ask, strange } = await bench([...asked(1, 'SNAP? 1,2\n', 'a\n'), ...asked(2, 'snap?1,2\n', 'b\n')]);
    expect(await ask('SNAP? 1,2\n')).toBe('a\n');
    expect(await ask('snap?1,2\n')).toBe('b\n');
    expect(await ask('Snap?1, 2\n')).toMatch(/^[ab]\n$/);
    expect(strange).toEqual([]);
  });

  test('an order is taken, with its acknowledgement where it had one; another value is not', async () => {
    const { ask, strange } = await bench([out(1, 'SET 1\n'), exchange(1, 'SET 1\n', {}), ...asked(2, 'PUT 1\n', 'OK\n')]);
    expect(await ask('SET 1\n')).toBe('');
    expect(strange).toEqual([]);
    expect(await ask('PUT 1\n')).toBe('OK\n');
    expect(await ask('PUT 2\n')).toBe('');
    expect(strange).toMatchObject([{ asked: '"PUT 2\\n"' }]);
  });

  test('a question that was not answered is not answered; garbage comes as it was', async () => {
    const { ask, pass, port } = await bench([
      ...asked(1, 'N?\n', '1\n'),
      out(2, 'N?\n'),
      exchange(2, 'N?\n', { fault: 'no answer' }),
      out(4, 'N?\n'),
      heard(4.01, '\xff\x01#\n'),
      exchange(4, 'N?\n', { came: 4.01, reply: '\xff\x01#', fault: 'PROTO_NOT_TEXT' }),
      ...asked(5, 'N?\n', '5\n'),
    ]);
    expect(await ask('N?\n')).toBe('1\n');
    await pass(2);
    expect(await ask('N?\n')).toBe('');
    expect(port.account.silent).toBe(1);
    await pass(2);
    expect(await ask('N?\n')).toBe('\xff\x01#\n');
    await pass(1);
    expect(await ask('N?\n')).toBe('5\n');
  });

  test('what came by itself comes at its time, and is no answer', async () => {
    const streaming: AnyProtocol = { ...text('\n'), fits: (m: string) => (m.startsWith('!') ? 'unasked' : 'answer') };
    const { ask, said, pass } = await bench(
      [out(1, 'N?\n'), heard(1.005, '!alarm\n7\n!over\n'), exchange(1, 'N?\n', { came: 1.005, reply: '7\n' }), heard(2, '!more\n')],
      { protocol: streaming },
    );
    expect(await ask('N?\n')).toBe('7\n');
    await pass(1);
    expect(said.join('')).toBe('7\n!alarm\n!over\n');
    await pass(1);
    expect(said.join('')).toBe('7\n!alarm\n!over\n!more\n');
  });

  test('a question that belongs to what was said before it gets the answer to that', async () => {
    const behind = (at: number, words: string, reply: string): readonly Entry[] => [
      out(at, `${words}\n`),
      exchange(at, `${words}\n`, {}),
      ...asked(at + 0.1, 'READ\n', reply),
    ];
    const { ask, pass } = await bench([...behind(1, 'A?', 'a1\n'), ...behind(2, 'B?', 'b1\n'), ...behind(4, 'A?', 'a2\n')]);
    expect(await ask('B?\nREAD\n')).toBe('b1\n');
    expect(await ask('A?\nREAD\n')).toBe('a1\n');
    await pass(3);
    expect(await ask('A?\n')).toBe('');
    expect(await ask('READ\n')).toBe('a1\n');
    await pass(1);
    expect(await ask('B?\nREAD\n')).toBe('b1\n');
    expect(await ask('A?\nREAD\n')).toBe('a2\n');
  });

  test('a talk that asks the same twice is followed; who begins, begins with it', async () => {
    const counting = (at: number, waiting: string, spectrum: string): readonly Entry[] => [
      ...asked(at, 'COUNT?\n', `${waiting}\n`),
      ...asked(at + 0.01, 'GET?\n', `${spectrum}\n`),
      ...asked(at + 0.02, 'COUNT?\n', '0\n'),
    ];
    const { ask, pass } = await bench([...counting(1, '1', 'a'), ...counting(3, '2', 'b'), ...asked(5, 'COUNT?\n', '7\n')]);
    await ask('GET?\n');
    await pass(2);
    for (const round of [1, 2]) {
      expect(await ask('COUNT?\n'), `round ${round}`).toBe('1\n');
      expect(await ask('GET?\n')).toBe('a\n');
      expect(await ask('COUNT?\n')).toBe('0\n');
    }
    await pass(0.6);
    expect(await ask('COUNT?\n')).toBe('2\n');
    expect(await ask('GET?\nCOUNT?\n')).toBe('b\n0\n');
    await pass(2);
    expect(await ask('COUNT?\n')).toBe('7\n');
  });

  test('bytes of a stream are no file, though they bear a name', async () => {
    const named: Entry = { kind: 'bytes', wire: { link: LINK, direction: 'in', t: s(1.01), bytes: bytes('FIRM\n'), name: 'FIRM' } };
    const { ask, said } = await bench([out(1, 'F?\n'), named, exchange(1, 'F?\n', { came: 1.01, reply: 'FIRM\n' })]);
    expect(await ask('F?\n')).toBe('FIRM\n');
    expect(said).toEqual(['FIRM\n']);
  });

  test('an adapter’s read belongs to the address in the same write', async () => {
    const transaction = (n: number, words: string): string => `++auto 0\n++addr ${n}\n${words}\n++read eoi\n`;
    const { ask, strange } = await bench([...asked(1, transaction(1, 'V?'), 'one\n'), ...asked(2, transaction(2, 'V?'), 'two\n')], {
      protocol: prologix(),
    });
    expect(await ask(transaction(2, 'V?'))).toBe('two\n');
    expect(await ask(transaction(1, 'V?'))).toBe('one\n');
    expect(await ask('++addr 2\nV?\n++read eoi\n')).toBe('two\n');
    expect(strange).toEqual([]);
    expect(await ask('++addr 3\n')).toBe('');
    expect(await ask('W?\n++read eoi\n')).toBe(''); // no answer of another
    expect(strange.map((one) => one.asked)).toEqual(['"++addr 3\\n"', '"W?\\n"', '"++read eoi\\n"']);
  });

  test('bytes that are lost are replaced by what the exchange says', async () => {
    const { ask, pass } = await bench([
      exchange(1, 'N?\n', { came: 1.2, reply: '1\n' }),
      ...asked(2, 'N?\n', '2\n'),
      out(3, 'N?\n'),
      exchange(3, 'N?\n', { came: 3.1, reply: '3\n' }),
    ]);
    expect(await ask('N?\n')).toBe('');
    expect(await ask('')).toBe('1\n');
    await pass(1.9);
    expect(await ask('N?\n')).toBe('2\n');
    await pass(1);
    expect(await ask('N?\n', 0.2)).toBe('3\n');
  });

  test('without exchanges replies are told by the language', async () => {
    const { ask } = await bench([out(1, 'A?\n'), heard(1.01, 'a'), heard(1.02, '\n'), out(2, 'B?\n'), heard(2.01, 'b\n')]);
    expect(await ask('A?\n')).toBe('a\n');
    expect(await ask('B?\n')).toBe('b\n');
  });

  test('at its end the last replies go on, or it begins anew', async () => {
    const once = await bench(METER, { seconds: 7 });
    await once.ask('N?\n');
    await once.pass(8);
    expect(await once.ask('N?\n', 0.6)).toBe('3\n');
    expect(once.ended).toEqual([false]);
    const again = await bench(METER, { repeat: true, seconds: 7 });
    await again.ask('N?\n');
    await again.pass(7.2);
    expect(again.ended).toEqual([true]);
    expect(await again.ask('N?\n')).toBe('1\n');
  });

  test('Modbus: the transaction is the client’s', async () => {
    const language = modbusTcp();
    const said = (m: Uint8Array): string => latin1(m);
    const question = (n: number, address = 1) => language.asks.encode({ unit: 1, function: 3, address, count: 1, id: n });
    const answer = (n: number, value: number) => language.tells.encode({ unit: 1, function: 3, values: [value], id: n });
    const { ask, strange } = await bench(asked(1, said(question(17)), said(answer(17, 4711))), { protocol: language });
    expect(await ask(said(question(999)))).toBe(said(answer(999, 4711)));
    expect(await ask(said(question(17, 2)))).toBe('');
    expect(strange).toHaveLength(1);
  });

  test('whoever is connected loses the connection where the link went down', async () => {
    const { port, ask, pass } = await bench([
      ...asked(1, 'N?\n', '1\n'),
      { kind: 'alarm', alarm: { t: s(2), from: 'meter', text: 'link down' } },
      ...asked(5, 'N?\n', '2\n'),
    ]);
    let broken = 0;
    port.breaks.subscribe(() => broken++);
    expect(await ask('N?\n')).toBe('1\n');
    await pass(2.2);
    expect(broken).toBe(1);
    expect(await ask('N?\n')).toBe('');
    await pass(3);
    expect(await ask('N?\n')).toBe('2\n');
  });
});

/** The reply to N? comes when *IDN? has been asked. */
const TOO_LATE = [
  out(1, 'N?\n'),
  exchange(1, 'N?\n', { fault: 'no answer' }),
  out(3, '*IDN?\n'),
  heard(3.1, '1\n'),
  heard(3.2, 'METER\n'),
  exchange(3, '*IDN?\n', { came: 3.2, reply: 'METER\n' }),
];
test('a reply that came too late is no answer to the next question', async () => {
  const { ask } = await bench(TOO_LATE);
  expect(await ask('*IDN?\n', 0.3)).toBe('METER\n');
  expect(await ask('N?\n', 3)).toBe('');
});

describe('strict', () => {
  test('each question in its order gets its own reply, as late as it came', async () => {
    const { ask, strange, port } = await bench(METER, { strict: true });
    expect(await ask('*IDN?\n')).toBe('METER\n');
    expect(await ask('N?\n')).toBe('1\n');
    expect(await ask('N?\n')).toBe('2\r\n');
    expect(await ask('N?\n', 0.4)).toBe('');
    expect(await ask('', 0.2)).toBe('3\n');
    expect(await ask('LATER?\n')).toBe('yes\n');
    expect(strange).toEqual([]);
    expect(port.account.answered).toBe(5);
    expect(await ask('N?\n')).toBe('');
    expect(strange).toMatchObject([{ expected: expect.stringContaining('ended') }]);
  });

  test('another question than the next one gets silence, and is told with what was expected', async () => {
    const { ask, strange } = await bench(METER, { strict: true });
    expect(await ask('N?\n')).toBe('');
    expect(strange).toEqual([{ asked: '"N?\\n"', expected: '"*IDN?\\n"', count: 1 }]);
    expect(await ask('*IDN?\n')).toBe('METER\n');
  });

  test('what came by itself comes as long after the last question, and before the next reply at the latest', async () => {
    const entries = [...asked(1, 'A?\n', 'a\n'), heard(3, '!one\n'), heard(4, '!two\n'), ...asked(5, 'B?\n', 'b\n')];
    const { ask, said, pass } = await bench(entries, { strict: true });
    expect(await ask('A?\n')).toBe('a\n');
    await pass(1.8);
    expect(said.join('')).toBe('a\n');
    await pass(0.2);
    expect(said.join('')).toBe('a\n!one\n');
    expect(await ask('B?\n')).toBe('!two\nb\n');
  });

  test('with repeat the first question may come again', async () => {
    const { ask } = await bench(METER, { strict: true, repeat: true });
    for (const round of [1, 2]) {
      expect(await ask('*IDN?\n'), `round ${round}`).toBe('METER\n');
      for (const reply of ['1\n', '2\r\n']) expect(await ask('N?\n')).toBe(reply);
      expect(await ask('N?\n', 0.7)).toBe('3\n');
      expect(await ask('LATER?\n')).toBe('yes\n');
    }
  });

  test('a reply that came too late comes then, too', async () => {
    const { ask } = await bench(TOO_LATE, { strict: true });
    expect(await ask('N?\n', 2)).toBe('');
    expect(await ask('*IDN?\n', 0.3)).toBe('1\nMETER\n');
  });
});
