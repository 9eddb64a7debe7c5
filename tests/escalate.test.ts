/** Who is told of alarms, when, and how often; then by real commands and a real server. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type Alarms, alarms } from '../src/alarm.ts';
import { SEVERITIES } from '../src/alarm-state.ts';
import { virtualClock } from '../src/clock.ts';
import type { AlarmState, Entry, Severity, Status } from '../src/entry.ts';
import { type EscalationOptions, escalation } from '../src/recorder/escalate.ts';
import type { deliver, Outcome } from '../src/recorder/escalate-send.ts';
import type { RigEscalation } from '../src/rig.ts';

const page = (severity: Severity, after: number): RigEscalation => ({ severity, after, command: ['page'] });
const status = (list: readonly AlarmState[]): Entry => ({
  kind: 'status',
  status: { t: 0, instruments: {}, links: [], leases: [], alarms: list, lateness: 0, queued: 0, dropped: 0, memory: 0 } satisfies Status,
});

/** An engine of alarms whose changes go to an escalation; deliveries are written down and answered as the test says. */
function bench(rules: readonly RigEscalation[], options: Partial<EscalationOptions> = {}) {
  const clock = virtualClock();
  const told: string[] = [];
  const sent: string[] = [];
  let answer: ((name: string) => Outcome | undefined) | undefined;
  const open: ((outcome: Outcome) => void)[] = [];
  const kept: string[][] = [];
  const fake: typeof deliver = (rule, state, _rig, _clock, end) => {
    sent.push(`${rules.indexOf(rule)} ${state.name} ${state.severity}`);
    const outcome = answer ? answer(state.name) : { ok: true, text: 'told' };
    const cancel = outcome ? clock.after(0, () => end(outcome)) : () => {};
    if (!outcome) open.push(end);
    return () => {
      cancel();
      end({ ok: false, text: 'cut' });
    };
  };
  const make = (before: readonly string[] = []) =>
    escalation(rules, {
      rig: 'lab',
      clock,
      told: (text) => told.push(text),
      before,
      done: (keys) => kept.push([...keys]),
      deliver: fake,
      ...options,
    });
  let pager = make();
  const engine: Alarms = alarms([], { emit: (state) => pager.take({ kind: 'alarm-state', state }), limits: { flapTimes: 1000 } });
  return {
    clock,
    told,
    engine,
    open,
    kept,
    answer(how: (name: string) => Outcome | undefined) {
      answer = how;
    },
    /** What has been sent since it was asked last. */
    sent: () => sent.splice(0),
    raise: (name: string, severity: Severity, latch = false) =>
      engine.raise(name, severity, 'too hot', clock.mono(), clock.now(), undefined, latch),
    clear: (name: string) => engine.clear(name, clock.mono(), clock.now()),
    acknowledge: (name: string) => engine.acknowledge(name, 'eva', clock.now()),
    shelve: (name: string, seconds: number) => engine.shelve(name, 'eva', seconds, 'venting', clock.now()),
    wait(seconds: number) {
      for (let i = 0; i < seconds; i++) {
        clock.advance(1);
        engine.tick(clock.mono(), clock.now());
      }
      clock.advance(0);
    },
    status: (list = engine.states) => pager.take(status(list)),
    restart() {
      pager.close();
      pager = make(kept.at(-1));
    },
    close: () => pager.close(),
  };
}

describe('an alarm that nobody acknowledges', () => {
  test('is told once, after its time', () => {
    const b = bench([page('alarm', 60)]);
    b.raise('hot', 'alarm');
    b.wait(59);
    expect(b.sent()).toEqual([]);
    b.wait(1);
    expect(b.sent()).toEqual(['0 hot alarm']);
    expect(b.told).toEqual(['hot: told']);
    b.wait(3600);
    expect(b.sent()).toEqual([]);
  });

  test('of a worse severity is told by the rules of the milder ones as well, of a milder one by none', () => {
    const b = bench([page('alarm', 60), page('critical', 0), page('warning', 10)]);
    b.raise('a', 'warning');
    b.raise('b', 'critical');
    b.wait(100);
    expect(b.sent()).toEqual(['1 b critical', '2 a warning', '2 b critical', '0 b critical']);
  });

  test('that is acknowledged, shelved or over in time is not told', () => {
    const b = bench([page('alarm', 60)]);
    for (const name of ['acknowledged', 'shelved', 'over']) b.raise(name, 'alarm');
    b.wait(59);
    b.acknowledge('acknowledged');
    b.shelve('shelved', 100);
    b.clear('over');
    b.wait(50);
    expect(b.sent()).toEqual([]);
    b.wait(110); // the shelf ends after 100 s, and 60 s after that:
    expect(b.sent()).toEqual(['0 shelved alarm']);
  });

  test('that is over but latched is told', () => {
    const b = bench([page('alarm', 60)]);
    b.raise('hot', 'alarm', true);
    b.clear('hot');
    b.wait(60);
    expect(b.sent()).toEqual(['0 hot alarm']);
  });

  test('is told again when it rises, and when it comes again after it was acknowledged or over', () => {
    const b = bench([page('warning', 60)]);
    b.raise('hot', 'warning');
    b.wait(100);
    b.raise('hot', 'critical');
    b.wait(59);
    expect(b.sent()).toEqual(['0 hot warning']);
    b.wait(1);
    expect(b.sent()).toEqual(['0 hot critical']);
    b.raise('hot', 'warning');
    b.raise('hot', 'critical');
    b.wait(100);
    expect(b.sent()).toEqual([]); // nobody has acknowledged it meanwhile: it is the same
    b.acknowledge('hot');
    b.raise('hot', 'warning');
    b.raise('hot', 'critical');
    b.wait(100);
    expect(b.sent()).toEqual(['0 hot critical']);
    b.clear('hot');
    b.raise('hot', 'critical');
    b.wait(100);
    expect(b.sent()).toEqual(['0 hot critical']);
  });

  test('that rises while it waits is told once, at its first time, with the severity that it has then', () => {
    const b = bench([page('warning', 60)]);
    b.raise('hot', 'warning');
    b.wait(59);
    b.raise('hot', 'critical');
    b.wait(200);
    expect(b.sent()).toEqual(['0 hot critical']);
  });
});

describe('an attempt that fails', () => {
  const failing = { ok: false, text: 'no answer' };

  test('is made again after waits that grow to ten minutes, each said', () => {
    const b = bench([page('alarm', 0)]);
    b.answer(() => failing);
    b.raise('hot', 'alarm');
    b.wait(4000);
    expect(b.told.map((text) => Number(/tried again in (\d+) s$/.exec(text)?.[1]))).toEqual([
      1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600, 600,
    ]);
    b.sent();
    b.answer(() => ({ ok: true, text: 'told' }));
    b.wait(600);
    expect(b.sent()).toHaveLength(1);
    expect(b.told.at(-1)).toBe('hot: told, at attempt 16');
  });

  test('is not made again once the alarm is acknowledged', () => {
    const b = bench([page('alarm', 0)]);
    b.answer(() => failing);
    b.raise('hot', 'alarm');
    b.wait(4);
    b.acknowledge('hot');
    b.sent();
    b.wait(1000);
    expect(b.sent()).toEqual([]);
  });

  test('and was acknowledged meanwhile says so', () => {
    const b = bench([page('alarm', 0)]);
    b.answer(() => undefined);
    b.raise('hot', 'alarm');
    b.acknowledge('hot');
    b.open[0]?.(failing);
    expect(b.told).toEqual(['hot: no answer; not tried again, as nobody has to be told any more']);
  });

  test('does not hold up other alarms, nor other rules', () => {
    const b = bench([page('alarm', 0), page('alarm', 0)]);
    b.answer((name) => (name === 'first' ? undefined : { ok: true, text: 'told' }));
    for (const name of ['first', 'second', 'third']) b.raise(name, 'alarm');
    b.wait(1);
    expect(b.sent().sort()).toEqual([
      '0 first alarm',
      '0 second alarm',
      '0 third alarm',
      '1 first alarm',
      '1 second alarm',
      '1 third alarm',
    ]);
  });

  test('two at once of one rule: the others wait their turn, and are not told when acknowledged meanwhile', () => {
    const b = bench([page('alarm', 0)]);
    b.answer(() => undefined);
    for (const name of ['a', 'b', 'c', 'd']) b.raise(name, 'alarm');
    expect(b.sent()).toEqual(['0 a alarm', '0 b alarm']);
    b.acknowledge('c');
    b.open[0]?.({ ok: true, text: 'told' });
    expect(b.sent()).toEqual(['0 d alarm']);
  });
});

describe('a restart of the recorder', () => {
  test('tells nobody twice, and learns from the status what waits', () => {
    const b = bench([page('alarm', 60)]);
    b.raise('told', 'alarm');
    b.wait(60);
    b.raise('waits', 'alarm');
    expect(b.sent()).toEqual(['0 told alarm']);
    b.restart();
    b.status();
    b.wait(60);
    b.status();
    expect(b.sent()).toEqual(['0 waits alarm']);
    b.acknowledge('told');
    b.clear('told');
    b.raise('told', 'alarm');
    b.wait(60);
    expect(b.sent()).toEqual(['0 told alarm']);
  });

  test('a status in which an alarm is no more ends it', () => {
    const b = bench([page('alarm', 60)]);
    b.raise('hot', 'alarm');
    b.wait(30);
    b.status([]);
    b.wait(60);
    expect(b.sent()).toEqual([]);
  });

  test('after its end nothing is sent', () => {
    const b = bench([page('alarm', 60)]);
    b.raise('hot', 'alarm');
    b.close();
    b.wait(100);
    b.raise('cold', 'alarm');
    b.wait(100);
    expect(b.sent()).toEqual([]);
  });
});

test('whatever happens: what waits for its time is told, what does not wait is not', () => {
  const operation = fc.oneof(
    fc.record({ do: fc.constant('raise' as const), severity: fc.constantFrom(...SEVERITIES) }),
    fc.record({ do: fc.constantFrom('clear' as const, 'acknowledge' as const, 'status' as const, 'restart' as const) }),
    fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 40 }) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const b = bench([page('alarm', 30)]);
      const waits = (): boolean => b.engine.states.some((s) => s.unacknowledged && s.severity !== 'warning');
      for (const one of operations) {
        if (one.do === 'raise') b.raise('x', one.severity);
        else if (one.do === 'clear') b.clear('x');
        else if (one.do === 'acknowledge') b.acknowledge('x');
        else if (one.do === 'status') b.status();
        else if (one.do === 'restart') b.restart();
        else if ('seconds' in one) {
          const could = waits();
          b.wait(one.seconds);
          if (b.sent().length > 0) expect(could).toBe(true);
        }
      }
      b.status();
      const had = b.kept.at(-1) ?? [];
      b.wait(30);
      const is = b.engine.states[0];
      if (waits()) expect(had.length + b.sent().length).toBeGreaterThan(0);
      if (waits()) expect(b.kept.at(-1)?.some((key) => key.includes(`"${is?.severity}"`))).toBe(true);
      else expect(b.kept.at(-1) ?? []).toEqual([]);
    }),
  );
});

/** Waits for words without a timer. */
function words() {
  const all: string[] = [];
  let heard = (): void => {};
  return {
    all,
    told(text: string) {
      all.push(text);
      heard();
    },
    async said(n: number): Promise<string> {
      while (all.length < n) await new Promise<void>((resolve) => (heard = resolve));
      return all[n - 1] ?? '';
    },
  };
}

const alarm = (more: Partial<AlarmState> = {}): Entry => ({
  kind: 'alarm-state',
  state: {
    name: 'hot',
    now: 'alarm',
    severity: 'alarm',
    since: 1_767_225_600_000_000,
    changed: 1,
    text: 'too hot',
    unacknowledged: true,
    ...more,
  },
});

describe('a real command', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'bridgman-escalate-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const run = (command: readonly string[]) => {
    const clock = virtualClock();
    const w = words();
    const pager = escalation([{ severity: 'alarm', after: 0, command }], { rig: 'lab', clock, told: w.told });
    return { ...w, clock, pager };
  };

  test('gets what the alarm says as it is, without a shell', async () => {
    const file = join(scratch, 'arguments');
    const write = `require('node:fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.argv.slice(1)))`;
    const b = run([process.execPath, '-e', write, '--', '{name}', '{severity}: {text}', '{rig} {guidance} {other}']);
    b.pager.take(alarm({ name: 'hot; exit 3', text: '$(touch x) `id` "a"\n\0b', guidance: 'look' }));
    expect(await b.said(1)).toBe(`hot; exit 3: told by ${process.execPath}`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(['hot; exit 3', 'alarm: $(touch x) `id` "a"\n b', 'lab look {other}']);
    b.pager.close();
  });

  test('says when it is a trial', async () => {
    const w = words();
    const print = 'process.stderr.write(process.argv[1]); process.exitCode = 1';
    const pager = escalation([{ severity: 'alarm', after: 0, command: [process.execPath, '-e', print, '{rig}: {text}'] }], {
      rig: 'lab',
      simulated: true,
      clock: virtualClock(),
      told: w.told,
    });
    pager.take(alarm());
    expect(await w.said(1)).toContain('code 1: lab: SIMULATED: too hot');
    pager.close();
  });

  test.each([
    [['/nowhere/page'], /^hot: \/nowhere\/page could not be started \(.*ENOENT.*\); tried again in 1 s$/],
    [
      ['/bin/sh', '-c', 'echo the line is busy >&2; echo more >&2; exit 3'],
      /^hot: \/bin\/sh ended with code 3: the line is busy; tried again in 1 s$/,
    ],
    [['/bin/sh', '-c', 'kill -9 $$'], /^hot: \/bin\/sh ended with SIGKILL; tried again in 1 s$/],
    [['/bin/sh', '-c', '{text}'], /could not be started|ended with/],
  ])('%j that fails says why', async (command, wanted) => {
    const b = run(command);
    b.pager.take(alarm({ text: 'x'.repeat(300_000) }));
    expect(await b.said(1)).toMatch(wanted);
    b.pager.close();
  });

  test('that does not end is ended with all that it has started', async () => {
    const file = join(scratch, 'pid');
    const b = run(['/bin/sh', '-c', `sleep 1000 & echo $! > ${file}.part; mv ${file}.part ${file}; wait`]);
    b.pager.take(alarm());
    while (!existsSync(file)) await new Promise(setImmediate);
    b.clock.advance(30);
    expect(await b.said(1)).toBe('hot: /bin/sh did not end within 30 s and was ended; tried again in 1 s');
    const about = `/proc/${readFileSync(file, 'utf8').trim()}/stat`;
    const lives = (): boolean => {
      try {
        return !/\) Z /.test(readFileSync(about, 'utf8'));
      } catch {
        return false;
      }
    };
    while (lives()) await new Promise(setImmediate);
    b.pager.close();
  });

  test('that leaves something behind with its output open has ended', async () => {
    const file = join(scratch, 'left');
    const b = run(['/bin/sh', '-c', `sleep 1000 & echo $! > ${file}; exit 0`]);
    b.pager.take(alarm());
    while (b.all.length === 0) {
      b.clock.advance(0.1);
      await new Promise(setImmediate);
      if (b.clock.mono() > 29) b.clock.stall(-29); // the machine may be slow, the thirty seconds are not what is tried
    }
    expect(b.all[0]).toBe('hot: told by /bin/sh');
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    b.pager.close();
  });
});

describe('a real webhook', () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
  async function serve(answer: Answer, port = 0): Promise<{ readonly server: Server; readonly port: number }> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => answer(request, response, Buffer.concat(parts).toString('utf8')));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return { server, port: (server.address() as AddressInfo).port }; // it listens on a port
  }
  const start = (webhook: string) => {
    const clock = virtualClock();
    const w = words();
    const pager = escalation([{ severity: 'alarm', after: 0, webhook }], { rig: 'lab', clock, told: w.told });
    return { ...w, clock, pager };
  };

  test('that refuses, hangs, answers 500 and then takes it', async () => {
    const first = await serve(() => {});
    await new Promise((resolve) => first.server.close(resolve));
    const at = `the webhook at 127.0.0.1:${first.port}`;
    const b = start(`http://127.0.0.1:${first.port}/hook?token=secret`);
    b.pager.take(alarm({ guidance: 'look at the chiller' }));
    expect(await b.said(1)).toBe(`hot: ${at}: the connection was refused; tried again in 1 s`);

    let arrived = (_: Answer): void => {};
    const asked = new Promise<Answer>((resolve) => (arrived = resolve));
    let answer: Answer = () => arrived(answer);
    const bodies: string[] = [];
    await serve((request, response, body) => {
      bodies.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
      answer(request, response, body);
    }, first.port);
    b.clock.advance(1);
    await asked;
    b.clock.advance(9.9);
    expect(b.all).toHaveLength(1);
    b.clock.advance(0.1);
    expect(await b.said(2)).toBe(`hot: ${at}: no answer within 10 s; tried again in 2 s`);

    answer = (_, response) => response.writeHead(500).end('oh');
    b.clock.advance(2);
    expect(await b.said(3)).toBe(`hot: ${at} answered 500 Internal Server Error; tried again in 4 s`);

    answer = (_, response) => response.writeHead(302, { Location: '/other' }).end();
    b.clock.advance(4);
    expect(await b.said(4)).toBe(`hot: ${at} answered 302 Found; tried again in 8 s`);

    answer = (request) => request.socket.destroy();
    b.clock.advance(8);
    expect(await b.said(5)).toMatch(
      /: (the connection ended before the answer|the connection was reset|other side closed); tried again in 16 s$/,
    );

    answer = (_, response) => response.writeHead(204).end();
    b.clock.advance(16);
    expect(await b.said(6)).toBe(`hot: told to ${at}, at attempt 6`);
    b.clock.advance(10_000);
    expect(bodies).toHaveLength(5);
    const [, head, body] = /^(POST \S+ \S+) (.*)$/.exec(bodies.at(-1) ?? '') ?? [];
    expect(head).toBe('POST /hook?token=secret application/json');
    expect(JSON.parse(body ?? '')).toEqual({
      rig: 'lab',
      name: 'hot',
      severity: 'alarm',
      text: 'too hot',
      guidance: 'look at the chiller',
      since: '2026-01-01T00:00:00.000Z',
      active: true,
      simulated: false,
    });
    expect(b.all.join()).not.toContain('secret');
    b.pager.close();
  });

  test('with a name and a password in its address gets them as it should', async () => {
    let login: string | undefined;
    const { port } = await serve((request, response) => {
      login = request.headers.authorization;
      response.writeHead(200).end('ok');
    });
    const b = start(`http://eva:p%40ss@127.0.0.1:${port}/`);
    b.pager.take(alarm());
    expect(await b.said(1)).toBe(`hot: told to the webhook at 127.0.0.1:${port}`);
    expect(Buffer.from(login?.slice('Basic '.length) ?? '', 'base64').toString()).toBe('eva:p@ss');
    b.pager.close();
  });

  test('is cut at the end of the program, without another word', async () => {
    let arrived = (): void => {};
    const asked = new Promise<void>((resolve) => (arrived = resolve));
    let gone = (): void => {};
    const cut = new Promise<void>((resolve) => (gone = resolve));
    const { port } = await serve((request) => {
      request.socket.on('close', gone);
      arrived();
    });
    const b = start(`http://127.0.0.1:${port}/`);
    b.pager.take(alarm());
    await asked;
    b.pager.close();
    await cut;
    b.clock.advance(1000);
    expect(b.all).toEqual([]);
  });
});
