/** net-snmp (Debian's snmp and snmpd): its programs ask and set the simulated crate, and our codec asks its agent. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import mpod from '../../drivers/wiener-mpod.ts';
import { named, type SnmpAsk, type SnmpTell, snmp } from '../../protocols/snmp.ts';
import simulated from '../../simulators/wiener-mpod.ts';
import { acquire } from '../../src/acquire.ts';
import { realClock } from '../../src/clock.ts';
import { exchange, ORDER } from '../../src/exchange.ts';
import { udpLink } from '../../src/links/udp.ts';
import { serveUdp } from '../../src/serve.ts';
import { universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';
import { goes } from '../links/wait.ts';

const found = (program: string): string | undefined =>
  [...(process.env.PATH ?? '').split(':'), '/usr/sbin'].map((folder) => join(folder, program)).find((file) => existsSync(file));
const programs = found('snmpget') !== undefined;
const agent = found('snmpd');

const ENTRY = '1.3.6.1.4.1.19947.1.3.2.1';
const SYS_DESCR = '1.3.6.1.2.1.1.1.0';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function served(options = {}): Promise<string> {
  const { ports } = universe(1, realClock()).device('hv', simulated, options);
  const one = await serveUdp([ports.main], { port: 0 }, realClock());
  closing.push(() => one.close());
  return one.address;
}
/** What a program of net-snmp prints, numbers as numbers and names as numbers; its complaint where it fails. */
const run = (program: string, ...args: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    execFile(found(program) ?? program, ['-m', '', '-On', '-t', '5', '-r', '1', ...args], { timeout: 30_000 }, (_error, out, err) =>
      resolve(`${out}${err}`.trim()),
    );
  });

describe.skipIf(!programs)('net-snmp asks the simulated crate (skipped without snmpget)', () => {
  test('snmpget reads strings, numbers, bits and floats', async () => {
    const at = await served();
    expect(await run('snmpget', '-v2c', '-c', 'public', '-Oqv', at, SYS_DESCR)).toMatch(/^"?WIENER MPOD \(4388090, /);
    expect(await run('snmpget', '-v2c', '-c', 'public', at, `${ENTRY}.2.1`, `${ENTRY}.9.1`, `${ENTRY}.13.1`, `${ENTRY}.4.101`)).toBe(
      [
        `.${ENTRY}.2.1 = STRING: "U0"`,
        `.${ENTRY}.9.1 = INTEGER: 0`,
        `.${ENTRY}.13.1 = Opaque: Float: 50.000000`,
        `.${ENTRY}.4.101 = Hex-STRING: 00 00`,
      ].join('\n'),
    );
    expect(await run('snmpget', '-v2c', '-c', 'public', at, `${ENTRY}.5.77`)).toContain('No Such Instance');
    expect(await run('snmpget', '-v1', '-c', 'public', at, `${ENTRY}.5.77`)).toContain('noSuchName');
  });
  test('snmpset sets with the community that may, and is refused with the other', async () => {
    const at = await served();
    expect(await run('snmpset', '-v2c', '-c', 'guru', at, `${ENTRY}.10.1`, 'F', '1234.5')).toBe(
      `.${ENTRY}.10.1 = Opaque: Float: 1234.500000`,
    );
    expect(await run('snmpget', '-v2c', '-c', 'public', at, `${ENTRY}.10.1`)).toBe(`.${ENTRY}.10.1 = Opaque: Float: 1234.500000`);
    expect(await run('snmpset', '-v2c', '-c', 'guru', at, `${ENTRY}.9.1`, 'i', '1')).toBe(`.${ENTRY}.9.1 = INTEGER: 1`);
    expect(await run('snmpset', '-v2c', '-c', 'public', at, `${ENTRY}.10.1`, 'F', '1')).toContain('noAccess');
    expect(await run('snmpset', '-v2c', '-c', 'guru', at, `${ENTRY}.10.1`, 'F', '99999')).toContain('wrongValue');
    expect(await run('snmpset', '-v1', '-c', 'guru', at, `${ENTRY}.10.1`, 'i', '3')).toContain('badValue');
  });
  test.each(['snmpwalk', 'snmpbulkwalk'])('%s goes through the table to its end', async (program) => {
    const at = await served({ modules: 3, outputs: 4 });
    const lines = (await run(program, '-v2c', '-c', 'public', at, '1.3.6.1.4.1.19947')).split('\n');
    expect(lines.filter((line) => line.startsWith(`.${ENTRY}.2.`))).toHaveLength(12);
    expect(lines.filter((line) => line.startsWith(`.${ENTRY}.5.`) && /= Opaque: Float: -?0\.0\d+$/.test(line))).toHaveLength(12);
    expect(lines.at(-1)).toMatch(/No more variables/);
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((done) => socket.close(done));
  return port;
}

/** snmpd as a plain user's program, on a port of its own, with nothing but its own folder. */
async function snmpd(program: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'snmpd-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  writeFileSync(join(folder, 'snmpd.conf'), 'rocommunity public\nrwcommunity guru\nsysdescr a cupboard with sockets\n');
  const child: ChildProcess = spawn(
    program,
    ['-f', '-Lo', '-C', '-c', join(folder, 'snmpd.conf'), '-p', join(folder, 'pid'), `udp:127.0.0.1:${port}`],
    {
      env: { ...process.env, SNMP_PERSISTENT_DIR: folder, SNMPCONFPATH: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  closing.push(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  let said = '';
  await new Promise<void>((ready, failed) => {
    const hear = (text: unknown): void => {
      said += String(text);
      if (/NET-SNMP version/.test(said)) ready();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('exit', () => failed(new Error(`snmpd has ended: ${said}`)));
    child.on('error', failed);
  });
  return port;
}

describe.skipIf(agent === undefined)('our codec asks the agent of net-snmp (skipped without snmpd)', () => {
  async function opened(): Promise<{ ask(q: SnmpAsk): Promise<SnmpTell | string>; wire: ReturnType<typeof exchange> }> {
    const clock = realClock();
    const link = udpLink({ host: '127.0.0.1', port: await snmpd(agent ?? ''), told: () => {} }, clock);
    closing.push(() => link.close());
    await goes(link, true);
    const wire = exchange(link, snmp(), clock);
    return {
      wire,
      ask: (q) =>
        new Promise((done) => {
          wire.submit({
            ...{ instrument: 'agent', role: 'main', by: 'test', q, reply: true, within: 10, urgency: ORDER },
            done: (end) => done(end.ok ? (end.m as SnmpTell) : end.why), // of this protocol
          });
        }),
    };
  }
  const of = (kind: 'get' | 'next', ...names: readonly string[]): SnmpAsk => ({ community: 'public', kind, bindings: named(names) });

  test('get, next, bulk, set and what is not there', async () => {
    const { ask } = await opened();
    const text = { type: 'octets', value: Uint8Array.from('a cupboard with sockets', (c) => c.charCodeAt(0)) };
    expect(await ask(of('get', SYS_DESCR))).toMatchObject({ version: 'v2c', error: 0, bindings: [{ name: SYS_DESCR, value: text }] });
    expect(await ask({ ...of('get', SYS_DESCR), version: 'v1' })).toMatchObject({ version: 'v1', bindings: [{ value: text }] });
    expect(await ask(of('next', '1.3.6.1.2.1.1'))).toMatchObject({ bindings: [{ name: SYS_DESCR, value: text }] });
    expect(await ask(of('get', '1.3.6.1.2.1.1.99.0'))).toMatchObject({
      error: 0,
      bindings: [{ value: { type: expect.stringMatching(/^noSuch/) } }],
    });
    expect(await ask({ ...of('get', '1.3.6.1.2.1.1.99.0'), version: 'v1' })).toMatchObject({ error: 2, errorIndex: 1 });
    const bulk = await ask({ community: 'public', kind: 'bulk', once: 1, most: 8, bindings: named(['1.3.6.1.2.1.1.2', '1.3.6.1.2.1.1']) });
    if (typeof bulk === 'string') throw new Error(bulk);
    expect(bulk.bindings).toHaveLength(9);
    // sysObjectID is an object identifier, sysUpTime a count of hundredths of a second
    expect(bulk.bindings[0]).toMatchObject({
      name: '1.3.6.1.2.1.1.2.0',
      value: { type: 'oid', value: expect.stringMatching(/^1\.3\.6\.1\.4\.1\.8072\./) },
    });
    expect(bulk.bindings[3]).toMatchObject({ name: '1.3.6.1.2.1.1.3.0', value: { type: 'ticks' } });
    const name = '1.3.6.1.2.1.1.5.0';
    const value = { type: 'octets', value: Uint8Array.of(0x68, 0x76) } as const;
    expect(await ask({ community: 'public', kind: 'set', bindings: [{ name, value }] })).toMatchObject({ error: expect.any(Number) });
    expect(await ask({ community: 'guru', kind: 'set', bindings: [{ name, value }] })).toMatchObject({
      error: 0,
      bindings: [{ name, value }],
    });
    expect(await ask(of('get', name))).toMatchObject({ bindings: [{ value }] });
    expect(await ask({ community: 'guru', kind: 'set', bindings: [{ name, value: { type: 'integer', value: 1 } }] })).toMatchObject({
      error: 7,
    });
  });

  test('an opaque float is the number that the agent also gives as text', async () => {
    const { ask } = await opened();
    // UCD-SNMP-MIB: laLoad.1 and laLoadFloat.1
    const m = await ask(of('get', '1.3.6.1.4.1.2021.10.1.3.1', '1.3.6.1.4.1.2021.10.1.6.1'));
    if (typeof m === 'string') throw new Error(m);
    const [text, float] = m.bindings.map((b) => b.value);
    if (text.type !== 'octets' || float.type !== 'float') throw new Error(`${text.type} and ${float.type}`);
    expect(float.value).toBeCloseTo(Number(String.fromCharCode(...text.value)), 2);
  });

  test('the driver refuses what is no crate', async () => {
    const { wire } = await opened();
    const options = mpod.options.parse({});
    if (options instanceof Refused) throw new Error(options.why);
    const why = await new Promise<string>((done) => {
      const one = acquire({ name: 'hv', model: mpod, options, roles: { main: wire }, origin: 'hardware' }, realClock(), {
        reading: () => {},
        state: (_, state) => {
          if (state.is === 'refused') done(state.why);
        },
      });
      closing.push(() => one.close());
    });
    expect(why).toBe('"a cupboard with sockets" is no WIENER crate');
  });
});
