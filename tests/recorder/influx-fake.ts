/** A model of an InfluxDB 1.x server on a real socket: a point with the series and time of an older one replaces it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type Point, parseLine, splitLines } from '../../bench/line-parse.ts';

/** What happens to one write: numbers are statuses without anything stored. */
export type Turn = 'store' | 'hang' | 'cut' | 'store and cut' | 'store and hang' | 'reset' | number;

export interface Fake {
  readonly url: string;
  readonly points: Map<string, Point>;
  /** Bodies of the writes, in points. */
  readonly sizes: number[];
  /** Turns of the next writes; then 'store'. */
  readonly turns: Turn[];
  readonly heads: IncomingMessage['headers'][];
  databases: Set<string>;
  /** Why a point is refused; the others of its request are stored. */
  refuses: (point: Point) => string | undefined;
  maxBody: number;
  /** Resolves at the next write that hangs. */
  hanging(): Promise<void>;
  down(): Promise<void>;
  up(): Promise<void>;
}

export const key = (p: Point): string => `${p.measurement} ${JSON.stringify(Object.entries(p.tags).sort())} ${p.time}`;

export async function fakeInflux(): Promise<Fake> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  let hung = () => {};

  async function up(): Promise<void> {
    const made = createServer((req, res) => {
      const parts: Uint8Array[] = [];
      req.on('data', (part: Uint8Array) => parts.push(part));
      req.on('end', () => {
        const body = Buffer.concat(parts);
        answer(req, res, req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      });
      req.on('error', () => {}); // the other side went away
    });
    made.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => made.listen(port, '127.0.0.1', resolve));
    server = made;
    const address = made.address();
    if (address !== null && typeof address === 'object') port = address.port;
  }

  async function down(): Promise<void> {
    const closed = new Promise((resolve) => server?.close(resolve));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  }

  function answer(req: IncomingMessage, res: ServerResponse, body: Buffer): void {
    const url = new URL(req.url ?? '', 'http://fake');
    if (url.pathname === '/query') query(url.searchParams.get('q') ?? body.toString(), res);
    else write(req, res, body, url.searchParams.get('db') ?? '', fake.turns.shift() ?? 'store');
  }

  function write(req: IncomingMessage, res: ServerResponse, body: Buffer, database: string, turn: Turn): void {
    fake.heads.push(req.headers);
    const partly = 'HTTP/1.1 204 No Content\r\nX-Influx';
    if (typeof turn === 'number') says(res, turn, { error: `status ${turn}` });
    else if (turn === 'reset') req.socket.resetAndDestroy();
    else if (turn === 'hang') hung();
    else if (turn === 'cut') req.socket.end(partly);
    else if (body.length > fake.maxBody) says(res, 413, { error: 'Request Entity Too Large' });
    else if (!fake.databases.has(database)) says(res, 404, { error: `database not found: "${database}"` });
    else {
      const wrong = store(body.toString());
      if (turn === 'store and hang') hung();
      else if (turn === 'store and cut') req.socket.end(partly);
      else if (wrong === undefined) res.writeHead(204).end();
      else says(res, 400, { error: wrong });
    }
  }

  function store(text: string): string | undefined {
    let parse = '';
    let refused = '';
    let dropped = 0;
    const lines = splitLines(text);
    fake.sizes.push(lines.length);
    for (const line of lines) {
      try {
        const point = parseLine(line);
        const why = fake.refuses(point);
        if (why === undefined) fake.points.set(key(point), point);
        else dropped++;
        refused ||= why ?? '';
      } catch {
        parse ||= `unable to parse '${line}': bad`;
      }
    }
    if (refused) return `partial write: ${refused} dropped=${dropped}`;
    if (parse) return lines.length === 1 ? parse : `partial write: ${parse} dropped=0`;
    return undefined;
  }

  function query(q: string, res: ServerResponse): void {
    const made = /create database "(.*)"/i.exec(q.includes('+') || q.includes('%') ? decodeURIComponent(q.replaceAll('+', ' ')) : q);
    if (made?.[1] !== undefined) fake.databases.add(made[1]);
    says(res, 200, {
      results: [made ? {} : { series: [{ name: 'databases', columns: ['name'], values: [...fake.databases].map((n) => [n]) }] }],
    });
  }

  await up();
  const fake: Fake = {
    url: `http://127.0.0.1:${port}`,
    points: new Map(),
    sizes: [],
    turns: [],
    heads: [],
    databases: new Set(),
    refuses: () => undefined,
    maxBody: Number.POSITIVE_INFINITY,
    hanging: () => new Promise((resolve) => (hung = resolve)),
    down,
    up,
  };
  return fake;
}

function says(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
