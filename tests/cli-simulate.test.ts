import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { modbusRtu } from '../protocols/modbus-rtu.ts';
import { fromLatin1, latin1 } from '../protocols/protocol.ts';
import { rbcp } from '../protocols/rbcp.ts';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { simulate, simulating } from '../src/cli/simulate.ts';
import { realClock } from '../src/clock.ts';
import type { Link } from '../src/link.ts';
import { openLink, parseAddress } from '../src/links/open.ts';
import { methods } from '../src/methods.ts';
import { loadRig } from '../src/rig.ts';
import { program } from './links/require.ts';
import { goes } from './links/wait.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-simulate-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = (name: string): string => {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
};

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Serves, does the work once it is served, and ends. */
async function served(args: readonly string[], work: (lines: readonly string[]) => Promise<unknown> = async () => {}): Promise<Run> {
  let [out, err] = ['', ''];
  const io = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const code = await simulating(args, io, () => work(out.trimEnd().split('\n')));
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+\)|node:internal|undefined|NaN/);
  return { code, out, err };
}

const portOf = (line = ''): number => Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
const open = (port: number): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => done(socket));
    socket.once('error', failed);
  });
/** Writes, and resolves with what has come once that ends with `end`. */
function ask(socket: Socket, question: string, end: string): Promise<string> {
  let got = '';
  return new Promise((done, failed) => {
    const heard = (bytes: Buffer): void => {
      got += latin1(bytes);
      if (!got.endsWith(end)) return;
      socket.off('data', heard);
      done(got);
    };
    socket.on('data', heard);
    socket.once('close', () => failed(new Error(`closed after "${got}"`)));
    socket.write(question, 'latin1');
  });
}

function opened(address: string): Link {
  const parsed = parseAddress(address);
  if (typeof parsed === 'string') throw new Error(parsed);
  return openLink(parsed, realClock(), { inProcess: true });
}
/** The first that arrives after the bytes have been written (none: whatever comes first), as many bytes as wanted. */
async function reply(link: Link, bytes: Uint8Array | undefined, count: number): Promise<Uint8Array> {
  await goes(link, true);
  const got: number[] = [];
  return new Promise((done) => {
    link.arrivals.subscribe((a) => {
      got.push(...a.bytes);
      if (got.length >= count) done(Uint8Array.from(got));
    });
    if (bytes) expect(link.write(bytes)).toBe(true);
  });
}

describe('a model', () => {
  test('on TCP: says where it listens first; clients share one instrument', async () => {
    let port = 0;
    const { code, err } = await served(['druck-pace', '--tcp', '127.0.0.1:0'], async ([first]) => {
      expect(first).toMatch(/^druck-pace on tcp 127\.0\.0\.1:\d+$/);
      port = portOf(first);
      const a = await open(port);
      expect(await ask(a, '*IDN?\n', '\n')).toContain('Druck');
      await ask(a, ':SOUR:PRES 2.5\n:SOUR:PRES?\n', '\n');
      const b = await open(port);
      expect(await ask(b, ':SOUR:PRES?\n', '\n')).toMatch(/ 2\.50*\n$/);
      a.destroy();
      b.destroy();
    });
    expect(code).toBe(EXIT.ok);
    expect(err).toBe('');
    await expect(open(port)).rejects.toThrow('ECONNREFUSED');
  });

  test('with --json one object a line; options by --set', async () => {
    const firmware = async (...more: string[]): Promise<string> => {
      let said = '';
      await served(['ipg-ylr', '--json', ...more], async ([first = '']) => {
        const where: unknown = JSON.parse(first);
        expect(where).toEqual({ name: 'ipg-ylr', kind: 'tcp', address: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/) });
        said = await ask(await open(portOf(first)), 'RFV\r', '\r');
      });
      return said;
    };
    expect(await firmware()).toBe('RFV: 1.0.53\r');
    expect(await firmware('--set', 'family=yar', '--set=power=20')).toBe('RFV: 2.4.8\r');
  });

  test('takes one client with --one-client', async () => {
    await served(['ipg-ylr', '--one-client'], async ([first]) => {
      const one = await open(portOf(first));
      await ask(one, 'STA\r', '\r');
      const other = await open(portOf(first));
      await new Promise((refused) => other.on('error', () => {}).once('close', refused));
      expect(await ask(one, 'RFV\r', '\r')).toContain('RFV');
    });
  });

  test('takes one client for the stream of a SiTCP board, as the board does', async () => {
    await served(['sitcp-board', '--udp', '127.0.0.1:0', '--tcp', ':0'], async (lines) => {
      const port = portOf(lines.find((l) => l.includes(' tcp ')));
      const one = await open(port);
      const frames = new Promise((came) => one.once('data', came));
      const other = await open(port);
      await new Promise((refused) => other.on('error', () => {}).once('close', refused));
      expect(Buffer.isBuffer(await frames)).toBe(true);
    });
  });

  test('with two links listens on both, each named', async () => {
    await served(['sitcp-board', '--udp', '127.0.0.1:0', '--tcp', ':0'], async (lines) => {
      expect(lines.map((l) => l.replace(/\d+$/, 'N')).sort()).toEqual([
        'sitcp-board control on udp 127.0.0.1:N',
        'sitcp-board data on tcp 127.0.0.1:N',
      ]);
      const at = (kind: string): string => `${kind}:127.0.0.1:${portOf(lines.find((l) => l.includes(` ${kind} `)))}`;
      const control = opened(at('udp'));
      const answer = await reply(control, rbcp().asks.encode({ command: 'read', address: 0, length: 4, id: 7 }), 12);
      expect([...answer]).toEqual([0xff, 0xc8, 7, 4, 0, 0, 0, 0, 0x20, 0x26, 0x01, 0x01]);
      const data = opened(at('tcp'));
      expect([...(await reply(data, undefined, 4)).subarray(0, 4)]).toEqual([0x5a, 0x5a, 0xa5, 0xa5]);
      control.close();
      data.close();
    });
  });

  test('of files writes them into --folder', async () => {
    const path = folder('spectra');
    await served(['princeton-spe', '--folder', path], async ([first]) => {
      expect(first).toBe(`princeton-spe on folder ${path}`);
      const link = opened(`folder:${path}?pattern=*.spe&existing=take`);
      expect((await reply(link, undefined, 1)).length).toBeGreaterThan(4100); // a header and something behind it
      link.close();
    });
  });

  test.skipIf(!program('socat', '-V'))('on a pseudo-terminal (needs socat), which is gone at the end', async () => {
    const path = join(folder('pty'), 'laser');
    const { code } = await served(['ipg-ylr', '--pty', path], async ([first]) => {
      expect(first).toBe(`ipg-ylr on serial ${path}`);
      const link = opened(`serial:${path}?baud=57600`);
      expect(latin1(await reply(link, fromLatin1('RFV\r'), 12))).toBe('RFV: 1.0.53\r');
      link.close();
    });
    expect(code).toBe(EXIT.ok);
    expect(existsSync(path)).toBe(false);
  });
});

describe('what cannot be is said in words', () => {
  test.each([
    [[], /model such as ipg-ylr/],
    [['ipg-yrl'], /did you mean "ipg-ylr"\?/],
    [['ipg-ylr', 'druck-pace'], /one model or rig at a time/],
    [['ipg-ylr', '--tcp', 'localhost'], /--tcp is HOST:PORT/],
    [['ipg-ylr', '--tcp', '127.0.0.1:65536'], /--tcp is HOST:PORT/],
    [['ipg-ylr', '--udp', ':0'], /not served on --udp: give it --tcp or --pty/],
    [['sitcp-board', '--folder', '/tmp/x'], /not served on --folder: give it --tcp or --pty and --udp/],
    [['princeton-spe'], /say where with --folder PATH/],
    [['princeton-spe', '--folder', '/tmp/x', '--one-client'], /no such link/],
    [['ipg-ylr', '--seed', '1.5'], /--seed is a whole number/],
    [['ipg-ylr', '--set', 'famly=yar'], /no option "famly" \(did you mean family\?\)/],
    [['ipg-ylr', '--set', 'family'], /NAME=VALUE/],
    [['ipg-ylr', '--set'], /--set needs a value/],
    [['ipg-ylr', '--set', 'family=other'], /family: must be one of ylr, yar, not "other"/],
    [['ipg-ylr', '--set', 'family=[yar'], /not valid YAML/],
    [['ipg-ylr', '--set', 'family=yar', '--set', 'family=ylr'], /given twice/],
    [['ipg-ylr', '--write', 'x.yaml'], /--write is for a rig/],
    [['ipg-ylr', '--as-written'], /--as-written is for a rig/],
    [['rigs/demo', '--tcp', ':0'], /--tcp is for a model/],
    [['rigs/demo', '--set', 'a=1'], /--set is for a model/],
  ])('%j', async (args, words) => {
    const { code, out, err } = await served(args);
    expect([code, out]).toEqual([EXIT.usage, '']);
    expect(err).toMatch(words);
  });

  test('a port in use, and a terminal that cannot be made', async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const busy = await served(['ipg-ylr', '--tcp', `127.0.0.1:${port}`]);
    taken.close();
    expect(busy).toMatchObject({ code: EXIT.failed, out: '' });
    expect(busy.err).toContain('already in use');

    const nowhere = await served(['ipg-ylr', '--pty', join(scratch, 'none/laser')]);
    expect(nowhere).toMatchObject({ code: EXIT.failed, out: '' });
    expect(nowhere.err).toContain('is not there or cannot be written');

    const file = join(scratch, 'a-file');
    writeFileSync(file, 'kept');
    expect((await served(['ipg-ylr', '--pty', file])).err).toContain('something else of that name');
    expect(readFileSync(file, 'utf8')).toBe('kept');
  });

  test('a rig that is none, and one that is wrong', async () => {
    expect(await served([join(scratch, 'no/rig')])).toMatchObject({
      code: EXIT.rig,
      err: expect.stringContaining('there is no such file'),
    });
    const path = folder('wrong');
    writeFileSync(join(path, 'rig.yaml'), 'rig: wrong\ninstruments:\n  laser: { model: ipg, link: simulated }\n');
    const { code, err } = await served([path]);
    expect(code).toBe(EXIT.rig);
    expect(err).toMatch(/rig\.yaml:3:19: there is no model "ipg"/);
  });
});

const HALL = `# kept as it is
rig: hall
sessions: data
links:
  bus: &bus tcp:192.168.0.9:502 # of the ovens
instruments:
  laser: { model: ipg-ylr, link: 'tcp:192.168.0.5:10001', leases: { emission: unused, current: unused } }
  cell: { model: eurotherm-2000, link: bus, options: { unit: 1 }, leases: { setpoint: unused } }
  line: { model: eurotherm-2000, link: *bus, options: { unit: 2 }, leases: { setpoint: unused } }
  board:
    model: sitcp-board
    links:
      control: udp:192.168.10.16:4660
      data: tcp:192.168.10.16:24
  camera: { model: princeton-spe, link: folder:spectra?pattern=*.spe }
  adapter: { model: prologix-gpib, link: tcp:192.168.0.7:1234 }
  gas: { model: druck-pace, link: gpib:adapter/12, leases: { control: unused } }
  twin: { model: druck-pace, link: simulated, leases: { control: unused } }
  notes: { model: operator, options: { values: { gap: { unit: m } } } }
derive:
  t: { method: planck-ml, spectrum: camera.spectrum, window: [600 nm, 800 nm], calibration: { lamp: lamp.txt, temperature: 2255 K } }
`;

describe('a rig', () => {
  const hall = (name: string): string => {
    const path = folder(name);
    writeFileSync(join(path, 'rig.yaml'), HALL);
    writeFileSync(join(path, 'lamp.txt'), Array.from({ length: 200 }, (_, i) => `${600 + 1.5 * i} ${1000 + i}`).join('\n'));
    return path;
  };

  test('is served wire by wire, and its copy leads there', async () => {
    const path = hall('hall');
    const copy = join(folder('elsewhere'), 'served.yaml');
    const { code, err } = await served([path, '--write', copy, '--json'], async (lines) => {
      const said = lines.map((line) => JSON.parse(line) as Readonly<Record<string, string>>); // checked below
      expect(said.map(({ name, rig }) => name ?? rig)).toEqual([
        'laser',
        'cell and line',
        'board control',
        'board data',
        'camera',
        'adapter',
        'twin',
        'gas',
        copy,
      ]);
      const link = (name: string): string => said.find((s) => s.name === name)?.link ?? '';
      expect(link('camera')).toMatch(/^folder:\/.*\/camera\?pattern=\*\.spe&origin=simulator$/);

      const changed = new Map([
        ["'tcp:192.168.0.5:10001'", link('laser')],
        ['&bus tcp:192.168.0.9:502', link('cell and line')],
        ['*bus', link('cell and line')],
        ['udp:192.168.10.16:4660', link('board control')],
        ['tcp:192.168.10.16:24', link('board data')],
        ['folder:spectra?pattern=*.spe', link('camera')],
        ['tcp:192.168.0.7:1234', link('adapter')],
        ['simulated', link('twin')],
        ['lamp.txt', join(path, 'lamp.txt')],
      ]);
      let wanted = HALL;
      for (const [from, to] of changed) wanted = wanted.replace(from, `${from.startsWith('&') ? '&bus ' : ''}"${to}"`);
      const text = readFileSync(copy, 'utf8');
      expect(text.slice(text.indexOf('\n') + 1)).toBe(wanted);
      expect(text).toMatch(/^# hall with served simulators/);

      const loaded = await loadRig(copy, await catalogue(), methods);
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.messages));
      expect(loaded.rig.instruments.find((i) => i.name === 'gas')?.links.main?.address).toBe('gpib:adapter/12');

      // Both ovens answer on their one wire, each to its own address.
      const bus = opened(link('cell and line'));
      for (const unit of [1, 2]) {
        const q = modbusRtu().asks.encode({ unit, function: 3, address: 1, count: 1 });
        const answer = await reply(bus, q, 7);
        expect([...answer.subarray(0, 3)]).toEqual([unit, 3, 2]);
      }
      bus.close();

      // The gas controller answers behind the adapter.
      const adapter = await open(portOf(link('adapter')));
      expect(await ask(adapter, '++auto 0\n++addr 12\n*IDN?\n++read eoi\n', '\n')).toContain('Druck');
      adapter.destroy();
    });
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    expect(existsSync(copy)).toBe(true);
  });

  test.skipIf(!program('socat', '-V'))('has its serial links as pseudo-terminals (needs socat), with their settings', async () => {
    const path = folder('serial');
    const rig = `rig: serial
links: { bus: serial:/dev/ttyUSB7?baud=19200&duplex=half }
instruments:
  cell: { model: eurotherm-2000, link: bus, options: { unit: 3 }, leases: { setpoint: unused } }
`;
    writeFileSync(join(path, 'rig.yaml'), rig);
    const copy = join(path, 'served.yaml');
    const terminals = join(path, 'terminals');
    const { code } = await served([path, '--pty', terminals, '--write', copy], async ([first]) => {
      expect(first).toBe(`cell on serial ${terminals}/bus   serial:${terminals}/bus?baud=19200&duplex=half&origin=simulator`);
      expect(readFileSync(copy, 'utf8')).toContain(`bus: "serial:${terminals}/bus?baud=19200&duplex=half&origin=simulator" }`);
      expect(lstatSync(join(terminals, 'bus')).isSymbolicLink()).toBe(true);
      const link = opened(`serial:${terminals}/bus?baud=19200&duplex=half`);
      const answer = await reply(link, modbusRtu().asks.encode({ unit: 3, function: 3, address: 1, count: 1 }), 7);
      expect([...answer.subarray(0, 3)]).toEqual([3, 3, 2]);
      link.close();
    });
    expect(code).toBe(EXIT.ok);
  });

  test('--as-written takes the ports of the rig, and says which is in use', async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const path = folder('as-written');
    writeFileSync(
      join(path, 'rig.yaml'),
      `rig: own\ninstruments:\n  laser: { model: ipg-ylr, link: "tcp:192.168.0.5:${port}", leases: { emission: unused, current: unused } }\n`,
    );
    const busy = await served([path, '--as-written']);
    expect(busy).toMatchObject({ code: EXIT.failed, err: expect.stringContaining(`tcp:127.0.0.1:${port}: the port is already in use`) });
    await new Promise((closed) => taken.close(closed));
    const free = await served([path, '--as-written'], async ([first]) => {
      expect(first).toContain(`laser on tcp 127.0.0.1:${port}`);
      expect(await ask(await open(port ?? 0), 'RFV\r', '\r')).toContain('RFV');
    });
    expect(free.code).toBe(EXIT.ok);
  });

  test('its copy is refused where it would overwrite the rig, and warned of where it has a database', async () => {
    const path = folder('copies');
    writeFileSync(
      join(path, 'rig.yaml'),
      'rig: own\ninflux: http://localhost:8086/lab\ninstruments:\n  laser: { model: ipg-ylr, link: simulated, leases: { emission: unused, current: unused } }\n',
    );
    expect(await served([path, '--write', join(path, 'rig.yaml')])).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('overwrite'),
    });
    expect(await served([path, '--write', join(path, 'no/served.yaml')])).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('cannot be written to'),
    });
    expect(await served([path, '--write', join(path, 'served.yaml')])).toMatchObject({
      code: EXIT.ok,
      err: expect.stringContaining('--influx'),
    });
  });
});

test('the command itself ends with Ctrl-C', async () => {
  let out = '';
  let first = (): void => {};
  const there = new Promise<void>((done) => {
    first = done;
  });
  const before = process.listeners('SIGINT');
  const ended = simulate.run(['ipg-ylr'], {
    out(text) {
      out += text;
      first();
    },
    err: () => {},
  });
  await there;
  await open(portOf(out)).then((socket) => socket.destroy());
  const added = process.listeners('SIGINT').filter((listener) => !before.includes(listener));
  expect(added).toHaveLength(1);
  for (const listener of added) listener('SIGINT');
  expect(await ended).toBe(EXIT.ok);
  await expect(open(portOf(out))).rejects.toThrow('ECONNREFUSED');
});
