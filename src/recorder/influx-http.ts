/** One POST of line protocol to an InfluxDB 1.x server; whatever happens comes out as a value. */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Calls `fn` after so many seconds unless cancelled. */
export type After = (seconds: number, fn: () => void) => () => void;

export const later: After = (seconds, fn) => {
  const timer = setTimeout(fn, seconds * 1000);
  return () => clearTimeout(timer);
};

export interface Target {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string;
  readonly password?: string;
  /** The address as a person may see it: without user and password. */
  readonly shown: string;
}

/** Reads http://[USER:PASSWORD@]HOST[:PORT]/DATABASE (port 8086 unless given), or says what is wrong with it. */
export function influxTarget(text: string): Target | string {
  const like = 'such as http://localhost:8086/lab';
  const hidden = text.replace(/\/\/[^/]*@/, '//');
  let url: URL;
  let parts: string[];
  try {
    url = new URL(text);
    parts = [url.pathname.slice(1), url.username, url.password].map(decodeURIComponent);
  } catch {
    return `"${hidden}" is not an address of a database, ${like}`;
  }
  const [database = '', user = '', password = ''] = parts;
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `"${hidden}" begins with ${url.protocol}, it must be http: or https:, ${like}`;
  if (database === '' || database.includes('/')) return `"${hidden}" names no database behind the host, ${like}`;
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  const login = user === '' ? {} : { user, password };
  const standard = url.protocol === 'https:' ? /^https:\/\/[^/]*:443(\/|$)/ : /^http:\/\/[^/]*:80(\/|$)/;
  const port = url.port !== '' ? Number(url.port) : standard.test(text) ? (url.protocol === 'https:' ? 443 : 80) : 8086; // URL drops a scheme's own port
  return { secure: url.protocol === 'https:', host: url.hostname, port, database, ...login, shown };
}

/** Why a request has to be sent again. */
export type Cause = 'refused' | 'unreachable' | 'timeout' | 'reset' | 'cut' | 'server' | 'busy' | 'odd' | 'database' | 'aside';

export type Answer = { readonly status: number; readonly text: string } | { readonly cause: Cause; readonly why: string };

export interface PostOptions {
  readonly target: Target;
  readonly path: string;
  readonly timeout: number;
  readonly gzip: boolean;
  readonly after: After;
}

export interface Poster {
  post(body: Uint8Array): Promise<Answer>;
  /** Ends all connections; what is open comes out as 'cut'. */
  close(): void;
}

const zipped = promisify(gzip);
const MAX_ANSWER = 65_536;

/** Keeps two connections alive. An idle one that the server has closed meanwhile is tried once more on a new one. */
export function poster(options: PostOptions): Poster {
  const { target } = options;
  const agent = new (target.secure ? SecureAgent : Agent)({ keepAlive: true, maxSockets: 2 });
  const open = new Set<ClientRequest>();
  let closed = false;
  const headers: Record<string, string> = { 'Content-Type': 'text/plain; charset=utf-8' };
  if (target.user !== undefined)
    headers.Authorization = `Basic ${Buffer.from(`${target.user}:${target.password ?? ''}`).toString('base64')}`;
  if (options.gzip) headers['Content-Encoding'] = 'gzip';

  const once = (body: Uint8Array): Promise<Answer & { readonly stale: boolean }> =>
    new Promise((resolve) => {
      const req = (target.secure ? secureRequest : request)({
        agent,
        method: 'POST',
        host: target.host.replace(/^\[|\]$/g, ''),
        port: target.port,
        path: options.path,
        headers: { ...headers, 'Content-Length': body.length },
      });
      open.add(req);
      const cancel = options.after(options.timeout, () => {
        settle({ cause: 'timeout', why: `no answer within ${options.timeout} s` });
        req.destroy();
      });
      const settle = (answer: Answer) => {
        cancel();
        open.delete(req);
        const lost = 'cause' in answer && (answer.cause === 'reset' || answer.cause === 'cut');
        resolve({ ...answer, stale: lost && req.reusedSocket && !closed }); // a second call changes nothing
      };
      req.on('response', (res) => read(res, settle));
      req.on('error', (error) => settle(failure(error)));
      req.on('close', () => settle({ cause: 'cut', why: 'the connection ended before the answer' }));
      req.end(body);
    });

  return {
    async post(plain) {
      const body = options.gzip ? await zipped(plain, { level: 1 }) : plain;
      const { stale, ...first } = await once(body);
      if (!stale) return first;
      const { stale: again, ...second } = await once(body);
      return second;
    },
    close() {
      closed = true;
      agent.destroy();
      for (const req of open) req.destroy();
    },
  };
}

function read(res: IncomingMessage, settle: (answer: Answer) => void): void {
  const parts: Uint8Array[] = [];
  let size = 0;
  res.on('data', (part: Uint8Array) => {
    if (size < MAX_ANSWER) parts.push(part);
    size += part.length;
  });
  res.on('end', () => {
    if (res.complete) settle({ status: res.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8').slice(0, MAX_ANSWER) });
  });
  const cut = () => settle({ cause: 'cut', why: 'the answer was cut off' });
  res.on('error', cut);
  res.on('close', cut);
}

const UNREACHABLE = ['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'];

/** What a failed connection means. */
export function failure(error: NodeJS.ErrnoException): { readonly cause: Cause; readonly why: string } {
  const { code = '' } = error;
  if (error.message === 'socket hang up') return { cause: 'cut', why: 'the connection ended before the answer' };
  if (code === 'ECONNREFUSED') return { cause: 'refused', why: 'the connection was refused' };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { cause: 'reset', why: 'the connection was reset' };
  if (code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT') return { cause: 'timeout', why: 'the connection timed out' };
  if (UNREACHABLE.includes(code)) return { cause: 'unreachable', why: `the host cannot be reached (${code})` };
  return { cause: 'odd', why: error.message || code || 'the request failed' };
}
