/**
 * A fast stream in a process of its own: socket, framing, features, its own raw parts of the session; to the host it says what it has made.
 * Or, in the same kind of process, events of several of them.
 */
import { connect, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { readout } from '../../protocols/readout.ts';
import { type Clock, every, realClock } from '../clock.ts';
import { inWords } from '../links/reconnecting.ts';
import type { Values } from '../reading.ts';
import { type SessionWriter, sessionWriter } from '../recorder/parts.ts';
import { HITS, seriesOf } from '../recorder/session-json.ts';
import { waits } from '../waits.ts';
import { asked } from './asks.ts';
import { build } from './build-process.ts';
import { type FeedServer, feedServer } from './feed-server.ts';
import { hitBytes } from './hit-bytes.ts';
import { type Reader, reader } from './reader.ts';
import { type Begun, type FromStream, LOOK, SERVE, type StreamOptions, type ToStream } from './stream-link.ts';

const READ = 1 << 20; // bytes of one read at most
const TICK = 0.05; // seconds
const QUEUE = 512 << 20; // bytes that may wait for the disk: 4 s of a full gigabit
const CONNECT = 5; // seconds
const KEEP_ALIVE = 5000; // ms
const SILENT_END = 3000; // ms in which the parts are ended after the host has gone
const language = readout({});

function begin(options: StreamOptions, clock: Clock, say: (m: FromStream) => void): Begun | string {
  const { name, host, port, plan, session } = options;
  const told = (text: string): void => say({ is: 'told', text: `${name}: ${text}` });
  const writer = session && plan.record && (plan.record.raw || plan.record.hits) ? keep(session, name, clock, told) : undefined;
  const series = seriesOf(name);
  const record = writer && plan.record.hits;
  let feed: FeedServer | undefined;
  let zero = (): number => 0;
  const made = reader({
    plan,
    begin: clock.now(),
    crc32,
    hits(block, t) {
      if (record) writer.write(`${name} hits`, `${series}-hits`, t, hitBytes(block), HITS);
      feed?.hits(block, zero(), t);
    },
  });
  if (typeof made === 'string') return made;
  zero = () => made.zero;
  if (options.feeds)
    feed = feedServer({
      listening: (port) => say({ is: 'feeds', port }),
      failed: (why) => told(`its hits cannot be handed on: ${why}`),
    });
  const raw =
    writer && plan.record.raw
      ? (bytes: Uint8Array, t: number) => void writer.write(`${name} stream`, `${series}-stream`, t, bytes)
      : undefined;
  const wire = reading(host, port, clock, told, {
    heard(bytes) {
      const t = clock.now();
      raw?.(bytes, t);
      made.take(bytes, t);
    },
    up(now) {
      // What has come since the last look is told before the link is down.
      if (!now) look();
      feed?.state(now, made.dead, clock.now());
      say({ is: 'up', now });
    },
    closed: (from, to) => made.closed(from, to),
  });
  const look = (): void =>
    say({
      is: 'tell',
      bytes: language.tells.encode({ say: 'values', t: clock.now(), values: { ...made.look(clock.now()), ...lost(writer) } }),
    });
  const stops = [
    every(clock, LOOK, () => {
      if (wire.up) look();
      feed?.state(wire.up, made.dead, clock.now());
    }),
    every(clock, TICK, () => writer?.tick()),
  ];
  const questions = asked(made, clock);
  return {
    ask(bytes) {
      for (const answer of questions(bytes)) say({ is: 'tell', bytes: answer() });
    },
    reopen: () => wire.reopen(),
    async end() {
      for (const stop of stops) stop();
      wire.close();
      feed?.close();
      await writer?.close();
    },
  };
}

function keep(place: NonNullable<StreamOptions['session']>, name: string, clock: Clock, told: (text: string) => void): SessionWriter {
  const order = place.rawOrder.flatMap((series) =>
    series === seriesOf(name) ? [`${series}-stream` as const, `${series}-hits` as const] : [series as `raw-${string}`],
  );
  return sessionWriter({
    folder: place.folder,
    now: () => clock.mono() * 1000,
    rawOrder: order.length > 0 ? order : [`${seriesOf(name)}-stream`],
    limits: { reserve: 0, rawQueue: QUEUE }, // the recorder keeps the reserve
    onState: (state) => told(state.text),
  });
}

/** Bytes that came and are in no part: a channel of its own, for a raw stream stops silently never. */
function lost(writer: SessionWriter | undefined): Values {
  if (!writer) return { recorded: 0, unrecorded: 0 };
  const { dropped, written } = writer.stats();
  return { recorded: written.bytes, unrecorded: dropped.reduce((n, { bytes }) => n + bytes, 0) };
}

/** A socket that is read and never written: the board sends by itself. */
function reading(
  host: string,
  port: number,
  clock: Clock,
  told: (text: string) => void,
  on: { heard(bytes: Uint8Array): void; up(now: boolean): void; closed(from: number, to: number): void },
): { readonly up: boolean; reopen(): void; close(): void } {
  const buffer = new Uint8Array(READ);
  const delay = waits(clock);
  let socket: Socket | undefined;
  let up = false;
  let downSince: number | undefined = clock.now();
  let state: string | undefined;
  let closed = false;
  let cancel = (): void => {};

  const enter = (now: boolean, text: string): void => {
    if (text !== state) told(text);
    state = text;
    if (now === up) return;
    up = now;
    if (now && downSince !== undefined) on.closed(downSince, clock.now());
    downSince = now ? undefined : clock.now();
    on.up(now);
  };
  const start = (): void => {
    if (closed) return;
    let why = 'the other end has closed the connection';
    let over = false;
    const mine = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE,
      onread: {
        buffer,
        callback(n, data) {
          on.heard(n === data.length ? data : data.subarray(0, n)); // nobody keeps it: it is filled again
          return true;
        },
      },
    });
    socket = mine;
    delay.started();
    const late = clock.after(CONNECT, () => {
      why = `no answer from there within ${CONNECT} s`;
      mine.destroy();
    });
    mine.on('connect', () => {
      late();
      enter(true, 'connected');
    });
    mine.on('error', (error) => {
      why = inWords(error);
    });
    mine.on('end', () => mine.destroy());
    mine.on('close', () => {
      late();
      if (over || closed || socket !== mine) return;
      over = true;
      enter(false, why);
      cancel = clock.after(delay.ended(), start);
    });
  };
  start();
  const drop = (): void => {
    cancel();
    const old = socket;
    socket = undefined;
    old?.destroy();
  };
  return {
    get up() {
      return up;
    },
    reopen() {
      drop();
      enter(false, 'closed and opened again');
      start();
    },
    close() {
      closed = true;
      drop();
    },
  };
}

/** The child: reads until the host says the end, or goes away; then ends its parts. */
function serveHost(): void {
  const clock = realClock();
  let begun: Begun | undefined;
  const say = (m: FromStream): void => {
    if (process.connected) process.send?.(m, undefined, undefined, () => {});
  };
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    setTimeout(() => process.exit(1), SILENT_END).unref();
    void (begun?.end() ?? Promise.resolve()).then(() => process.exit(0));
  };
  process.on('message', (message) => {
    const m = message as ToStream; // sent by streamLink alone
    if (m.is === 'end') end();
    else if (m.is === 'ask') begun?.ask(m.bytes);
    else if (m.is === 'reopen') begun?.reopen();
    else if (m.is === 'feed') begun?.feed?.(m.board, m.port);
    else if (begun === undefined) {
      const made = m.is === 'begin' ? begin(m.options, clock, say) : build(m.options, clock, say);
      if (typeof made === 'string') say({ is: 'told', text: `${m.options.name}: ${made}` });
      else begun = made;
    }
  });
  process.on('disconnect', end);
  // A signal to all processes of a run is for the guardian, which ends them in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}

if (process.argv[2] === SERVE && process.send) serveHost();

export type { Reader };
