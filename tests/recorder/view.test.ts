/** The live screen on terminals of any size: what matters is never pushed out, and nothing that others wrote moves the cursor. */
import { resolve } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { virtualClock } from '../../src/clock.ts';
import type { AlarmState, LinkStatus, Status } from '../../src/entry.ts';
import { methods } from '../../src/methods.ts';
import type { Kind, Reading } from '../../src/reading.ts';
import type { Summary } from '../../src/recorder/recorder.ts';
import { type View, view } from '../../src/recorder/view.ts';
import type { StopShown } from '../../src/recorder/view-head.ts';
import { loadRig, type Rig } from '../../src/rig.ts';

let rig: Rig;
beforeAll(async () => {
  const loaded = await loadRig(resolve(import.meta.dirname, '../../rigs/demo'), await catalogue(), methods);
  if (!loaded.ok) throw new Error('the demo is wrong');
  rig = loaded.rig;
});

const clock = virtualClock();
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
  t: clock.now(),
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
function picture(
  columns: number,
  rows: number,
  words: readonly string[],
  more: { readonly status?: Partial<Status>; readonly stop?: StopShown; readonly later?: (screen: View) => void } = {},
): { lines: string[]; all: string } {
  let all = '';
  const sink = new Writable({
    write(chunk, _, done) {
      all += chunk;
      done();
    },
  });
  const out = Object.assign(sink, { columns, rows });
  // A stream with a size is all of a terminal that is used.
  const screen = view(out as unknown as NodeJS.WriteStream, rig, { simulated: true, folder: '/a/folder', key: true, clock });
  for (let i = 0; i < 30; i++) screen.see({ kind: 'reading', reading: reading(`board.counter_${i}`, '1', i) });
  screen.see({ kind: 'reading', reading: reading('laser.emission', 'flag', true) });
  screen.see({ kind: 'reading', reading: reading('laser.output_power', 'W', 40) });
  screen.see({ kind: 'reading', reading: reading('up.chi2', '1', 1) });
  screen.see({ kind: 'reading', reading: reading('up.temperature', 'K', 2000) });
  screen.see({ kind: 'status', status: { ...status, ...more.status } });
  if (more.stop) screen.stop(more.stop);
  more.later?.(screen);
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

test('polls that are skipped stand there by their names', () => {
  const instruments = { lockin: { state: 'running', skipped: 12, failed: 3, behind: { x: 10, amplitude: 2 } } };
  const { lines } = picture(200, 80, [], { status: { instruments } });
  expect(lines.map((l) => l.trim())).toContain('lockin: 12 polls skipped (x 10, amplitude 2), 3 failed');
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

const at = clock.now();
const alarm = (name: string, more: Partial<AlarmState> = {}): AlarmState => ({
  name,
  now: 'alarm',
  severity: 'alarm',
  since: at - 120e6,
  changed: at,
  text: 'laser.temperature is 41.2 °C, not below 40.0 °C',
  unacknowledged: true,
  ...more,
});
const trouble: Partial<Status> = {
  t: at,
  interlocks: [
    {
      name: 'door',
      is: 'broken',
      why: 'guard.door is open, not closed',
      since: at,
      forbids: ['laser.emission'],
      guidance: 'close the hutch',
    },
    { name: 'cooling', is: 'unknown', why: 'chiller.flow: no reading for 2.1 s', since: at, latched: 'it was unknown', forbids: [] },
    { name: 'button', is: 'holds', since: at, forbids: [] },
  ],
  alarms: [
    alarm('seen', { unacknowledged: false, acknowledged: { by: 'ann', t: at } }),
    alarm('chiller', { guidance: 'look at the chiller' }),
    alarm('worst', { severity: 'critical', now: undefined }),
    alarm('asleep', { shelved: { by: 'bob', until: at + 3600e6, why: 'being mended' } }),
  ],
  ramps: [{ output: 'oven.setpoint', state: 'held', from: 300, at: 320, to: 400, unit: 'K', why: 'by ann' }],
  leases: [
    { name: 'laser.emission', active: true, left: 60, evidence: 0.1, holder: 'dead-man board' },
    { name: 'gas.control', active: false, holder: 'guardian' },
  ],
};

test('80 x 24: interlocks with the reason and what to type, alarms that nobody has seen, ramps and holders come before readings', () => {
  const { lines } = picture(80, 24, ['last words'], { status: trouble });
  const where = (text: string): number => lines.findIndex((l) => l.includes(text));
  const order = [
    'SPACE: STOP',
    'LATCHED: laser.emission',
    'interlock door: BROKEN: guard.door is open, not closed',
    'interlock cooling: UNKNOWN: chiller.flow: no reading for 2.1 s',
    'LATCHED, until: bridgman order rig acknowledge cooling',
    '! CRITICAL worst:',
    '! ALARM chiller: laser.temperature is 41.2 °C',
    'lease laser.emission: ON',
    'leases off, held by guardian: gas.control',
    'ramp oven.setpoint: held, 320 K on the way from 300 K to 400 K: by ann',
    'up.temperature',
    '  ALARM seen:',
  ].map(where);
  expect(
    order.every((n) => n >= 0),
    lines.join('\n'),
  ).toBe(true);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(where('asleep')).toBeGreaterThan(where('up.temperature'));
});

test('a very small screen has the worst, and says that there is more', () => {
  const { lines } = picture(60, 8, [], { status: trouble });
  expect(lines.some((l) => l.includes('LATCHED: laser.emission'))).toBe(true);
  expect(lines.some((l) => /and \d+ more of these/.test(l))).toBe(true);
});

test('a stop, in letters that are seen: under way, read back, and what does not answer; gone when it is acknowledged', () => {
  const by = 'ann';
  const text = (stop: StopShown, later?: (screen: View) => void): string => picture(80, 24, [], { stop, later }).lines.join('\n');
  expect(text({ by, unsafe: [], over: false })).toContain('S T O P  by ann: under way');
  expect(text({ by, unsafe: [], over: true })).toContain('S T O P P E D,  read back');
  const bad = text({ by, unsafe: [{ name: 'laser.emission', why: 'link down' }], over: true });
  expect(bad).toContain('N O   A N S W E R  from laser.emission:  USE THE WALL BUTTON');
  expect(bad).toContain('(link down)');
  const acknowledged = text({ by, unsafe: [], over: true }, (screen) => {
    clock.advance(3);
    screen.see({ kind: 'status', status: { ...status, t: clock.now(), latched: undefined } });
  });
  expect(acknowledged).not.toContain('S T O P P E D');
});

test('a guidance with control characters stays on its line', () => {
  const { all } = picture(100, 60, [], { status: { alarms: [alarm('x', { text: 'a\x1b[2Jb', guidance: 'c\nd' })] } });
  expect(all).not.toContain('\x1b[2J');
});
