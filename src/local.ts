/** The local socket of a running rig: in a folder of the user's own, guarded by the operating system's permissions. One JSON object a line. */
import { lstatSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Reply, Request } from './guardian/armed.ts';

export type Local = Request | { readonly do: 'stop'; readonly by: string };
export type LocalReply =
  | Reply
  | { readonly ok: true; readonly stopped: { readonly by: string; readonly unsafe: readonly { name: string; why: string }[] } };

export class LocalError extends Error {
  readonly code: 'LOCAL_FOLDER' | 'LOCAL_RUNNING' | 'LOCAL_NONE' | 'LOCAL_GONE';
  constructor(code: LocalError['code'], message: string) {
    super(message);
    this.name = 'LocalError';
    this.code = code;
  }
}

export const user = (): string => {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
};

/** Made if it is not there; refused where somebody else owns it or others may enter it. */
export function localFolder(): string {
  const folder = process.env.XDG_RUNTIME_DIR
    ? join(process.env.XDG_RUNTIME_DIR, 'bridgman')
    : join(tmpdir(), `bridgman-${process.getuid?.() ?? 'user'}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LocalError(
      'LOCAL_FOLDER',
      `${folder} cannot be made (${error instanceof Error ? error.message : error}); set XDG_RUNTIME_DIR to a folder of yours`,
    );
  }
  const stat = lstatSync(folder);
  const mine = process.getuid === undefined || stat.uid === process.getuid();
  if (!stat.isDirectory() || !mine || (stat.mode & 0o077) !== 0) {
    throw new LocalError(
      'LOCAL_FOLDER',
      `${folder} is not a folder of yours alone (mode 0700); remove it, or set XDG_RUNTIME_DIR to a folder of yours`,
    );
  }
  return folder;
}

export const socketOf = (rig: string): string => join(localFolder(), `${rig}.sock`);

/** The rigs that run now on this machine for this user. */
export async function runningRigs(): Promise<readonly string[]> {
  const names = readdirSync(localFolder()).filter((n) => n.endsWith('.sock'));
  const alive = await Promise.all(names.map((n) => answers(join(localFolder(), n))));
  return names.filter((_, i) => alive[i]).map((n) => n.slice(0, -'.sock'.length));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const LONGEST_LINE = 16 << 20; // characters: a calibration comes with its frames

/** Serves requests until closed. Throws LOCAL_RUNNING where the rig runs already. */
export async function serveLocal(path: string, handle: (request: Local, reply: (answer: LocalReply) => void) => void): Promise<Server> {
  if (await answers(path)) throw new LocalError('LOCAL_RUNNING', `this rig is already running (its socket is ${path})`);
  try {
    unlinkSync(path); // left by a run that was killed
  } catch {
    // there was none
  }
  const server = createServer((socket) => {
    let held: string[] = []; // what has come of a line that has not ended
    let length = 0;
    socket.unref(); // who only listens does not keep a run from its end
    socket.on('error', () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      const lines = data.split('\n');
      length += lines[0].length;
      if (length > LONGEST_LINE) {
        socket.destroy();
        return;
      }
      held.push(lines[0]);
      if (lines.length === 1) return;
      lines[0] = held.join('');
      held = [lines.pop() ?? ''];
      length = held[0].length;
      for (const line of lines) {
        const reply = (answer: LocalReply): void => {
          if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
        };
        const request = requestOf(line);
        if (typeof request === 'string') reply({ ok: false, why: request });
        else handle(request, reply);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server;
}

/** What a line asks for, or a sentence that says what would be right: whoever writes to the socket can do no more than ask. */
export function requestOf(line: string): Local | string {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch (error) {
    return `not understood: ${error instanceof Error ? error.message : error}`;
  }
  if (!isTable(given)) return 'not understood: a request is an object such as {"do":"status"}';
  const { by } = given;
  const named = typeof by === 'string' && by !== '' ? by : undefined;
  switch (given.do) {
    case 'status':
      return { do: 'status' };
    case 'stop': // stops whoever says it
      return { do: 'stop', by: named ?? 'unknown' };
    case 'acknowledge': {
      if (named === undefined) return WHO;
      const { name, all } = given;
      if (name !== undefined && typeof name !== 'string') return '"name" says what is acknowledged';
      if (all !== undefined && typeof all !== 'boolean') return '"all" of an acknowledgement is true or false';
      return { do: 'acknowledge', by: named, ...(name === undefined ? {} : { name }), ...(all === undefined ? {} : { all }) };
    }
    case 'shelve': {
      if (named === undefined) return WHO;
      const { name, seconds, why } = given;
      if (typeof name !== 'string' || name === '') return '"name" says which alarm is shelved';
      if (!(typeof seconds === 'number' && seconds > 0 && Number.isFinite(seconds))) return '"seconds" says for how long it is shelved';
      return typeof why === 'string' && why.trim() !== ''
        ? { do: 'shelve', by: named, name, seconds, why }
        : '"why" says why it is shelved';
    }
    case 'ramp': {
      if (named === undefined) return WHO;
      const { output, what } = given;
      if (typeof output !== 'string' || output === '') return '"output" says which ramp, such as "oven.setpoint"';
      return what === 'hold' || what === 'resume' || what === 'stop'
        ? { do: 'ramp', by: named, output, what }
        : '"what" of a ramp is hold, resume or stop';
    }
    case 'hold': {
      if (named === undefined) return WHO;
      const { loop, what } = given;
      if (typeof loop !== 'string' || loop === '') return '"loop" says which feedback, such as "heating"';
      return what === 'release' || what === 'off' ? { do: 'hold', by: named, loop, what } : '"what" of a hold is release or off';
    }
    case 'calibrate': {
      if (named === undefined) return WHO;
      const { name, text, files } = given;
      if (typeof name !== 'string' || typeof text !== 'string') return 'a calibration has "name" and "text": those of its record';
      if (!isTable(files) || !isTexts(files)) return '"files" of a calibration are its data by their names, base64';
      return { do: 'calibrate', by: named, name, text, files };
    }
    case 'note':
      if (named === undefined) return WHO;
      return typeof given.text === 'string' ? { do: 'note', by: named, text: given.text } : 'a note needs "text"';
    case 'mark':
      if (named === undefined) return WHO;
      return given.what === 'start' || given.what === 'stop'
        ? { do: 'mark', by: named, what: given.what }
        : '"what" of a mark is start or stop';
    case 'order':
      return orderOf(given.order);
    default:
      return 'not understood; known are order, note, mark, acknowledge, shelve, ramp, hold, calibrate, status, stop';
  }
}

const WHO = '"by" must say who asks';
const isTable = (value: unknown): value is Readonly<Record<string, unknown>> => value !== null && typeof value === 'object';

const isTexts = (value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, string>> =>
  Object.values(value).every((v) => typeof v === 'string');

function orderOf(given: unknown): Local | string {
  if (!isTable(given)) return 'an order needs "order": { by, instrument, command, written }';
  const { by, instrument, command, index, deadline, written } = given;
  if (typeof by !== 'string' || by === '') return WHO;
  if (typeof instrument !== 'string' || typeof command !== 'string') return 'an order needs "instrument" and "command"';
  if (index !== undefined && typeof index !== 'number') return '"index" of an order is a number';
  if (deadline !== undefined && !(typeof deadline === 'number' && deadline > 0)) return '"deadline" of an order is a number of seconds';
  if (written !== undefined && typeof written !== 'string' && typeof written !== 'number' && typeof written !== 'boolean')
    return '"written" of an order is its value: text, a number, or true or false';
  return {
    do: 'order',
    order: {
      by,
      instrument,
      command,
      ...(index === undefined ? {} : { index }),
      ...(deadline === undefined ? {} : { deadline }),
      ...(written === undefined ? {} : { written }),
    },
  };
}

/** One question to a running rig. */
export function askLocal(path: string, request: Local, within = 60): Promise<LocalReply> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    let held = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new LocalError('LOCAL_GONE', `no answer within ${within} s`));
    }, within * 1000);
    const end = (): void => clearTimeout(timer);
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (data: string) => {
      held += data;
      const at = held.indexOf('\n');
      if (at < 0) return;
      end();
      socket.end();
      resolve(JSON.parse(held.slice(0, at)) as LocalReply); // written by serveLocal
    });
    socket.once('error', (error) => {
      end();
      reject(new LocalError('LOCAL_NONE', `no rig answers at ${path} (${error.message})`));
    });
    socket.once('close', () => {
      end();
      reject(new LocalError('LOCAL_GONE', 'the rig went away before it answered'));
    });
  });
}

/** The one rig that runs, or the named one; a sentence where that is not clear. */
export async function theRig(name: string | undefined): Promise<{ readonly rig: string } | string> {
  const running = await runningRigs();
  if (name !== undefined)
    return running.includes(name)
      ? { rig: name }
      : `no rig "${name}" is running${running.length > 0 ? `; running: ${running.join(', ')}` : ''}`;
  if (running.length === 0) return 'no rig is running (start one with: bridgman run RIG)';
  if (running.length > 1) return `several rigs are running (${running.join(', ')}): name one with --rig NAME`;
  return { rig: running[0] };
}
