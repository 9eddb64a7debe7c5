/** Serves simulated devices and recordings to anybody's software: on a TCP or UDP port, on a pseudo-terminal, or as files in a folder. */
import { spawn } from 'node:child_process';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { close as closeFile, constants, open as openFile } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, isIPv6, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import type { Clock } from './clock.ts';
import { LinkError } from './links/link-error.ts';
import { inWords, plain } from './links/reconnecting.ts';
import { paced } from './links/simulated.ts';
import type { Port } from './simulate.ts';

export interface Served {
  /** As it is written in a rig. */
  readonly address: string;
  close(): Promise<void>;
}

export interface Where {
  readonly host?: string;
  /** 0 takes a free one: see the address. */
  readonly port: number;
}

const UNREAD = 1 << 20; // bytes that a client may leave unread before it is dropped, as a device of small memory does
const LEAVING = 0.05; // seconds in which a client that has gone must have been noticed
const NEVER_SENT = 65536; // bytes that wait for a pseudo-terminal nobody reads: what comes after them is lost, as on a real line

const hear = (ports: readonly Port[], heard: (bytes: Uint8Array, name?: string) => void): (() => void) => {
  const all = ports.map((port) => port.says.subscribe(({ bytes, name }) => heard(bytes, name)));
  return () => {
    for (const one of all) one.unsubscribe();
  };
};

/**
 * The devices on one TCP port. An answer goes to who asked; what nobody asked for, to all. With `oneClient` later ones are refused.
 * Rejects with LINK_LISTEN.
 */
export function serveTcp(ports: readonly Port[], where: Where & { readonly oneClient?: boolean }, clock: Clock): Promise<Served> {
  const { host = '127.0.0.1', port, oneClient = false } = where;
  const clients = new Set<Socket>();
  const give = (client: Socket, bytes: Uint8Array): void => {
    if (client.writableLength > UNREAD) client.destroy();
    else client.write(bytes);
  };
  const take = (client: Socket): void => {
    clients.add(client);
    const own = ports.map((p) => p.talker?.() ?? p);
    const deaf = own.map((talker, i) => (talker === ports[i] ? undefined : talker.says.subscribe(({ bytes }) => give(client, bytes))));
    client.on('close', () => {
      clients.delete(client);
      for (const one of deaf) one?.unsubscribe();
    });
    client.on('data', (bytes) => {
      for (const talker of own) talker.receive(plain(bytes));
    });
  };
  const dropAll = (): void => {
    for (const client of clients) client.resetAndDestroy();
  };
  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => {});
    if (!oneClient || clients.size === 0) {
      take(client);
      return;
    }
    // The end of the client before may be on its way.
    clock.after(LEAVING, () => {
      if (clients.size === 0 && !client.destroyed) take(client);
      else client.resetAndDestroy();
    });
  });
  return new Promise((done, failed) => {
    server.once('error', (error) =>
      failed(new LinkError('LINK_LISTEN', `cannot listen on ${joined('tcp', host, port)}: ${inWords(error)}`, error)),
    );
    server.listen(port, host, () => {
      server.on('error', () => {}); // a client that could not be accepted; the others go on
      const deaf = hear(ports, (bytes) => {
        for (const client of clients) give(client, bytes);
      });
      const breaks = ports.map((p) => p.breaks?.subscribe(dropAll));
      done({
        address: joined('tcp', host, (server.address() as AddressInfo).port), // a TCP server's address is never a path
        close: () =>
          new Promise((closed) => {
            deaf();
            for (const one of breaks) one?.unsubscribe();
            server.close(() => closed());
            for (const client of clients) client.destroy();
          }),
      });
    });
  });
}

const joined = (kind: string, host: string, port: number): string =>
  isIPv6(host) ? `${kind}:[${host}]:${port}` : `${kind}:${host}:${port}`;

const ANSWER = 0.05; // seconds in which an answer is the last sender's
const WAITING = 256; // packets that wait while another sender's question is open
const LISTENERS = 16; // who hears what nobody asked for: the latest senders

/** The devices on one UDP port. An answer goes to who asked; what nobody asked for, to all who have. Rejects with LINK_LISTEN. */
export function serveUdp(ports: readonly Port[], where: Where, clock: Clock): Promise<Served> {
  const { host = '127.0.0.1', port } = where;
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const senders = new Map<string, RemoteInfo>();
  const waiting: { readonly bytes: Uint8Array; readonly from: RemoteInfo }[] = [];
  let open: { readonly from: RemoteInfo; questions: number; cancel: () => void } | undefined;
  const idOf = (from: RemoteInfo): string => `${from.address}:${from.port}`;

  // A port does not say whose question it answers: the questions of different senders go to it one after the other.
  const next = (): void => {
    while (waiting.length > 0) {
      const { bytes, from } = waiting[0];
      if (open && idOf(open.from) !== idOf(from)) return;
      waiting.shift();
      open?.cancel();
      open = {
        from,
        questions: (open?.questions ?? 0) + 1,
        cancel: clock.after(ANSWER, () => {
          open = undefined;
          next();
        }),
      };
      for (const p of ports) p.receive(bytes);
    }
  };
  socket.on('message', (message, from) => {
    const id = idOf(from);
    senders.delete(id);
    senders.set(id, from);
    if (senders.size > LISTENERS) senders.delete(senders.keys().next().value ?? '');
    if (waiting.length < WAITING) waiting.push({ bytes: plain(message), from });
    next();
  });
  const send = (bytes: Uint8Array, to: RemoteInfo): void => socket.send(bytes, to.port, to.address, () => {}); // who has gone hears nothing
  return new Promise((done, failed) => {
    socket.once('error', (error) =>
      failed(new LinkError('LINK_LISTEN', `cannot listen on ${joined('udp', host, port)}: ${inWords(error)}`, error)),
    );
    socket.bind(port, host, () => {
      socket.on('error', () => {});
      const deaf = hear(ports, (bytes) => {
        if (!open) {
          for (const to of senders.values()) send(bytes, to);
          return;
        }
        send(bytes, open.from);
        if (--open.questions > 0) return;
        open.cancel();
        open = undefined;
        next();
      });
      done({
        address: joined('udp', host, socket.address().port),
        close: () =>
          new Promise((closed) => {
            deaf();
            open?.cancel();
            socket.close(() => closed());
          }),
      });
    });
  });
}

const READY = 5; // seconds for socat to begin

/**
 * The devices on a pseudo-terminal at `path`, through socat: it stays while clients come and go. Rejects with LINK_NO_SOCAT where socat
 * is not installed, with LINK_PTY where it cannot make the terminal. With `baud` it is as slow as a line of that rate (10 bits a byte),
 * each way by itself.
 */
export function servePty(
  ports: readonly Port[],
  path: string,
  clock: Clock,
  options: { readonly socat?: string; readonly baud?: number } = {},
): Promise<Served> {
  const line = (): ReturnType<typeof paced> => (options.baud === undefined ? (_, come) => come() : paced(clock, options.baud));
  const [toDevice, toClient] = [line(), line()];
  const child = spawn(options.socat ?? 'socat', ['-d', '-d', `pty,raw,echo=0,link=${path}`, '-'], { stdio: 'pipe' });
  return new Promise((done, failed) => {
    let said = '';
    let ready = false;
    let held: number | undefined;
    let deaf = (): void => {};
    const ended = new Promise<void>((over) => {
      child.on('exit', () => over());
      child.on('error', () => over());
    });
    const fail = (error: LinkError): void => {
      late();
      child.kill();
      failed(error);
    };
    const late = clock.after(READY, () => fail(new LinkError('LINK_PTY', `socat did not open ${path} within ${READY} s: ${said.trim()}`)));
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => {}); // its exit says it
    child.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ENOENT'
          ? new LinkError(
              'LINK_NO_SOCAT',
              'socat is not installed, and pseudo-terminals are made by it: install the package "socat"',
              error,
            )
          : new LinkError('LINK_PTY', `socat cannot be started: ${error.message}`, error),
      ),
    );
    child.on('exit', (code) => {
      deaf();
      release();
      if (!ready) fail(new LinkError('LINK_PTY', `socat cannot open ${path} (code ${code}): ${said.trim().split('\n').at(-1) ?? ''}`));
    });
    const release = (): void => {
      if (held !== undefined) closeFile(held, () => {});
      held = undefined;
    };
    const begin = (): void => {
      ready = true;
      late();
      deaf = hear(ports, (bytes) => {
        toClient(bytes, () => {
          if (held !== undefined && child.stdin.writableLength < NEVER_SENT) child.stdin.write(bytes);
        });
      });
      done({
        address: `serial:${path}`,
        async close() {
          deaf();
          release();
          child.kill();
          await ended;
          await rm(path, { force: true });
        },
      });
    };
    child.stdout.on('data', (bytes: Uint8Array) => {
      toDevice(bytes, () => {
        if (held !== undefined) for (const p of ports) p.receive(plain(bytes));
      });
    });
    child.stderr.on('data', (text: Uint8Array) => {
      if (ready || held !== undefined) return;
      said += String(text);
      if (!said.includes('starting data transfer loop')) return;
      said = '';
      // Held open here, so that socat does not end when a client closes it.
      openFile(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK, (error, file) => {
        if (error) {
          fail(new LinkError('LINK_PTY', `${path} cannot be opened: ${error.message}`, error));
          return;
        }
        held = file;
        begin();
      });
    });
  });
}

/** What the devices say, as files in a folder: each whole at once, under its own name. Rejects with LINK_LISTEN. */
export async function serveFolder(ports: readonly Port[], path: string): Promise<Served> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new LinkError('LINK_LISTEN', `cannot make the folder ${path}: ${inWords(error)}`, error);
  }
  let n = 0;
  let writing = Promise.resolve();
  const deaf = hear(ports, (bytes, name) => {
    const file = join(path, basename(name ?? `file-${String(++n).padStart(6, '0')}`));
    writing = writing
      .then(() => writeFile(`${file}.part`, bytes))
      .then(() => rename(`${file}.part`, file))
      .catch(() => {}); // a full disk loses a file, as it does a camera's
  });
  return {
    address: `folder:${path}`,
    async close() {
      deaf();
      await writing;
    },
  };
}
