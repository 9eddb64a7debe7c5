/** modbus-serial at the other end, in both directions and both framings. */
import { once } from 'node:events';
import net from 'node:net';
import ModbusSerial, { type IServiceVector } from 'modbus-serial';
import { SerialPortMock } from 'serialport';
import { afterEach, describe, expect, test } from 'vitest';
import type { ModbusAsk, ModbusTell } from '../../protocols/modbus.ts';
import { modbusRtu } from '../../protocols/modbus-rtu.ts';
import { serveModbus } from '../../protocols/modbus-serve.ts';
import { modbusTcp } from '../../protocols/modbus-tcp.ts';
import { type Decoder, Fault, type Protocol } from '../../protocols/protocol.ts';
import { bankOf } from './modbus-bank.ts';

type Modbus = Protocol<ModbusAsk, ModbusTell>;
const unit = 5;
const SIZE = 200;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What modbus-serial's servers serve: the content of `bankOf`; beyond it exception 2, register 66 is busy. */
function served() {
  const bank = bankOf(SIZE);
  const within = <V>(address: number, value: V): Promise<V> =>
    address >= SIZE || address === 66 ? Promise.reject({ modbusErrorCode: address === 66 ? 6 : 2 }) : Promise.resolve(value);
  const vector: IServiceVector = {
    getCoil: (address: number) => within(address, bank.on[address]),
    getDiscreteInput: (address: number) => within(address, address % 2 === 0),
    getHoldingRegister: (address: number) => within(address, bank.held[address]),
    getInputRegister: (address: number) => within(address, 2000 + address),
    setCoil: (address: number, value: boolean) => within(address, undefined).then(() => void (bank.on[address] = value)),
    setRegister: (address: number, value: number) => within(address, undefined).then(() => void (bank.held[address] = value)),
  };
  return { bank, vector };
}

interface Far {
  write(bytes: Uint8Array): void;
  onData(listener: (bytes: Uint8Array) => void): void;
}

/** Asks one question after another and gives each reply. */
function client(protocol: Modbus, far: Far) {
  const decode: Decoder<ModbusTell> = protocol.tells.decoder();
  let n = 0;
  let hear: (said: ModbusTell | Fault) => void = () => undefined;
  far.onData((bytes) => {
    for (const said of decode(bytes)) hear(said);
  });
  return async (question: ModbusAsk): Promise<ModbusTell> => {
    const q = protocol.number ? protocol.number(question, ++n) : question;
    const heard = new Promise<ModbusTell | Fault>((resolve) => {
      hear = resolve;
    });
    far.write(protocol.asks.encode(q));
    const said = await heard;
    if (said instanceof Fault) throw new Error(`${said.fault}: ${said.bytes}`);
    expect(protocol.fits(said, q)).toBe('answer');
    const { id, ...tell } = said;
    expect(id).toBe(q.id);
    return tell;
  };
}

async function theirTcpServer(vector: IServiceVector): Promise<Far> {
  // Port 0 would be taken for "not given"; as text it is any free port. Its number can be had from the private server only.
  const server = new ModbusSerial.ServerTCP(vector, { host: '127.0.0.1', port: '0' as unknown as number });
  await once(server, 'initialized');
  const { port } = (server as unknown as { _server: net.Server })._server.address() as net.AddressInfo;
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  closing.push(
    () => new Promise((resolve) => server.close(() => resolve())),
    () => new Promise((resolve) => socket.once('close', () => resolve()).destroy()),
  );
  return { write: (bytes) => void socket.write(bytes), onData: (listener) => void socket.on('data', listener) };
}

/** Their serial server on serialport's port in memory; `portResponse` is where it writes its replies. */
async function theirSerialServer(vector: IServiceVector): Promise<Far> {
  const binding = SerialPortMock.binding;
  binding.createPort('/bank', { echo: false });
  let listener: (bytes: Uint8Array) => void = () => undefined;
  const portResponse = { write: (bytes: Uint8Array) => listener(bytes) };
  // Options that its types leave out.
  const options = { path: '/bank', baudRate: 9600, binding, portResponse, interval: 1 } as unknown as { path: string; baudRate: number };
  const server = new ModbusSerial.ServerSerial(vector, options);
  await once(server, 'initialized');
  const { port } = (server as unknown as { getPort(): SerialPortMock }).getPort();
  closing.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { write: (bytes) => void port?.emitData(Buffer.from(bytes)), onData: (on) => void (listener = on) };
}

describe.each([
  ['TCP', modbusTcp, theirTcpServer],
  ['RTU', modbusRtu, theirSerialServer],
] as const)('our client and their %s server', (_name, protocol, server) => {
  test('read and write', async () => {
    const { bank, vector } = served();
    const ask = client(protocol(), await server(vector));
    const bits = (from: number, count: number, n: number) =>
      Array.from({ length: 8 * Math.ceil(count / 8) }, (_, i) => i < count && (from + i) % n === 0);
    expect(await ask({ unit, function: 1, address: 5, count: 19 })).toEqual({ unit, function: 1, values: bits(5, 19, 3) });
    expect(await ask({ unit, function: 2, address: 0, count: 8 })).toEqual({ unit, function: 2, values: bits(0, 8, 2) });
    expect(await ask({ unit, function: 3, address: 70, count: 125 })).toEqual({
      unit,
      function: 3,
      values: Array.from({ length: 125 }, (_, i) => 1070 + i),
    });
    expect(await ask({ unit, function: 4, address: 9, count: 2 })).toEqual({ unit, function: 4, values: [2009, 2010] });
    expect(await ask({ unit, function: 5, address: 1, value: true })).toEqual({ unit, function: 5, address: 1, value: true });
    expect(await ask({ unit, function: 6, address: 2, value: 0xfedc })).toEqual({ unit, function: 6, address: 2, value: 0xfedc });
    const values = [false, true, true, false, false, false, true, false, true, true];
    expect(await ask({ unit, function: 15, address: 10, values })).toEqual({ unit, function: 15, address: 10, count: 10 });
    expect(await ask({ unit, function: 16, address: 20, values: [1, 65535] })).toEqual({ unit, function: 16, address: 20, count: 2 });
    expect(bank.on.slice(10, 20)).toEqual(values);
    expect([bank.on[1], bank.held[2], bank.held[20], bank.held[21]]).toEqual([true, 0xfedc, 1, 65535]);
  });

  test('exceptions', async () => {
    const ask = client(protocol(), await server(served().vector));
    expect(await ask({ unit, function: 3, address: SIZE, count: 1 })).toEqual({ unit, function: 3, exception: 2 });
    expect(await ask({ unit, function: 6, address: 66, value: 1 })).toEqual({ unit, function: 6, exception: 6 });
    expect(await ask({ unit, function: 8, sub: 0, data: [1] })).toEqual({ unit, function: 8, exception: 1 });
    const both: ModbusAsk = { unit, function: 23, address: 0, count: 1, writeAddress: 0, values: [1] };
    expect(await ask(both)).toEqual({ unit, function: 23, exception: 1 });
    expect(await ask({ unit, function: 100, raw: Uint8Array.of(1, 2) })).toEqual({ unit, function: 100, exception: 1 });
    expect(await ask({ unit, function: 3, address: 1, count: 1 })).toEqual({ unit, function: 3, values: [1001] });
  });
});

async function ourServer(protocol: Modbus) {
  const bank = bankOf(SIZE);
  const server = net.createServer((socket) => {
    const decode = protocol.asks.decoder();
    socket.on('data', (bytes) => {
      for (const ask of decode(bytes)) {
        if (ask instanceof Fault) continue;
        const tell = serveModbus(ask, bank);
        if (tell) socket.write(protocol.tells.encode(tell));
      }
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { bank, port: (server.address() as net.AddressInfo).port };
}

type Master = InstanceType<typeof ModbusSerial.default>;

async function overSocket(master: Master, host: string, { port }: { port: number }): Promise<void> {
  const socket = net.connect(port, host);
  await once(socket, 'connect');
  const close = (done: () => void) => socket.once('close', done).destroy(); // a port has it, a socket has not
  await master.connectRTUSocket(Object.assign(socket, { close }));
}

// Of modbus-serial's clients, TcpRTUBuffered (Modbus TCP, too) holds no reply of more than 256 bytes; Telnet knows functions 1 to 16 only.
describe.each([
  ['TCP', (m: Master, ip: string, to: { port: number }) => m.connectTCP(ip, to), modbusTcp, 125, true],
  ['buffered TCP', (m: Master, ip: string, to: { port: number }) => m.connectTcpRTUBuffered(ip, to), modbusTcp, 123, true],
  ['RTU', overSocket, modbusRtu, 125, true],
  ['RTU (Telnet)', (m: Master, ip: string, to: { port: number }) => m.connectTelnet(ip, to), modbusRtu, 125, false],
] as const)('their %s client and our server', (_name, connect, protocol, most, all) => {
  async function connected() {
    const { bank, port } = await ourServer(protocol());
    const master = new ModbusSerial.default();
    await connect(master, '127.0.0.1', { port });
    master.setID(unit);
    master.setTimeout(10_000);
    closing.push(() => new Promise((resolve) => master.close(() => resolve())));
    return { bank, master };
  }

  test('read and write', async () => {
    const { bank, master } = await connected();
    expect((await master.readCoils(5, 19)).data.slice(0, 19)).toEqual(bank.on.slice(5, 24));
    expect((await master.readDiscreteInputs(0, 4)).data.slice(0, 4)).toEqual([true, false, true, false]);
    expect((await master.readHoldingRegisters(70, most)).data).toEqual(bank.held.slice(70, 70 + most));
    expect((await master.readInputRegisters(9, 2)).data).toEqual([2009, 2010]);
    expect(await master.writeCoil(1, true)).toMatchObject({ address: 1, state: true });
    expect(await master.writeRegister(2, 0xfedc)).toMatchObject({ address: 2, value: 0xfedc });
    expect(await master.writeCoils(10, [true, false, true])).toMatchObject({ address: 10, length: 3 });
    expect(await master.writeRegisters(20, [1, 65535])).toMatchObject({ address: 20, length: 2 });
    expect([bank.on[1], bank.held[2], ...bank.on.slice(10, 13), bank.held[20], bank.held[21]]).toEqual([
      ...[true, 0xfedc],
      ...[true, false, true],
      ...[1, 65535],
    ]);
    if (!all) return;
    const both = await new Promise((resolve, reject) =>
      master.writeFC23(unit, 20, 3, 22, 2, [7, 8], (error, got) => (error ? reject(error) : resolve(got.data))),
    );
    expect(both).toEqual([1, 65535, 7]);
    expect(bank.held.slice(22, 24)).toEqual([7, 8]);
  });

  test('exceptions', async () => {
    const { master } = await connected();
    await expect(master.readHoldingRegisters(SIZE, 1)).rejects.toMatchObject({ modbusCode: 2 });
    await expect(master.readHoldingRegisters(0, 126)).rejects.toMatchObject({ modbusCode: 3 });
    await expect(master.writeRegister(SIZE, 1)).rejects.toMatchObject({ modbusCode: 2 });
    if (all) {
      await expect(master.customFunction(65, [1, 2, 3])).rejects.toMatchObject({ modbusCode: 1 });
      await expect(master.maskWriteRegister(0, 1, 2)).rejects.toMatchObject({ modbusCode: 1 });
    }
    expect((await master.readHoldingRegisters(3, 1)).data).toEqual([1003]);
  });
});
