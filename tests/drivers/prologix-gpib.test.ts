import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import adapter from '../../drivers/prologix-gpib.ts';
import { type PrologixAsk, prologix } from '../../protocols/prologix.ts';
import { Fault, fromLatin1, latin1, type Protocol } from '../../protocols/protocol.ts';
import { scpi } from '../../protocols/scpi.ts';
import simulated from '../../simulators/prologix-gpib.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { exchange, ORDER } from '../../src/exchange.ts';
import { instrument, poll } from '../../src/instrument.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import { tunnelLink } from '../../src/links/tunnel.ts';
import type { Reading } from '../../src/reading.ts';
import { universe } from '../../src/simulate.ts';
import { simulator, world } from '../../src/simulator.ts';
import { runTalk } from '../../src/talk-run.ts';

const bytes = (text: string): Uint8Array => fromLatin1(text);
const { asks, tells } = prologix();

describe('the codec', () => {
  test('one write holds the whole transaction; CR, LF, ESC and + of the data are escaped', () => {
    const q: PrologixAsk = ['++addr 12', bytes('A+1\n\x1b\r'), '++read eoi'];
    expect(latin1(asks.encode(q))).toBe('++addr 12\nA\x1b+1\x1b\n\x1b\x1b\x1b\r\n++read eoi\n');
    expect(asks.decoder()(asks.encode(q))).toEqual(q.map((line) => [line]));
  });
  test('CRLF of other software, empty lines, and data that begins with an escaped ++', () => {
    expect(asks.decoder()(bytes('++ver\r\n\r\n*IDN?\r\n\x1b+\x1b+x\n+x\n'))).toEqual([
      ['++ver'],
      [bytes('*IDN?')],
      [bytes('++x')],
      [bytes('+x')],
    ]);
  });
  test('any split decodes alike, and any data comes through', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        (datas, step) => {
          const sent = asks.encode(datas);
          const decode = asks.decoder();
          const got: (PrologixAsk | Fault)[] = [];
          for (let i = 0; i < sent.length; i += step) got.push(...decode(sent.subarray(i, i + step)));
          expect(got).toEqual(datas.map((d) => [d]));
        },
      ),
    );
  });
  test('a line without end is bounded', () => {
    const decode = asks.decoder();
    expect(decode(new Uint8Array(100_000).fill(0x61))).toEqual([]);
    const [fault] = decode(bytes('\n'));
    expect(fault).toBeInstanceOf(Fault);
    expect(decode(bytes('++ver\n'))).toEqual([['++ver']]);
  });
  test('what is no command is not sent as one', () => {
    expect(() => asks.encode(['*IDN?'])).toThrow(/begin with "\+\+"/);
  });
  test('replies keep bytes of any value and blocks', () => {
    const reply = '#15\n\xff\r\0a';
    expect(tells.decoder()(bytes(`${reply}\n`))).toEqual([reply]);
  });
});

const meter = instrument({
  model: 'meter',
  source: 'this test',
  links: { main: scpi('\n') },
  proof: { main: { ask: () => '*IDN?', is: (m: string) => m.startsWith('ACME') } },
  body: () => ({
    polls: [
      poll<{ main: ReturnType<typeof scpi> }, { volts: 'V' }>({
        ask: 'READ?',
        every: 0.5,
        gives: { volts: 'V' },
        read: (m) => ({ volts: Number(m) }),
        example: ['1', { volts: 1 }],
      }),
    ],
    commands: {
      range: {
        takes: 'V' as const,
        *talk(act, value) {
          yield* act.main.send(`RANGE ${value}`);
        },
      },
    },
  }),
});
const device = (volts: number) =>
  simulator({
    links: { main: scpi('\n') },
    world: world({ name: 'nothing', tick: 1, make: () => ({ step() {} }) }),
    state: () => ({ range: 1 }),
    answer: {
      main(q, s) {
        if (q === '*IDN?') return ['ACME,1'];
        if (q === 'READ?') return [String(volts * s.range)];
        if (q.startsWith('RANGE ')) s.range = Number(q.slice(6));
        return [];
      },
    },
  });

function bench(within = 0.8) {
  const clock = virtualClock();
  const all = universe(1, clock);
  const behind = { '5': all.device('five', device(5), {}), '9:96': all.device('nine', device(9), {}) };
  const link = simulatedLink([all.device('gpib', simulated, { kind: 'usb' }, behind).ports.main], clock, { baud: 115200 });
  const wire = exchange(link, prologix() as Protocol<unknown, unknown>, clock);
  const sent: string[] = [];
  wire.exchanged.subscribe((e) => sent.push(`${e.by}>${latin1(e.sent)}`));
  const on = { reading: (r: Reading) => readings.push(r), state: () => {} };
  const readings: Reading[] = [];
  const carrier = acquire({ name: 'gpib', model: adapter, options: { within }, roles: { main: wire }, origin: 'simulator' }, clock, on);
  const instruments = ['5', '9:96', '7'].map((address) => {
    const tunnel = tunnelLink({ name: 'gpib', acquired: carrier, roles: { main: wire }, within: 1 }, address, clock, 'simulator');
    const over = exchange(tunnel, scpi('\n') as Protocol<unknown, unknown>, clock);
    const one = acquire({ name: `at${address}`, model: meter, options: {}, roles: { main: over }, origin: 'simulator' }, clock, on);
    return { one, over, tunnel };
  });
  return { clock, link, carrier, readings, sent, instruments };
}
const latest = (b: ReturnType<typeof bench>, i: number): Reading | undefined => b.instruments[i].one.latest('volts');

describe('instruments behind the adapter', () => {
  test('each answers at its own address, and the empty address is silent', () => {
    const b = bench();
    b.clock.advance(20);
    expect(b.carrier.state).toEqual({ is: 'running' });
    expect(b.carrier.latest('version')).toMatchObject({ value: 'Prologix GPIB-USB Controller version 6.107' });
    expect(b.instruments.map((i) => i.one.state.is)).toEqual(['running', 'running', 'silent']);
    expect(latest(b, 0)).toMatchObject({ quality: 'good', value: 5 });
    expect(latest(b, 1)).toMatchObject({ quality: 'good', value: 9 });
    const wrong = b.readings.filter(
      (r) => r.from.endsWith('volts') && r.quality === 'good' && r.value !== (r.from.startsWith('at5') ? 5 : 9),
    );
    expect(wrong).toEqual([]);
  });

  test('nothing is set on connecting; each transaction is one write with all it needs', () => {
    const b = bench();
    b.clock.advance(3);
    expect(b.sent[0]).toBe('proof>++ver\n');
    expect(b.sent[1]).toBe('identify>++ver\n');
    expect(b.sent).toContain('tunnel:5>++mode 1\n++auto 0\n++addr 5\nREAD?\n++read_tmo_ms 640\n++read eoi\n');
    expect(b.sent).toContain('tunnel:9:96>++mode 1\n++auto 0\n++addr 9 96\nREAD?\n++read_tmo_ms 640\n++read eoi\n');
  });

  test('an order without reply reads nothing', () => {
    const b = bench();
    b.clock.advance(3);
    const { one, over } = b.instruments[0];
    let outcome = '';
    runTalk(
      one.commands.range.talk(one.actors, 2, 0, undefined as never),
      { instrument: 'at5', by: 'order:range', urgency: ORDER, roles: { main: over }, within: 1, clock: b.clock },
      (end) => {
        outcome = end.ok ? 'done' : end.why;
      },
    );
    b.clock.advance(2);
    expect(outcome).toBe('done');
    expect(b.sent).toContain('tunnel:5>++mode 1\n++auto 0\n++addr 5\nRANGE 2\n');
    expect(latest(b, 0)).toMatchObject({ quality: 'good', value: 10 });
  });

  test('without the adapter its instruments are down, and all come back with it', () => {
    const b = bench();
    b.clock.advance(3);
    b.link.plug(false);
    b.clock.advance(2);
    expect(b.instruments[0].one.state).toEqual({ is: 'silent', why: 'link down' });
    b.link.plug(true);
    b.clock.advance(10);
    expect(latest(b, 0)).toMatchObject({ quality: 'good', value: 5 });
  });

  test('what is no adapter is refused', () => {
    const clock = virtualClock();
    const link = simulatedLink([universe(1, clock).device('m', device(1), {}).ports.main], clock);
    const e = exchange(link, prologix() as Protocol<unknown, unknown>, clock);
    const a = acquire({ name: 'm', model: adapter, options: { within: 0.8 }, roles: { main: e }, origin: 'simulator' }, clock, {
      reading: () => {},
      state: () => {},
    });
    clock.advance(5);
    expect(a.state.is).toBe('silent');
  });
});

describe('the simulated adapter, as other software talks to it', () => {
  function talk(...lines: string[]): string[] {
    const clock = virtualClock();
    const all = universe(1, clock);
    const { ports } = all.device('gpib', simulated, { kind: 'ethernet' }, { '5': all.device('five', device(5), {}) });
    const heard: string[] = [];
    ports.main.says.subscribe((s) => heard.push(latin1(s.bytes)));
    for (const line of lines) {
      ports.main.receive(bytes(line));
      clock.advance(0.1);
    }
    return heard;
  }
  test('settings are asked by their names, unknown commands are named', () => {
    expect(
      talk('++addr\n', '++addr 5\r\n', '++addr\n', '++auto\n', '++eoi\n', '++eos 2\n', '++eos\n', '++read_tmo_ms 500\n++read_tmo_ms\n'),
    ).toEqual(['0\r\n', '5\r\n', '0\r\n', '1\r\n', '2\r\n', '500\r\n']);
    expect(talk('++foo\n', '++addr 31\n', '++ver\n')).toEqual([
      'Unrecognized command\r\n',
      'Unrecognized command\r\n',
      'Prologix GPIB-ETHERNET Controller version 01.06.06.00\r\n',
    ]);
  });
  test('an answer waits for ++read, unless ++auto is on; serial poll shows that it waits', () => {
    expect(talk('++addr 5\n', 'READ?\n', '++spoll\n', '++read eoi\n', '++spoll\n', '++read eoi\n')).toEqual(['16\r\n', '5\n', '0\r\n']);
    expect(talk('++addr 5\n++auto 1\nREAD?\n')).toEqual(['5\n']);
    expect(talk('++addr 7\n++auto 1\nREAD?\n')).toEqual([]);
    // With CR at its end this instrument, which hears LF, does not understand it.
    expect(talk('++addr 5\n++eos 1\n++auto 1\nREAD?\n')).toEqual([]);
    expect(talk('++addr 5\n++eos 3\n++auto 1\nREAD?\n')).toEqual(['5\n']);
  });
});
