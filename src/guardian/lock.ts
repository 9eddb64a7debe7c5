/** Never two guardians: names in the kernel's abstract sockets, which are free again at the very moment in which their process dies. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { LocalError } from '../local.ts';

export interface Lock {
  release(): void;
}

/** Who holds a lock, as it says itself. */
export interface Holder {
  readonly rig: string;
  readonly pid: number;
  readonly user: string;
  readonly since: string;
  readonly session?: string;
}

const ANSWER = 1000; // ms in which a holder that lives says who it is
const TRIES = 5; // a holder may go between our two looks

/** One lock for all runs that share a folder of sockets and a name. */
export const socketKey = (socket: string): string => `socket ${socket}`;

/** One for the rig's folder, whoever runs it and under whatever name it is found: the instruments are the same. */
export async function folderKey(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `rig ${dev} ${ino}`;
}

/**
 * Takes all of them or none, in order. Throws LOCAL_RUNNING with who runs. Elsewhere than on Linux there are no such sockets, and the
 * local socket alone tells of another run.
 */
export async function takeLocks(keys: readonly string[], holder: () => Holder): Promise<Lock> {
  const held: Server[] = [];
  const release = (): void => {
    for (const server of held) server.close();
  };
  if (process.platform !== 'linux') return { release };
  for (const key of keys) {
    for (let tries = 1; ; tries++) {
      const server = await listen(nameOf(key), holder);
      if (server) {
        held.push(server);
        break;
      }
      const other = await ask(nameOf(key));
      if (other === 'gone' && tries < TRIES) continue;
      release();
      throw new LocalError('LOCAL_RUNNING', `this rig is already running: ${described(other)}`);
    }
  }
  return { release };
}

const nameOf = (key: string): string => `\0bridgman ${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;

const described = (other: Holder | 'gone' | 'silent'): string =>
  typeof other === 'string'
    ? 'its guardian does not say who it is (is it stopped?)'
    : `process ${other.pid} of ${other.user} runs ${other.rig} since ${other.since}${other.session === undefined ? '' : `, session ${other.session}`}`;

/** Undefined where somebody else has the name. */
function listen(name: string, holder: () => Holder): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${JSON.stringify(holder())}\n`);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => {
      server.unref(); // a lock keeps no run from its end
      resolve(server);
    });
  });
}

function ask(name: string): Promise<Holder | 'gone' | 'silent'> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(name);
    const end = (answer: Holder | 'gone' | 'silent'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end('silent'), ANSWER);
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      text += data;
      if (text.length > 10_000) end('silent');
    });
    socket.once('end', () => end(holderOf(text)));
    socket.once('error', () => end('gone'));
  });
}

/** Anybody on this machine may hold such a name: what is no answer of a guardian's is none. */
function holderOf(text: string): Holder | 'silent' {
  try {
    const given = JSON.parse(text) as Holder | null; // looked at below
    const well =
      given &&
      typeof given.rig === 'string' &&
      typeof given.pid === 'number' &&
      typeof given.user === 'string' &&
      typeof given.since === 'string';
    return well ? given : 'silent';
  } catch {
    return 'silent';
  }
}
