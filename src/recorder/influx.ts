/** Writes lines to InfluxDB 1.x: everything that can be stored is stored, only what the server refuses is set aside. */
import { makeDatabase, reason } from './influx-database.ts';
import { type After, type Answer, type Cause, influxTarget, later, poster } from './influx-http.ts';
import type { Lines } from './line.ts';

export interface Rejected {
  readonly line: string;
  /** What the server said of it. */
  readonly why: string;
}

/** ok: every point is stored or set aside (why: what the server said of the first). retry: nothing is known of at least one point, the same lines may be sent again. */
export type Outcome =
  | { readonly kind: 'ok'; readonly stored: number; readonly rejected: number; readonly why?: string }
  | { readonly kind: 'retry'; readonly cause: Cause; readonly why: string }
  | { readonly kind: 'denied'; readonly why: string };

export interface Sink {
  /** The server's address, without user and password. */
  readonly shown: string;
  readonly requests: number;
  write(lines: Lines): Promise<Outcome>;
  close(): void;
}

export interface SinkOptions {
  /** http://[USER:PASSWORD@]HOST[:PORT]/DATABASE */
  readonly url: string;
  /** Keeps what the server will not take; a write is only ok after it has come back. */
  readonly aside: (points: readonly Rejected[]) => Promise<void> | void;
  readonly retentionPolicy?: string;
  readonly consistency?: 'any' | 'one' | 'quorum' | 'all';
  /** Seconds for one request; 10 unless given. */
  readonly timeout?: number;
  readonly gzip?: boolean;
  readonly after?: After;
}

/** A wrong option, named in the message; the command line checks addresses with influxTarget before. */
export class InfluxError extends Error {
  readonly code: 'INFLUX_URL';
  constructor(code: 'INFLUX_URL', message: string) {
    super(message);
    this.name = 'InfluxError';
    this.code = code;
  }
}

/** Lines from..to of `lines`. `sorted`: in the order of their series, so that what is refused for one reason lies together. */
interface Piece {
  readonly lines: Lines;
  readonly from: number;
  readonly to: number;
  readonly sorted: boolean;
}

type Verdict = 'stored' | 'missing' | 'large' | 'guilty' | Exclude<Outcome, { kind: 'ok' }>;

const SMALL = 65_536;
const LOST: readonly Cause[] = ['reset', 'cut'];
const CLOSED = { kind: 'retry', cause: 'cut', why: 'the connection has been ended on this side' } as const;

/** Throws InfluxError where the address is none. The database is made with the first write, and again when it has gone. */
export function influxSink(options: SinkOptions): Sink {
  const { aside, consistency = 'one', timeout = 10, after = later } = options;
  const target = influxTarget(options.url);
  if (typeof target === 'string') throw new InfluxError('INFLUX_URL', target);
  const known = target;
  const query = new URLSearchParams({ db: target.database, precision: 'ns', consistency });
  if (options.retentionPolicy !== undefined) query.set('rp', options.retentionPolicy);
  const http = poster({ target, path: `/write?${query}`, timeout, gzip: options.gzip ?? false, after });
  let requests = 0;
  let largest = Number.POSITIVE_INFINITY; // bytes of body, learnt from a 413
  let forbidden: string | undefined;
  let making: Promise<Exclude<Outcome, { kind: 'ok' }> | undefined> | undefined;

  const closers = new Set<() => void>();
  let closed = false;

  async function make(): Promise<Exclude<Outcome, { kind: 'ok' }> | undefined> {
    let end = () => {};
    const ended = new Promise<Outcome>((resolve) => (end = () => resolve(CLOSED)));
    closers.add(end);
    const made = await Promise.race([ended, makeDatabase(known, timeout, after)]);
    closers.delete(end);
    forbidden = made.kind === 'forbidden' ? made.why : undefined;
    if (made.kind === 'retry' || made.kind === 'denied') {
      making = undefined;
      return made;
    }
    return undefined;
  }

  async function write(lines: Lines): Promise<Outcome> {
    const rejected: Rejected[] = [];
    const points = lines.starts.length - 1;
    const todo: Piece[] = points > 0 ? [{ lines, from: 0, to: points, sorted: false }] : [];
    let missed = 0;
    for (let piece = todo.pop(); piece; piece = todo.pop()) {
      const failed = await (making ??= make());
      if (failed) return failed;
      if (closed) return CLOSED;
      const { from, to } = piece;
      const body = bytes(piece);
      if (body.length > largest && to - from > 1) {
        halve(piece, todo);
        continue;
      }
      requests++;
      const answer = await http.post(body);
      const verdict = judge(answer);
      if (verdict === 'stored') continue;
      if (verdict === 'missing') {
        if (forbidden !== undefined) return { kind: 'denied', why: forbidden };
        if (++missed > 2) return { kind: 'retry', cause: 'database', why: said(answer) };
        making = undefined;
        todo.push(piece);
      } else if (verdict === 'large') {
        if (to - from > 1) {
          largest = Math.min(largest, Math.max(1, Math.floor(body.length / 2)));
          halve(piece, todo);
        } else reject(piece, said(answer) || 'too large', rejected);
      } else if (verdict === 'guilty') {
        const why = said(answer);
        if (to - from === 1 || dropped(why) === to - from) reject(piece, why, rejected);
        else halve(piece.sorted || /retention/.test(why) ? piece : sort(piece), todo);
      } else {
        // a server that refuses a body by its length may close the connection before its answer is read
        if (!(verdict.kind === 'retry' && LOST.includes(verdict.cause) && body.length > SMALL && to - from > 1)) return verdict;
        halve(piece, todo);
      }
    }
    try {
      if (rejected.length > 0) await aside(rejected);
    } catch (error) {
      return {
        kind: 'retry',
        cause: 'aside',
        why: `refused points cannot be kept: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
    const [first] = rejected;
    const stored = points - rejected.length;
    return first ? { kind: 'ok', stored, rejected: rejected.length, why: first.why } : { kind: 'ok', stored, rejected: 0 };
  }

  return {
    shown: target.shown,
    get requests() {
      return requests;
    },
    write,
    close() {
      closed = true;
      http.close();
      for (const end of closers) end();
    },
  };
}

/** A 400 that is no point's fault but the request's. */
const OURS = /database is required|consistency level|gzip|invalid precision/i;
const POINTS = /partial write|unable to parse/i;

function judge(answer: Answer): Verdict {
  if ('cause' in answer) return { kind: 'retry', ...answer };
  const { status, text } = answer;
  if (status === 204 || (status === 200 && text.trim() === '')) return 'stored';
  const why = said(answer);
  if (status === 404 && /database/i.test(text)) return 'missing';
  if (status === 413) return 'large';
  if (status === 400 && (POINTS.test(why) || !OURS.test(why))) return 'guilty';
  if (status === 401 || status === 403) return { kind: 'denied', why: why || `status ${status}` };
  if (status === 429) return { kind: 'retry', cause: 'busy', why: why || 'too many requests' };
  if (status >= 500) return { kind: 'retry', cause: 'server', why: why || `status ${status}` };
  return { kind: 'retry', cause: 'odd', why: `status ${status}, which is no answer of InfluxDB 1.x to a write: ${why}` };
}

const said = (answer: Answer): string => ('text' in answer ? reason(answer.text) : answer.why);
const dropped = (why: string): number => Number(/dropped=(\d+)/.exec(why)?.[1] ?? 0);

const start = ({ lines }: Piece, i: number): number => lines.starts[i] ?? lines.bytes.length;
const bytes = (piece: Piece): Uint8Array => piece.lines.bytes.subarray(start(piece, piece.from), start(piece, piece.to));

/** Two halves, the first to be sent first. */
function halve(piece: Piece, todo: Piece[]): void {
  const middle = (piece.from + piece.to) >> 1;
  todo.push({ ...piece, from: middle }, { ...piece, to: middle });
}

/** The same lines in the order of their bytes: by measurement, then series. */
function sort(piece: Piece): Piece {
  const parts: Uint8Array[] = [];
  for (let i = piece.from; i < piece.to; i++) parts.push(piece.lines.bytes.subarray(start(piece, i), start(piece, i + 1)));
  parts.sort(Buffer.compare);
  const starts = [0];
  for (const part of parts) starts.push((starts.at(-1) ?? 0) + part.length);
  return { lines: { bytes: Buffer.concat(parts), starts }, from: 0, to: parts.length, sorted: true };
}

function reject(piece: Piece, why: string, rejected: Rejected[]): void {
  const decoder = new TextDecoder();
  for (let i = piece.from; i < piece.to; i++) {
    const line = decoder.decode(piece.lines.bytes.subarray(start(piece, i), start(piece, i + 1)));
    rejected.push({ line: line.replace(/\n$/, ''), why });
  }
}
