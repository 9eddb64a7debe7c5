/** Events of several boards while data come: one order, one event, and no energy of a part of the light. */
import { connect, createServer, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Fault, latin1 } from '../../protocols/protocol.ts';
import { BUILDER_GIVES, type ReadoutTell, readout } from '../../protocols/readout.ts';
import { waveformFrames } from '../../protocols/waveform-frames.ts';
import { DIGITIZER_64 } from '../../protocols/waveform-layout.ts';
import { realClock } from '../../src/clock.ts';
import { detectorChain } from '../../src/derive/detector-chain.ts';
import { PHYSICS_GIVES } from '../../src/derive/detector-values.ts';
import type { Hits } from '../../src/derive/hits.ts';
import { LIGHT_GIVES } from '../../src/derive/light-yield.ts';
import { boardsOf } from '../../src/readout/boards.ts';
import { type BuilderOptions, builder } from '../../src/readout/builder.ts';
import { type FeedEvents, feedDecoder, feedHits, feedState } from '../../src/readout/feed-bytes.ts';
import { feedClient, feedServer } from '../../src/readout/feed-server.ts';
import { hitBytes } from '../../src/readout/hit-bytes.ts';
import type { ReaderPlan } from '../../src/readout/reader.ts';
import { buildLink, streamLink } from '../../src/readout/stream-link.ts';
import { until } from '../bench-top.ts';
import { blockOf, uniform } from '../derive/hit-rows.ts';

const US = 1e3; // ns
const physics = { channels: 4, within: 200, scale: { slope: [1, 1, 1, 1] }, refresh: 1 };
const boards: BuilderOptions['boards'] = [
  { name: 'left', first: 0, channels: 2, offset: 0 },
  { name: 'right', first: 2, channels: 2, offset: 0 },
];
const BEGIN = 1e15; // us

function built(options: Partial<BuilderOptions> = {}) {
  const made = builder({ boards, hold: 2, physics, begin: BEGIN, ...options });
  if (typeof made === 'string') throw new Error(made);
  return made;
}
const there = { up: true, dead: 0, lost: 0 };
/** Both boards are there, and have given a hit: from then on there are events. */
function opened(options: Partial<BuilderOptions> = {}, t = BEGIN) {
  const made = built(options);
  for (const board of [0, 1]) made.state(board, there, t);
  for (const board of [0, 1]) made.hits(board, blockOf([{ t: (t - BEGIN) * US, channel: 2 * board }]), 0, t);
  return made;
}

interface Row {
  readonly t: number;
  readonly board: number;
  readonly charge: number;
}
/** Prompt and delayed light on both boards: 2 + 1.5 and 0.3 + 0.23 MeVee, 30 us apart, every 5 ms. */
function pairs(count: number, seed = 1): readonly Row[] {
  const random = uniform(seed);
  return Array.from({ length: count }, (_, i) => {
    const t = (i + 1) * 5000 * US;
    const both = (at: number, left: number, right: number): readonly Row[] => [
      { t: at, board: 0, charge: left },
      { t: at + Math.round(100 * random()), board: 1, charge: right },
    ];
    return [...both(t, 2, 1.5), ...both(t + 30 * US, 0.3, 0.23)];
  }).flat();
}
const block = (rows: readonly Row[], board: number): Hits =>
  blockOf(rows.map(({ t, charge }) => ({ t, channel: 2 * board, charge, tail: charge * (charge > 1 ? 0.1 : 0.3), frame: t / US })));

/** Gives the rows of each board in blocks of so many, as they come. */
function feed(made: ReturnType<typeof built>, rows: readonly Row[], size: number, zero: readonly number[] = [0, 0]): void {
  for (let at = 0; at < rows.length; at += size) {
    for (const board of [0, 1]) {
      const own = rows.slice(at, at + size).filter((row) => row.board === board);
      const last = own.at(-1);
      if (last) made.hits(board, block(own, board), zero[board] ?? 0, BEGIN + (last.t - (zero[board] ?? 0)) / US);
    }
  }
}

describe('several boards', () => {
  test('make the events and pairs of one detector, whatever the blocks', () => {
    const rows = pairs(40);
    const chain = detectorChain({ ...physics });
    chain.take(blockOf(rows.map(({ t, board, charge }) => ({ t, channel: 2 * board, charge, tail: charge * (charge > 1 ? 0.1 : 0.3) }))));
    const { events, pairs: found } = chain.counts;
    expect(found).toBeGreaterThan(30);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
        const made = opened();
        feed(made, [...rows, { t: 1.5e9, board: 0, charge: 1 }, { t: 1.5e9, board: 1, charge: 1 }], size);
        const look = made.look(BEGIN + 10e6);
        expect([look.boards, look.late, look.doubled]).toEqual([['there', 'there'], 0, 0]);
        expect(look.events).toBeGreaterThanOrEqual(events);
        expect(Object(look.pairs).value).toBe(found);
        const known = { ...BUILDER_GIVES, ...PHYSICS_GIVES, ...LIGHT_GIVES };
        expect(Object.keys(look).filter((name) => !Object.hasOwn(known, name))).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('say which share of the events has light on both; with clocks that differ it is none', () => {
    const shares = [0, 3 * US].map((offset) => {
      const made = opened({ boards: boards.map((b, i) => (i === 1 ? { ...b, offset } : b)) });
      made.look(BEGIN);
      feed(made, pairs(200), 50);
      return Object(made.look(BEGIN + 11e6).together);
    });
    expect(shares[0]).toMatchObject({ quality: 'good', value: 1 });
    expect(shares[1]).toMatchObject({ quality: 'good', value: 0 });
    expect(shares[1].sigma.random).toBeGreaterThan(0);
  });

  test('are brought together by the offset that is added to the times of one', () => {
    const shares = [3 * US, -3 * US].map((offset) => {
      const made = opened({ boards: boards.map((b, i) => (i === 1 ? { ...b, offset } : b)) });
      made.look(BEGIN);
      // The counter of the right one shows 3 us less.
      feed(
        made,
        pairs(200).map((r) => (r.board === 1 ? { ...r, t: r.t - 3 * US } : r)),
        50,
      );
      return Object(made.look(BEGIN + 11e6).together).value;
    });
    expect(shares).toEqual([1, 0]);
  });

  test('what one had after the last hit of another that is gone is no event', () => {
    const made = opened();
    const rows = pairs(200);
    feed(made, rows.slice(0, 400), 20);
    // The left one goes on for a while before it is known that the right one has gone.
    for (const row of rows.slice(400, 600).filter((r) => r.board === 0)) made.hits(0, block([row], 0), 0, BEGIN + row.t / US);
    made.gone(1, BEGIN + 0.76e6);
    made.state(1, there, BEGIN + 2e6);
    const later = pairs(200, 2).map((r) => ({ ...r, t: r.t + 2e9 }));
    feed(made, later, 20);
    const look = made.look(BEGIN + 12e6);
    expect(look).toMatchObject({ late: 0 });
    expect(Object(look.together)).toMatchObject({ value: 1 });
    expect(Number(look.events)).toBeGreaterThan(570);
    expect(Number(look.events)).toBeLessThanOrEqual(600);
  });

  test('without one of them there are no events, and the time is dead; then it goes on', () => {
    const made = built();
    made.state(0, there, BEGIN);
    const rows = pairs(100);
    feed(
      made,
      rows.filter((r) => r.board === 0),
      10,
    );
    const alone = made.look(BEGIN + 1e6);
    expect(alone).toMatchObject({ boards: ['there', 'absent'], events: 0, hits: 0, live: 0, live_time: 0 });
    expect(Number(alone.dead_incomplete)).toBeCloseTo(0.975, 3); // from the first hit on
    made.state(1, there, BEGIN + 1e6);
    const later = rows.map((r) => ({ ...r, t: r.t + 1e9 }));
    feed(made, later, 10);
    const both = made.look(BEGIN + 2e6);
    // Live from the first hit of the other one on, and its block does not count.
    expect(both).toMatchObject({ boards: ['there', 'there'] });
    expect([both.live, both.dead_incomplete, both.live_time]).toEqual([
      expect.closeTo(0.985, 3),
      expect.closeTo(0.99, 3),
      expect.closeTo(0.985, 3),
    ]);
    expect(Number(both.events)).toBeGreaterThan(150);
    expect(Number(both.events)).toBeLessThanOrEqual(198);
    made.gone(1, BEGIN + 2e6);
    expect(made.look(BEGIN + 4e6)).toMatchObject({ boards: ['there', 'absent'], live: 0 });
    made.clear(BEGIN + 4e6);
    made.state(1, there, BEGIN + 5e6);
    made.hits(1, blockOf([{ t: 5e9, channel: 2 }]), 0, BEGIN + 5e6);
    expect(made.look(BEGIN + 6e6)).toMatchObject({ live_time: 1, live: 0.5 });
  });

  test('what a board has lost is dead for all, also when its reader begins anew', () => {
    const made = built();
    for (const board of [0, 1]) made.state(board, { up: true, dead: 7, lost: 3 }, BEGIN);
    for (const board of [0, 1]) made.hits(board, blockOf([{ t: 1, channel: 2 * board }]), 0, BEGIN);
    made.state(1, { up: true, dead: 7.25, lost: 10 }, BEGIN + 1e6);
    expect(made.look(BEGIN + 1e6)).toMatchObject({ dead_boards: 0.25, untaken: 7, live: 0.75 });
    made.gone(1, BEGIN + 1e6);
    made.state(1, { up: true, dead: 0, lost: 0 }, BEGIN + 1e6);
    made.hits(1, blockOf([{ t: 1e9, channel: 2 }]), 0, BEGIN + 1e6);
    made.state(1, { up: true, dead: 0.5, lost: 0 }, BEGIN + 2e6);
    expect(made.look(BEGIN + 2e6)).toMatchObject({ dead_boards: 0.75, untaken: 7, live: 0.5 });
  });

  test('reset together they go on together, though each reader knows the time of it to milliseconds only', () => {
    const made = opened();
    made.look(BEGIN);
    feed(made, pairs(100), 20);
    // One second after the reset of both; the readers have added what the host's clock said.
    const zero = [0.6e9 + 4e6, 0.6e9 - 3e6];
    const anew = pairs(100, 2).map((r) => ({ ...r, t: r.t + (zero[r.board] ?? 0) }));
    for (let at = 0; at < anew.length; at += 20)
      for (const board of [0, 1]) {
        const own = anew.slice(at, at + 20).filter((r) => r.board === board);
        const last = (own.at(-1)?.t ?? 0) - (zero[board] ?? 0);
        made.hits(board, block(own, board), zero[board] ?? 0, BEGIN + 0.6e6 + last / US);
      }
    const look = made.look(BEGIN + 12e6);
    expect(look).toMatchObject({ late: 0, boards: ['silent', 'silent'] });
    expect(Object(look.together)).toMatchObject({ value: 1 });
    expect(Number(look.events)).toBeGreaterThan(370);
  });

  test('one that was reset alone is apart: no events until both are reset together', () => {
    const made = opened();
    feed(made, pairs(1000), 20);
    const t = BEGIN + 5.1e6;
    const events = Number(made.look(t).events);
    expect(events).toBeGreaterThan(1980);
    made.hits(1, blockOf([{ t: 5.05e9, channel: 2, charge: 1 }]), 5e9, t);
    made.hits(0, blockOf([{ t: 5.05e9, channel: 0, charge: 1 }]), 0, t);
    expect(made.look(t + 1e6)).toMatchObject({ boards: ['there', 'apart'], live: 0 });
    // Where its counter is far ahead, its times do not put those of the other one behind.
    for (let i = 0; i < 5; i++) made.hits(1, blockOf([{ t: 5e9 + (100 + i) * 1e9, channel: 2, charge: 1 }]), 5e9, t + 1e6);
    made.hits(0, blockOf([{ t: 6.2e9, channel: 0, charge: 1 }]), 6e9, t + 1.1e6);
    made.hits(1, blockOf([{ t: 6.201e9, channel: 2, charge: 1 }]), 6.001e9, t + 1.1e6);
    expect(made.look(t + 1.2e6)).toMatchObject({ boards: ['there', 'there'] });
    feed(
      made,
      pairs(100, 3).map((r) => ({ ...r, t: r.t + (r.board === 0 ? 6.3e9 : 6.301e9) })),
      20,
      [6e9, 6.001e9],
    );
    const after = made.look(t + 3e6);
    expect(after).toMatchObject({ late: 0 });
    expect(Number(after.events)).toBeGreaterThan(events + 180);
  });

  test('a reader that begins anew behind a turn of the counter is in step', () => {
    const period = 100e9;
    const made = opened({ boards: boards.map((b) => ({ ...b, period })) });
    const at = (t: number, read: number): void => {
      made.hits(0, blockOf([{ t, channel: 0, charge: 1 }]), 0, BEGIN + t / US);
      made.hits(1, blockOf([{ t: read, channel: 2, charge: 1 }]), 0, BEGIN + t / US);
    };
    for (let s = 1; s < 250; s++) at(s * 1e9, s * 1e9);
    made.look(BEGIN + 249.5e6);
    made.gone(1, BEGIN + 249.5e6);
    made.state(1, there, BEGIN + 249.6e6);
    for (let s = 250; s < 290; s++) at(s * 1e9, (s % 100) * 1e9); // its counter alone
    const look = made.look(BEGIN + 289e6);
    expect(look).toMatchObject({ boards: ['there', 'there'], late: 0 });
    expect(Object(look.together).value).toBe(1);
  });

  test('a plan that is none is a sentence', () => {
    expect(builder({ boards, hold: 1, begin: 0, physics: { ...physics, scale: { slope: [1] } } })).toMatch(/physics: scale/);
  });
});

describe('the hits of a board on their way', () => {
  test('come in any split as they went, and what is no feed ends it', () => {
    const one = blockOf([{ t: 5, channel: 1, charge: 2 }]);
    const all = Uint8Array.from([...feedHits(one, 7, 99), ...feedState({ up: true, dead: 1.5, lost: 2 }, 100), ...feedHits(one, 8, 101)]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 }), (cuts) => {
        const got: unknown[] = [];
        const decode = feedDecoder({
          hits: (b, zero, t) => got.push([latin1(hitBytes(b)), zero, t]),
          state: (state, t) => got.push([state, t]),
        });
        for (let at = 0, i = 0; at < all.length; at += cuts[i++ % cuts.length] ?? 1)
          expect(decode(all.slice(at, at + (cuts[i % cuts.length] ?? 1)))).toBe(true);
        const bytes = latin1(hitBytes(one));
        expect(got).toEqual([
          [bytes, 7, 99],
          [{ up: true, dead: 1.5, lost: 2 }, 100],
          [bytes, 8, 101],
        ]);
      }),
    );
    const none: FeedEvents = { hits() {}, state() {} };
    expect(feedDecoder(none)(new TextEncoder().encode('HTTP/1.1 200 OK\r\n\r\n'))).toBe(false);
    const cut = feedState({ up: true, dead: 0, lost: 0 }, 1);
    cut[4] = 9;
    expect(feedDecoder(none)(cut)).toBe(false);
  });

  test('over a socket; who comes later gets what comes from then on, and who stands still holds nobody up', async () => {
    const clock = realClock();
    let port = 0;
    const server = feedServer({ listening: (at) => (port = at), failed: (why) => expect.fail(why) });
    onTestFinished(() => server.close());
    expect(await until(clock, 10, () => port > 0)).toBe(true);
    server.hits(blockOf([{ t: 1 }]), 0, 1);
    const got: number[] = [];
    let begun = 0;
    const stop = feedClient(port, {
      begun: () => begun++,
      over: (why) => expect.fail(why),
      hits: (b) => got.push(b.t[0] ?? -1),
      state: (state) => got.push(state.lost),
    });
    onTestFinished(stop);
    expect(await until(clock, 10, () => begun === 1)).toBe(true);
    expect(
      await until(clock, 10, () => {
        server.hits(blockOf([{ t: 2 }]), 0, 1);
        return got.length > 0;
      }),
    ).toBe(true);
    expect(got[0]).toBe(2);
    server.state(true, 0, 2);
    expect(await until(clock, 10, () => got.includes(0))).toBe(true);
  });
});

test('who does not take what comes in time is told so at its place, and gets the rest once it has', async () => {
  const clock = realClock();
  let port = 0;
  const server = feedServer({ listening: (at) => (port = at), failed: (why) => expect.fail(why) });
  onTestFinished(() => server.close());
  expect(await until(clock, 10, () => port > 0)).toBe(true);
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const got: string[] = [];
  let [hits, lost] = [0, 0];
  const decode = feedDecoder({
    hits(b) {
      hits += b.count;
      if (got.at(-1) !== 'hits') got.push('hits');
    },
    state(state) {
      lost = state.lost;
      if (got.at(-1) !== String(state.up)) got.push(String(state.up));
    },
  });
  socket.once('data', (bytes) => {
    decode(bytes);
    socket.pause();
  });
  expect(
    await until(clock, 10, () => {
      server.state(true, 0, 1);
      return got.length > 0;
    }),
  ).toBe(true);
  const large = blockOf(Array.from({ length: 20_000 }, (_, t) => ({ t })));
  const sent = 150;
  for (let i = 0; i < sent; i++) server.hits(large, 0, i); // 180 MB at once
  socket.on('data', decode);
  socket.resume();
  let more = 0;
  expect(
    await until(clock, 30, () => {
      server.hits(blockOf([{ t: 1 }]), 0, 2);
      more++;
      return got.at(-1) === 'hits' && got.includes('false');
    }),
  ).toBe(true);
  expect(got).toEqual(['true', 'hits', 'false', 'true', 'hits']);
  server.state(true, 0, 3);
  expect(await until(clock, 10, () => hits + lost === sent * 20_000 + more)).toBe(true);
  expect(lost).toBeGreaterThan(20_000);
}, 60_000);

/** A board that sends what it is told to. */
async function board(): Promise<{ readonly port: number; send(bytes: Uint8Array): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('it listens on TCP');
  return { port: at.port, send: (bytes) => void [...sockets].map((socket) => socket.write(bytes)) };
}

test('in processes of their own: two boards are read and built, and one that ends is missed', async () => {
  const clock = realClock();
  const frames = waveformFrames(DIGITIZER_64, crc32);
  const { tells } = readout({});
  const samples = new Uint16Array(DIGITIZER_64.channels * DIGITIZER_64.samples).fill(2000);
  for (let i = 0; i < 10; i++) samples[60 + i] = 2000 - 100 * (10 - i); // of the first channel
  const [left, right] = [await board(), await board()];
  const told: string[] = [];
  const { link, feed } = buildLink(
    {
      name: 'hits:left,right',
      boards: [left, right].map((_, i) => ({ name: ['left', 'right'][i] ?? '', first: 64 * i, channels: 64, offset: 0 })),
      hold: 2,
      physics: { channels: 128, within: 200, scale: { slope: new Array<number>(128).fill(1e-4) } },
      told: (text) => told.push(text),
    },
    clock,
  );
  onTestFinished(() => link.close());
  const readers = [left, right].map(({ port }, i) => {
    const reader = streamLink(
      {
        ...{ name: `board ${i}`, host: '127.0.0.1', port, told: (text: string) => told.push(text) },
        plan: {
          source: { format: 'waveforms', layout: DIGITIZER_64, polarity: 'negative', threshold: 20, firstChannel: 64 * i },
          channels: 64 * (i + 1),
          spectra: { charge: { low: 0, high: 1e4, bins: 10 }, shape: { low: 0, high: 1, bins: 10 } },
          record: { raw: false, hits: false },
        },
        feeds(at) {
          if (at !== undefined) feed(i, at);
        },
      },
      clock,
    );
    onTestFinished(() => reader.close());
    return reader;
  });
  const said: Readonly<Record<string, unknown>>[] = [];
  link.arrivals.subscribe(({ bytes }) => {
    for (const m of tells.decoder()(bytes) as readonly (ReadoutTell | Fault)[])
      if (!(m instanceof Fault) && m.say === 'values') said.push(m.values);
  });
  const began = clock.mono();
  let number = 0;
  const trigger = (): void => {
    const frame = frames.tells.encode({ number, time: Math.round((clock.mono() - began) * 2.5e8), samples });
    number++;
    for (const one of [left, right]) one.send(frame);
  };
  const look = (): Readonly<Record<string, unknown>> => said.at(-1) ?? {};
  expect(
    await until(clock, 30, () => {
      trigger();
      return Number(look().events) > 20;
    }),
    told.join('\n'),
  ).toBe(true);
  // One hit of each board makes one event.
  expect(look()).toMatchObject({ boards: ['there', 'there'], late: 0, untaken: 0 });
  expect(Number(look().hits) - 2 * Number(look().events)).toBeLessThanOrEqual(2);
  readers[1]?.close();
  expect(await until(clock, 30, () => Object(look().boards)[1] === 'absent'), told.join('\n')).toBe(true);
  const { events } = look();
  expect(
    await until(clock, 30, () => {
      trigger();
      return look().live === 0;
    }),
  ).toBe(true);
  expect(look().events).toBe(events);
  expect(
    told.some((text) => /^hits:left,right: right: its hits do not come/.test(text)),
    told.join('\n'),
  ).toBe(true);
});

describe('the boards of a rig', () => {
  const source = (firstChannel: number) => ({ format: 'waveforms', firstChannel, layout: DIGITIZER_64 });
  const spectra = { charge: { low: 0, high: 1, bins: 1 }, shape: { low: 0, high: 1, bins: 1 } };
  const stream = (instrument: string, first: number, format = 'waveforms'): { instrument: string; plan: ReaderPlan } => ({
    instrument,
    plan: {
      source: format === 'waveforms' ? source(first) : { format, firstChannel: first },
      channels: first + 64,
      spectra,
      record: { raw: false, hits: false },
    },
  });
  const plan = (offsets = {}, channels = 128) => ({ build: { hold: 2, offsets }, physics: { channels, within: 200 } });

  test('are what their plans say', () => {
    expect(boardsOf(['a', 'b'], plan({ b: 350 }), [stream('b', 64), stream('a', 0)])).toEqual([
      { name: 'a', first: 0, channels: 64, offset: 0, period: 4 * 2 ** 48 },
      { name: 'b', first: 64, channels: 64, offset: 350, period: 4 * 2 ** 48 },
    ]);
  });

  test('what is in the way of one detector is said', () => {
    const rig = [stream('a', 0), stream('b', 0), stream('c', 64, 'easiroc'), stream('d', 64)];
    expect(boardsOf(['a', 'x'], plan(), rig)).toBe('x is no board with a fast stream; those of this rig are a, b, c, d');
    expect(boardsOf(['a', 'b'], plan(), rig)).toMatch(/a and b have the same channel numbers \(0 to 63\).*first_channel/);
    expect(boardsOf(['a', 'c'], plan(), rig)).toMatch(/c gives no time of a clock that boards can share/);
    expect(boardsOf(['a', 'd'], plan({ b: 1 }), rig)).toMatch(/offsets: b is none of its boards, which are a, d/);
    expect(boardsOf(['a', 'd'], plan({}, 100), rig)).toMatch(/d has the channels 64 to 127, the detector 0 to 99/);
  });
});
