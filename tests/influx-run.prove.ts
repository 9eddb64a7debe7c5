/** Every reading of a run is in InfluxDB exactly once, whatever the server does meanwhile: a real influxd 1.x and a faulty proxy. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { realClock } from '../src/clock.ts';
import { needs, type Running, until } from './bench-top.ts';
import { type Influxd, startInfluxd, withoutInfluxd } from './influxd.ts';
import { countBy, countsIn, demoIn, place, pointsIn, pointsOf, readBack, seriesOf, sessionsOf } from './proof.ts';

const clock = realClock();
const pause = (seconds: number): Promise<boolean> => until(clock, seconds, () => false);

async function server(): Promise<Influxd> {
  const influx = await startInfluxd();
  onTestFinished(() => influx.remove());
  return influx;
}

/** Each point is there once, and it is the session's: values to the last bit, times to the nanosecond. */
async function same(influx: Influxd, sessions: readonly string[]): Promise<void> {
  const all = await Promise.all(sessions.map(readBack));
  const readings = all.flatMap((s) => s.readings);
  expect(all.flatMap((s) => s.troubles)).toEqual([]);
  expect(new Set(readings.map((r) => r.kind))).toContain('trace');
  expect(await countsIn(influx, 'lab')).toEqual(countBy(readings, seriesOf));
  expect(await pointsIn(influx, 'lab')).toEqual(pointsOf(readings));
  expect(readings.length).toBeGreaterThan(1000);
  for (const session of sessions) expect(existsSync(join(session, 'influx-rejected.jsonl'))).toBe(false);
}

/** A run of the demonstration, with what happens to its database meanwhile. */
async function ran(seconds: number, url: string, meanwhile: (run: Running) => Promise<void>): Promise<{ rig: string; out: string }> {
  const here = place();
  const rig = demoIn(here.folder);
  const run = here.start(['run', rig, '--simulate', '--for', `${seconds}s`, '--influx', `${url}/lab`]);
  await run.said('order laser.emission on');
  await meanwhile(run);
  expect(await run.exit, run.out()).toBe(0);
  expect(run.out()).toMatch(/InfluxDB: \d+ points written, 0 waiting/);
  return { rig, out: run.out() };
}

type Fault = 'none' | '500' | 'hang' | 'cut';

/** Stands before a server. 'cut': the server stores, and its answer breaks off. */
async function proxy(influx: Influxd): Promise<{ url: string; fault: Fault; readonly hits: Record<Fault, number> }> {
  const { port } = new URL(influx.url);
  const hits: Record<Fault, number> = { none: 0, '500': 0, hang: 0, cut: 0 };
  const state = { url: '', fault: 'none' as Fault, hits };
  const pass = (asked: IncomingMessage, answer: ServerResponse, cut: boolean): void => {
    const { method, url: path, headers } = asked;
    const behind = request({ host: '127.0.0.1', port, method, path, headers }, (came) => {
      if (cut) {
        came.resume().once('end', () => {
          answer.socket?.end('HTTP/1.1 204 No Con');
        });
        return;
      }
      answer.writeHead(came.statusCode ?? 502, came.headers);
      came.pipe(answer);
    });
    behind.on('error', () => answer.destroy());
    asked.pipe(behind);
  };
  const http = createServer((asked, answer) => {
    const { fault } = state;
    hits[fault]++;
    if (fault === 'none' || fault === 'cut') pass(asked, answer, fault === 'cut');
    else {
      asked.resume();
      if (fault === '500') answer.writeHead(500, { 'Content-Type': 'application/json' }).end('{"error":"engine: out of sorts"}');
    }
  });
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port: own } = http.address() as AddressInfo; // it listens on TCP
  state.url = `http://127.0.0.1:${own}`;
  return state;
}

describe.skipIf(!needs('influxd', !withoutInfluxd))('a run beside InfluxDB', () => {
  test('that is stopped and goes on', async () => {
    const influx = await server();
    const { rig, out } = await ran(25, influx.url, async (run) => {
      await run.said('takes readings');
      await influx.signal('SIGSTOP');
      await run.said('they wait in the session');
      await influx.signal('SIGCONT');
      await run.said('answers again');
    });
    expect(out).toContain('all readings are there');
    await same(influx, sessionsOf(join(rig, 'sessions')));
  });

  test('that is killed and started again', async () => {
    const influx = await server();
    const { rig } = await ran(18, influx.url, async (run) => {
      await run.said('takes readings');
      await influx.signal('SIGKILL');
      await run.said('they wait in the session');
      await pause(2);
      await influx.start();
      await run.said('answers again');
    });
    await same(influx, sessionsOf(join(rig, 'sessions')));
  });

  test('that is not there at the start', async () => {
    const influx = await server();
    await influx.signal('SIGKILL');
    const { rig } = await ran(15, influx.url, async (run) => {
      await run.said('they wait in the session');
      await pause(1);
      await influx.start();
      await run.said('answers again');
    });
    await same(influx, sessionsOf(join(rig, 'sessions')));
  });

  test.each(['500', 'hang', 'cut'] as const)('behind a proxy that gives: %s', async (fault) => {
    const influx = await server();
    const between = await proxy(influx);
    const { rig } = await ran(fault === 'hang' ? 28 : 16, between.url, async (run) => {
      await run.said('takes readings');
      between.fault = fault;
      await until(clock, 20, () => between.hits[fault] >= 2);
      await run.said('they wait in the session');
      between.fault = 'none';
      await run.said('answers again');
    });
    expect(between.hits[fault]).toBeGreaterThan(fault === 'hang' ? 0 : 1);
    await same(influx, sessionsOf(join(rig, 'sessions')));
  });

  test('where a measurement has been written with another type before: its points are named, all others are there', async () => {
    const influx = await server();
    await influx.query('', 'CREATE DATABASE lab');
    const before = await fetch(`${influx.url}/write?db=lab`, { method: 'POST', body: 'temperature,instrument=other value="warm"' });
    expect(before.status).toBe(204);
    const { rig, out } = await ran(12, influx.url, async (run) => {
      await run.said('which are set aside');
    });
    const [session = ''] = sessionsOf(join(rig, 'sessions'));
    const { readings, troubles } = await readBack(session);
    expect(troubles).toEqual([]);
    const refused = (p: string) => p.startsWith('temperature ') && !p.endsWith(' ');
    const wanted = pointsOf(readings);
    expect(wanted.filter(refused).length).toBeGreaterThan(20);
    expect(await pointsIn(influx, 'lab')).toEqual(wanted.filter((p) => !refused(p)));
    const named = readFileSync(join(session, 'influx-rejected.jsonl'), 'utf8').trimEnd().split('\n');
    const aside = named.map((line) => {
      const { line: point, why } = JSON.parse(line) as { line: string; why: string }; // what the program has written
      expect(why).toContain('field type conflict');
      const [, channel, instrument, quality, value, t] =
        /^temperature,channel=([^,]+),instrument=([^,]+),.* quality=(\d)i,value=([^,]+?)(?:,.*)? (\d+)$/.exec(point) ?? [];
      return `temperature ${instrument} ${channel}  ${t} ${quality} ${value}`;
    });
    expect(aside.sort()).toEqual(wanted.filter(refused));
    expect(out).toContain(`${aside.length} set aside`);
  });

  test.each(['in the middle', 'from the start'])(
    'that goes %s and does not come back: the next run brings what is missing',
    async (when) => {
      const influx = await server();
      if (when === 'from the start') await influx.signal('SIGKILL');
      const here = place();
      const rig = demoIn(here.folder);
      const first = here.start(['run', rig, '--simulate', '--for', '10s', '--influx', `${influx.url}/lab`]);
      if (when === 'in the middle') {
        await first.said('takes readings');
        await influx.signal('SIGKILL');
      }
      expect(await first.exit, first.out()).toBe(0);
      expect(first.out()).toMatch(/InfluxDB at .* ends; \d+ bytes of the session are not there yet/);
      await influx.start();
      const second = here.start(['run', rig, '--simulate', '--for', '10s', '--influx', `${influx.url}/lab`]);
      expect(await second.exit, second.out()).toBe(0);
      const sessions = sessionsOf(join(rig, 'sessions'));
      expect(sessions).toHaveLength(2);
      await same(influx, sessions);
    },
  );

  test('while the recorder itself is killed: another one goes on, and nothing that is in the session is missing or doubled', async () => {
    const influx = await server();
    const { rig } = await ran(15, influx.url, async (run) => {
      await run.said('takes readings');
      process.kill(run.pid('recorder/process'), 'SIGKILL');
      await run.said('another one goes on');
    });
    const [session = ''] = sessionsOf(join(rig, 'sessions'));
    const { readings, troubles } = await readBack(session);
    expect(troubles.filter((t) => t.kind !== 'cut')).toEqual([]);
    expect(await pointsIn(influx, 'lab')).toEqual(pointsOf(readings));
    // What was not on the disk yet is lost, and no more: the host keeps the rest until the other one is there.
    const last = new Map<string, number>();
    let lost = 0;
    for (const { from, seq } of readings) {
      const missing = seq - (last.get(from) ?? -1) - 1;
      if (from === 'laser.emission') lost += missing;
      last.set(from, seq);
      expect(missing, from).toBeGreaterThanOrEqual(0);
    }
    expect(last.get('laser.emission')).toBeGreaterThan(30);
    expect(lost).toBeLessThan(5); // of a channel that is read five times a second
  });
});
