/** A real influxd of its own: temporary folders, free ports, and the ways in which a server goes away. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

const found = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'influxd')));

/** Tests that need influxd are skipped without it; with BRIDGMAN_REQUIRE_SERVICES set they fail instead. */
export const withoutInfluxd = !found && !process.env.BRIDGMAN_REQUIRE_SERVICES;

export interface Influxd {
  /** http://127.0.0.1:PORT, without a database. */
  readonly url: string;
  start(): Promise<void>;
  /** Sends the signal; for one that ends the process, resolves when it has ended. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Rows of the first series as objects; times are RFC 3339 strings with nanoseconds. */
  query(database: string, q: string, login?: string): Promise<Record<string, unknown>[]>;
  /** Ends the process and removes its folders. */
  remove(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts influxd and resolves when it takes requests. */
export async function startInfluxd(options: { readonly auth?: boolean; readonly maxBody?: number } = {}): Promise<Influxd> {
  if (!found) throw new Error('influxd is not on PATH (Debian package influxdb), and BRIDGMAN_REQUIRE_SERVICES asks for it');
  const folder = await mkdtemp(join(tmpdir(), 'bridgman-influxd-'));
  const [port, rpc] = [await freePort(), await freePort()];
  const config = join(folder, 'influxd.conf');
  await writeFile(
    config,
    `reporting-enabled = false
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
  auth-enabled = ${options.auth ?? false}
  max-body-size = ${options.maxBody ?? 25_000_000}
`,
  );
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  async function start(): Promise<void> {
    const started = spawn('influxd', ['-config', config], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: folder } });
    child = started;
    ended = new Promise((resolve) => started.once('exit', resolve));
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: started.stderr }).on('line', (line) => {
        if (said.length < 100) said.push(line);
        if (line.includes('Listening on HTTP')) resolve();
      });
      started.once('error', reject);
      started.once('exit', (code) => reject(new Error(`influxd ended with ${code}:\n${said.join('\n')}`)));
    });
  }

  async function signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    child?.kill(name);
    if (name === 'SIGKILL' || name === 'SIGTERM') await ended;
  }

  async function query(database: string, q: string, login?: string): Promise<Record<string, unknown>[]> {
    const headers: Record<string, string> = login === undefined ? {} : { Authorization: `Basic ${Buffer.from(login).toString('base64')}` };
    const response = await fetch(`${url}/query?${new URLSearchParams({ db: database, q })}`, { method: 'POST', headers });
    const { results, error } = (await response.json()) as Answer; // InfluxDB's documented form
    const [first] = results ?? [];
    const wrong = error ?? first?.error;
    if (wrong !== undefined) throw new Error(wrong);
    const rows = (first?.series ?? []).flatMap(({ columns, values, tags }) =>
      values.map((row) => ({ ...tags, ...Object.fromEntries(columns.map((name, i) => [name, row[i]])) })),
    );
    return rows;
  }

  async function remove(): Promise<void> {
    await signal('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }

  await start();
  return { url, start, signal, query, remove };
}

interface Answer {
  readonly error?: string;
  readonly results?: readonly {
    readonly error?: string;
    readonly series?: readonly {
      readonly columns: readonly string[];
      readonly values: readonly (readonly unknown[])[];
      readonly tags?: object;
    }[];
  }[];
}
