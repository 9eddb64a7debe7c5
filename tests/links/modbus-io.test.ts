/** A rig's own Modbus unit served by modbus-serial, over a real socket. */
import { once } from 'node:events';
import net from 'node:net';
import ModbusSerial, { type IServiceVector } from 'modbus-serial';
import { expect, onTestFinished, test } from 'vitest';
import driver from '../../drivers/modbus-io.ts';
import { acquire } from '../../src/acquire.ts';
import { realClock } from '../../src/clock.ts';
import { exchange, ORDER } from '../../src/exchange.ts';
import { Refused } from '../../src/instrument.ts';
import type { Reading } from '../../src/reading.ts';
import { openReal } from '../../src/rig-open.ts';
import { here } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

const FLOATS = Buffer.alloc(8);
FLOATS.writeFloatBE(21.5, 0);
FLOATS.writeInt32BE(-123456, 4);
const INPUTS = [0, 1, 2, 3].map((i) => FLOATS.readUInt16BE(2 * i));

/** modbus-serial answers function 8 with exception 1: the proof of a unit without it. */
async function unit(held: number[], on: boolean[]): Promise<number> {
  const vector: IServiceVector = {
    getInputRegister: (address: number) => INPUTS[address] ?? 0,
    getHoldingRegister: (address: number) => held[address] ?? 0,
    getCoil: (address: number) => on[address] ?? false,
    getDiscreteInput: (address: number) => address === 3,
    setRegister: (address: number, value: number) => void (held[address] = value),
    setCoil: (address: number, value: boolean) => void (on[address] = value),
  };
  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as net.AddressInfo; // it listens on a port
  free.close();
  await once(free, 'close');
  const server = new ModbusSerial.ServerTCP(vector, { host: '127.0.0.1', port, unitID: 9 });
  await once(server, 'initialized');
  onTestFinished(() => new Promise<void>((done) => server.close(() => done())));
  return port;
}

test('modbus-serial is read and ordered as it holds the values itself', async () => {
  const held = [0, 700, 0, 0, 0, 0];
  const on = [false, true];
  const port = await unit(held, on);
  const options = driver.options.parse({
    unit: 9,
    framing: 'tcp',
    channels: {
      temperature: { input: 0, type: 'f32', unit: '°C', every: 0.05 },
      count: { input: 2, type: 's32', unit: 1, every: 0.05 },
      level: { holding: 1, scale: 0.01, unit: 'm', every: 0.05 },
      pump: { coil: 1, every: 0.05 },
      leak: { discrete: 3, every: 0.05 },
      dry: { discrete: 4, invert: true, every: 0.05 },
    },
    commands: {
      pump: { coil: 1, readback: 'pump' },
      set: { holding: 4, type: 'f32', order: 'CDAB', unit: 'bar' },
      level: { holding: 1, scale: 0.01, unit: 'm' },
    },
  });
  if (options instanceof Refused) throw new Error(options.why);
  const clock = realClock();
  const link = openReal(`tcp:127.0.0.1:${port}`, clock, { base: '.', inProcess: true });
  const wire = exchange(link, driver.links(options).main, clock);
  const latest = new Map<string, Reading>();
  let heard: () => void = () => {};
  const one = acquire({ name: 'far', model: driver, options, roles: { main: wire }, origin: 'hardware' }, clock, {
    reading: (r) => {
      latest.set(r.from, r);
      heard();
    },
    state: () => {},
  });
  onTestFinished(() => {
    one.close();
    wire.close();
  });
  const until = (is: () => boolean): Promise<void> =>
    new Promise((done) => {
      heard = () => {
        if (is()) done();
      };
      heard();
    });
  const value = (channel: string): unknown => {
    const r = latest.get(`far.${channel}`);
    return r?.quality === 'good' ? r.value : r;
  };
  await until(
    () => Object.keys(one.channels).length > 0 && Object.keys(one.channels).every((c) => latest.get(`far.${c}`)?.quality === 'good'),
  );
  expect(Object.fromEntries(Object.keys(one.channels).map((c) => [c, value(c)]))).toEqual({
    temperature: expect.closeTo(294.65, 9),
    count: -123456,
    level: 7,
    pump: true,
    leak: true,
    dry: true,
  });

  const order = (command: string, to: number | boolean): Promise<unknown> =>
    new Promise((done) => {
      const run = { instrument: 'far', by: `order:${command}`, urgency: ORDER, roles: { main: wire }, within: 1, clock } as const;
      runTalk(one.commands[command].talk(one.actors, to, 0, here), run, (end) => done(end.ok ? 'done' : end.why));
    });
  expect([await order('pump', false), await order('set', 12.5e5), await order('level', 1.23)]).toEqual(['done', 'done', 'done']);
  const sent = Buffer.alloc(4);
  sent.writeUInt16BE(held[5], 0);
  sent.writeUInt16BE(held[4], 2);
  expect([on[1], held[1], sent.readFloatBE()]).toEqual([false, 123, 12.5]);
  await until(() => value('pump') === false && value('level') === 1.23);
});
