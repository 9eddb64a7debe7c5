/** The live screen on terminals of any size: what matters is never pushed out, and nothing that others wrote moves the cursor. */
import { resolve } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import type { LinkStatus, Status } from '../../src/entry.ts';
import { methods } from '../../src/methods.ts';
import type { Kind, Reading } from '../../src/reading.ts';
import type { Summary } from '../../src/recorder/recorder.ts';
import { view } from '../../src/recorder/view.ts';
import { loadRig, type Rig } from '../../src/rig.ts';

let rig: Rig;
beforeAll(async () => {
  const loaded = await loadRig(resolve(import.meta.dirname, '../../rigs/demo'), await catalogue(), methods);
  if (!loaded.ok) throw new Error('the demo is wrong');
  rig = loaded.rig;
});

const link = (name: string, up = true): LinkStatus => ({
  link: name,
  up,
  waiting: 0,
  asked: 10,
  timeouts: 0,
  garbled: 0,
  dropped: 0,
  noise: 0,
  latencyMean: 0.01,
  latencyMax: 0.02,
});
const status: Status = {
  t: 0,
  instruments: { oven: { state: 'silent', why: 'no answer', skipped: 0, failed: 0 } },
  links: [link('a'), link('b'), link('c'), link('d'), link('e'), link('lost', false)],
  leases: ['laser.emission', 'laser.current', 'gas.control', 'cell.setpoint'].map((name) => ({ name, active: false, holder: 'guardian' })),
  latched: 'laser.emission: stop by somebody',
  lateness: 0,
  queued: 0,
  dropped: 0,
  memory: 0,
};
const reading = (from: string, kind: Kind, value: number | boolean | string): Reading => ({
  from,
  kind,
  value,
  t: Date.now() * 1000,
  seq: 0,
  origin: 'simulator',
  quality: 'good',
});
const summary: Summary = {
  session: '/s',
  rig: 'demo',
  began: 0,
  ended: 0,
  channels: {},
  orders: {},
  exchanges: { total: 0, faults: {} },
  points: { written: 0, spooled: 0, set_aside: 0 },
  bytes: { recorded: 0, wire: {} },
  lost: [],
  gaps: [],
  alarms: 0,
  last: {},
};

/** The lines of one picture, and all that was written. */
function picture(columns: number, rows: number, words: readonly string[]): { lines: string[]; all: string } {
  let all = '';
  const sink = new Writable({
    write(chunk, _, done) {
      all += chunk;
      done();
    },
  });
  const out = Object.assign(sink, { columns, rows });
  // A stream with a size is all of a terminal that is used.
  const screen = view(out as unknown as NodeJS.WriteStream, rig, { simulated: true, folder: '/a/folder' });
  for (let i = 0; i < 30; i++) screen.see({ kind: 'reading', reading: reading(`board.counter_${i}`, '1', i) });
  screen.see({ kind: 'reading', reading: reading('laser.emission', 'flag', true) });
  screen.see({ kind: 'reading', reading: reading('laser.output_power', 'W', 40) });
  screen.see({ kind: 'reading', reading: reading('up.chi2', '1', 1) });
  screen.see({ kind: 'reading', reading: reading('up.temperature', 'K', 2000) });
  screen.see({ kind: 'status', status });
  for (const text of words) screen.tell(text);
  const before = all.length;
  screen.draw(() => summary, undefined);
  const drawn = all.slice(before);
  screen.close();
  const plain = drawn.replace(/\x1b\[[0-9;]*[a-zA-Z]/g, '');
  return { lines: plain.split('\r\n'), all: drawn };
}

test('80 x 24: what is latched, what is lost, the temperature and the last words are there', () => {
  const { lines } = picture(80, 24, ['first words', 'last words']);
  expect(lines.length).toBeLessThanOrEqual(23);
  for (const text of [
    'LATCHED: laser.emission',
    'order rig acknowledge',
    'link lost: DOWN',
    'oven: silent',
    'up.temperature',
    'laser.output_power',
  ])
    expect(
      lines.some((l) => l.includes(text)),
      text,
    ).toBe(true);
  expect(lines.at(-1)).toContain('last words');
  expect(lines.findIndex((l) => l.includes('up.temperature'))).toBeLessThan(lines.findIndex((l) => l.includes('up.chi2')));
});

test('a large screen has every link and channel', () => {
  const { lines } = picture(200, 80, ['last words']);
  for (const text of ['link a: up', 'link e: up', 'board.counter_29', 'laser.emission '])
    expect(lines.some((l) => l.includes(text))).toBe(true);
});

test.each([
  [1, 1],
  [5, 3],
  [20, 5],
  [40, 10],
])('%i x %i is not left', (columns, rows) => {
  const { lines } = picture(columns, rows, ['words']);
  expect(lines.length).toBeLessThanOrEqual(rows);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
});

test('a note with control characters stays on its line', () => {
  const { all, lines } = picture(100, 60, ['note (me): one\ntwo\x1b[2J\rthree\x07']);
  expect(all).not.toContain('\x1b[2J');
  expect(lines.at(-1)).toContain('one two [2J three');
});
