/** The commands alarms, acknowledge and shelve, against a rig that writes down what it is asked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acknowledge, alarms, shelve } from '../src/cli/alarms.ts';
import { type Command, EXIT } from '../src/cli/command.ts';
import type { AlarmState, InterlockStatus, Status } from '../src/entry.ts';
import { socketOf, user } from '../src/local.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-alarm-cli-'));
const before = process.env.XDG_RUNTIME_DIR;
let asked: unknown[] = [];
let servers: Server[] = [];
beforeAll(() => {
  process.env.XDG_RUNTIME_DIR = scratch;
});
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  servers = [];
  asked = [];
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(scratch, { recursive: true });
});

/** A rig of this name; `answer` to each request. */
async function rig(answer: (request: { readonly do: string; readonly name?: string }) => unknown, name = 'lab'): Promise<void> {
  const server = createServer((socket) => {
    let held = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (data: string) => {
      held += data;
      const lines = held.split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) {
        const request = JSON.parse(line) as { readonly do: string; readonly name?: string }; // what the commands send
        asked.push(request);
        socket.write(`${JSON.stringify(answer(request))}\n`);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socketOf(name), resolve));
}

async function run(command: Command, ...args: readonly string[]) {
  const said = { out: '', err: '' };
  const code = await command.run(args, { out: (t) => (said.out += t), err: (t) => (said.err += t) });
  return { code, ...said };
}

const NOW = 1_767_225_600_000_000;
const ago = (seconds: number): number => NOW - seconds * 1e6;
const list: readonly AlarmState[] = [
  {
    name: 'silence laser.power',
    now: 'warning',
    severity: 'warning',
    since: ago(40),
    changed: ago(40),
    text: 'no value: below its range',
    unacknowledged: false,
    acknowledged: { by: 'eva', t: ago(30) },
  },
  {
    name: 'link tcp:laser',
    now: 'critical',
    severity: 'critical',
    since: ago(9000),
    changed: ago(9000),
    text: 'no connection',
    unacknowledged: true,
    shelved: { by: 'tom', until: NOW + 600e6, why: 'being mended' },
  },
  { name: 'clock step', severity: 'warning', since: ago(300), changed: ago(300), text: 'set forward by 3600.0 s', unacknowledged: true },
  {
    name: 'hot',
    now: 'alarm',
    severity: 'critical',
    since: ago(5),
    changed: ago(5),
    text: 'cell.temperature is 41.2 °C,\u001b[2J above 35.0 °C',
    guidance: 'look at the chiller',
    unacknowledged: true,
  },
];
const interlocks: readonly InterlockStatus[] = [
  { name: 'door', is: 'holds', since: ago(1000), forbids: ['laser.emission'] },
  {
    name: 'cooling',
    is: 'broken',
    why: 'laser.temperature is 41.2 °C, not below 40.0 °C',
    since: ago(7),
    latched: 'tripped',
    forbids: ['laser.emission', 'laser.current'],
    guidance: 'look at the chiller',
  },
];
const status: Partial<Status> = { t: NOW, alarms: list, interlocks, latched: 'cooling: tripped' };

describe('alarms', () => {
  test('shows what waits first, then the worst; ages by the clock of the rig', async () => {
    await rig(() => ({ ok: true, status }));
    expect(await run(alarms)).toEqual({
      code: EXIT.ok,
      err: '',
      out: `!  alarm     hot                  5 s    cell.temperature is 41.2 °C, [2J above 35.0 °C
                                           was critical
                                           look at the chiller
!  over      clock step           5 min  set forward by 3600.0 s
                                           was warning
                                           waits to be acknowledged
   CRITICAL  link tcp:laser       2.5 h  no connection
                                           shelved by tom for another 10 min: being mended
   warning   silence laser.power  40 s   no value: below its range
                                           acknowledged by eva 30 s ago

LATCHED: cooling: tripped

interlock  door     holds   17 min
interlock  cooling  BROKEN  7 s     laser.temperature is 41.2 °C, not below 40.0 °C
                                      LATCHED: tripped; when it holds: bridgman acknowledge cooling
                                      forbids laser.emission, laser.current
                                      look at the chiller
`,
    });
    expect(asked).toEqual([{ do: 'status' }]);
  });

  test('as JSON', async () => {
    await rig(() => ({ ok: true, status }));
    const { out } = await run(alarms, '--json');
    expect(JSON.parse(out)).toEqual({ alarms: [list[3], list[2], list[1], list[0]], interlocks, latched: 'cooling: tripped' });
  });

  test('of a rig without any', async () => {
    await rig(() => ({ ok: true, status: { t: NOW } }));
    expect(await run(alarms)).toEqual({ code: EXIT.ok, out: 'no alarms\n', err: '' });
  });

  test('of the rig that is named, and of none', async () => {
    await rig(() => ({ ok: true, status: { t: NOW, alarms: [] } }), 'one');
    await rig(() => ({ ok: false, why: 'the host hangs' }), 'two');
    expect(await run(alarms)).toMatchObject({ code: EXIT.host, err: expect.stringContaining('several rigs are running') });
    expect(await run(alarms, '--rig', 'one')).toMatchObject({ code: EXIT.ok });
    expect(await run(alarms, 'two')).toEqual({ code: EXIT.host, out: '', err: 'bridgman: the host hangs\n' });
    expect(await run(alarms, '--rig', 'three')).toMatchObject({
      code: EXIT.host,
      err: expect.stringContaining('no rig "three" is running'),
    });
  });
});

describe('acknowledge', () => {
  const by = user();

  test('each name by itself; what is refused is said and the rest is done', async () => {
    await rig(({ name }) => (name === 'hott' ? { ok: false, why: 'there is no alarm "hott"; did you mean "hot"?' } : { ok: true }));
    expect(await run(acknowledge, 'hott', 'silence laser', 'silence laser')).toEqual({
      code: EXIT.refused,
      out: 'acknowledged: silence laser\n',
      err: 'bridgman: there is no alarm "hott"; did you mean "hot"?\n',
    });
    expect(asked).toEqual([
      { do: 'acknowledge', by, name: 'hott' },
      { do: 'acknowledge', by, name: 'silence laser' },
    ]);
  });

  test('the only one, or all', async () => {
    await rig(() => ({ ok: true }));
    expect(await run(acknowledge)).toMatchObject({ code: EXIT.ok, out: 'acknowledged\n' });
    expect(await run(acknowledge, '--all')).toMatchObject({ code: EXIT.ok });
    expect(asked).toEqual([
      { do: 'acknowledge', by },
      { do: 'acknowledge', by, all: true },
    ]);
    expect(await run(acknowledge, 'hot', '--all')).toMatchObject({ code: EXIT.usage });
  });

  test('where nothing runs', async () => {
    expect(await run(acknowledge, 'hot')).toMatchObject({ code: EXIT.host, err: expect.stringContaining('no rig is running') });
  });
});

describe('shelve', () => {
  const by = user();

  test('for a time, with a reason; and its end', async () => {
    await rig(() => ({ ok: true }));
    expect(await run(shelve, 'silence laser', '--for', '30min', '--because', 'being mended')).toEqual({
      code: EXIT.ok,
      out: 'shelved for 30 min: silence laser\n',
      err: '',
    });
    expect(await run(shelve, 'hot', '--end')).toMatchObject({ code: EXIT.ok, out: 'no longer shelved: hot\n' });
    expect(asked).toEqual([
      { do: 'shelve', by, name: 'silence laser', seconds: 1800, why: 'being mended' },
      { do: 'shelve', by, name: 'hot', seconds: 0, why: 'ended' },
    ]);
  });

  test.each([
    [[], /which alarm\?/],
    [['hot'], /for how long\?/],
    [['hot', '--for', '30min'], /why\?/],
    [['hot', '--for', '30min', '--because', ' '], /why\?/],
    [['hot', '--for', '30', '--because', 'x'], /a time such as 30min/],
    [['hot', '--for', '2 K', '--because', 'x'], /a time such as 30min/],
    [['hot', '--for', '25h', '--because', 'x'], /at most 24 h/],
    [['hot', '--for', '0s', '--because', 'x'], /more than nothing/],
    [['hot', 'cold', '--for', '1h', '--because', 'x'], /one alarm at a time/],
    [['hot', '--for', '1h', '--end'], /either --for, or --end/],
  ])('%j says what is missing', async (args, wanted) => {
    expect(await run(shelve, ...args)).toMatchObject({ code: EXIT.usage, err: expect.stringMatching(wanted) });
    expect(asked).toEqual([]);
  });

  test('refused by the host', async () => {
    await rig(() => ({ ok: false, why: 'there is no alarm "hott"' }));
    expect(await run(shelve, 'hott', '--for', '1h', '--because', 'x')).toEqual({
      code: EXIT.refused,
      out: '',
      err: 'bridgman: there is no alarm "hott"\n',
    });
  });
});
