/**
 * A board in a process of its own that sends frames as fast as it is told, and throws away what its memory cannot hold, as boards do: the
 * number goes on, and the next frame says so. Frames are made once; number, time and CRC are set for each that is sent.
 *
 *   node dist/bench/flood-board.js '{"rate":3570}'       then connect to the port it prints
 */
import { createServer, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { waveformFrames } from '../protocols/waveform-frames.ts';
import { DIGITIZER_64, frameBytes, writeWord } from '../protocols/waveform-layout.ts';

interface Wanted {
  /** Frames a second. */
  readonly rate: number;
  /** Bytes that the board can hold. */
  readonly memory?: number;
  /** Frames after which it stops; for ever where it is absent. */
  readonly frames?: number;
}

const POOL = 64;
const EVERY = 4; // ms
const BATCH = 32; // frames of one write
const MEMORY = 32 << 20;
const L = DIGITIZER_64;
const LENGTH = frameBytes(L);

/** Two thirds of the channels have a pulse. Numbers from a small generator, so that each run sends the same. */
function pool(): readonly Uint8Array[] {
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const { tells } = waveformFrames(L, crc32);
  return Array.from({ length: POOL }, () => {
    const samples = new Uint16Array(L.channels * L.samples);
    for (let c = 0; c < L.channels; c++) {
      const height = random() < 0.67 ? 50 + 1500 * random() ** 3 : 0;
      const begin = 60 + 40 * random();
      for (let i = 0; i < L.samples; i++) {
        const t = i - begin;
        const pulse = t < 0 ? 0 : height * (1 - Math.exp(-t / 1.2)) * (0.8 * Math.exp(-t / 4) + 0.2 * Math.exp(-t / 30));
        samples[c * L.samples + i] = Math.max(0, Math.min(4095, Math.round(2000 - pulse + 3 * (random() + random() - 1))));
      }
    }
    return tells.encode({ number: 0, time: 0, samples });
  });
}

function serve(socket: Socket, { rate, memory = MEMORY, frames = Number.POSITIVE_INFINITY }: Wanted, from: readonly Uint8Array[]): void {
  const begin = performance.now();
  let number = 0;
  let sent = 0;
  let lost = false;
  let thrown = 0;
  const write = (): void => {
    const now = performance.now() - begin;
    const due = Math.min(frames, Math.floor((now / 1000) * rate));
    while (number < due) {
      const room = Math.floor((memory - socket.writableLength) / LENGTH);
      if (room <= 0) {
        thrown += due - number;
        number = due;
        lost = true;
        break;
      }
      const count = Math.min(BATCH, due - number, room);
      const batch = Buffer.allocUnsafe(count * LENGTH);
      for (let i = 0; i < count; i++) {
        const frame = batch.subarray(i * LENGTH, (i + 1) * LENGTH);
        frame.set(from[number % POOL]);
        writeWord(frame, L.number.at, L.number.bits, L.order, number % 2 ** L.number.bits);
        writeWord(frame, L.time.at, L.time.bits, L.order, Math.round(number / rate / L.time.tick) % 2 ** L.time.bits);
        if (lost && L.lost) writeWord(frame, L.lost.at, L.lost.bits, L.order, L.lost.mask);
        lost = false;
        writeWord(frame, LENGTH - 4, 32, L.order, crc32(frame.subarray(0, LENGTH - 4)));
        number++;
      }
      socket.write(batch);
      sent += count;
    }
    if (number >= frames) {
      clearInterval(timer);
      socket.end();
    }
  };
  const timer = setInterval(write, EVERY);
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(timer);
    process.stdout.write(`${JSON.stringify({ frames: number, sent, thrown, seconds: (performance.now() - begin) / 1000 })}\n`);
  });
}

const wanted = JSON.parse(process.argv[2] ?? '{"rate":100}') as Wanted; // given by the bench, or by hand
const frames = pool();
const server = createServer({ noDelay: true }, (socket) => {
  server.close(); // a board takes one client; this one sends once
  serve(socket, wanted, frames);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port })}\n`)); // it listens on TCP
process.stdin.resume().on('end', () => process.exit(0));
