/** The guardian by itself, on virtual time: when it acts, on what, and when it does not. */
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import type { Stopped } from '../src/guardian/guardian.ts';
import type { Unsafe } from '../src/guardian/make-safe.ts';
import { bench } from './guardian-bench.ts';
import { prepared } from './prepared.ts';

const LASER = 'laser.emission';

describe('heartbeat', () => {
  test('what has not been prepared is not armed', () => {
    const b = bench();
    b.watch.heard({ is: 'arm', name: LASER });
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER, why: 'the guardian does not know laser.emission' });
    b.arm(LASER);
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER });
  });

  test('while it comes, nothing is done; without it, each output at its own deadline, those of one deadline together', () => {
    const b = bench();
    b.arm(LASER);
    b.arm('laser.current');
    b.arm('oven.setpoint', { deadline: 2 });
    b.beat(20);
    expect(b.acts).toEqual([]);
    const t = b.clock.mono();
    b.clock.advance(0.49);
    expect(b.acts).toEqual([]);
    b.clock.advance(0.1);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER, 'laser.current']]);
    expect((b.acts[0]?.at ?? 0) - t).toBeLessThan(0.55);
    b.acts[0]?.safe(LASER, 'laser.current');
    expect(b.told.at(-1)).toBe('the host hangs: laser.emission, laser.current made safe and read back');
    b.clock.advance(1.3);
    expect(b.acts.length).toBe(1);
    b.clock.advance(0.2);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER, 'laser.current'], ['oven.setpoint']]);
    expect((b.acts[1]?.at ?? 0) - t).toBeLessThan(2.05);
    b.acts[1]?.safe('oven.setpoint');
    expect(b.watch.active).toEqual([]);
    b.clock.advance(5);
    expect(b.acts.length).toBe(2);
    expect(b.acts.every((a) => a.ended)).toBe(true);
    expect(b.kills).toEqual([]);
  });

  test('one that the beats do not name is made safe at its deadline beside the host, the others are not', () => {
    const b = bench();
    b.arm(LASER);
    b.arm('oven.setpoint', { deadline: 0.5 });
    b.beat(1);
    b.beat(0.4, ['oven.setpoint']);
    expect(b.acts).toEqual([]);
    b.beat(0.3, ['oven.setpoint']);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER]]);
    expect(b.told.at(-1)).toBe('no evidence for laser.emission within its deadline: the guardian acts beside the host');
    b.acts[0]?.safe(LASER);
    expect(b.watch.active).toEqual(['oven.setpoint']);
    b.beat(30, ['oven.setpoint']);
    expect([b.acts.length, b.kills.length]).toEqual([1, 0]);
  });

  test('beside a host that lives it tries for two seconds, says NO ANSWER once, and leaves it to the host; without the host it tries again', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(60, []);
    expect(b.acts.length).toBe(1);
    expect(b.acts[0]?.ended).toBe(true);
    expect(b.told.filter((t) => t.startsWith('NO ANSWER'))).toEqual(['NO ANSWER from laser.emission (no answer): use the wall button']);
    b.clock.advance(1);
    expect(b.acts.length).toBe(2);
    expect(b.kills.length).toBe(1);
    b.acts[1]?.safe(LASER);
    expect(b.told.slice(-2)).toEqual([
      'laser.emission is safe after all, read back by the guardian',
      'the host hangs: laser.emission made safe and read back',
    ]);
  });

  test('on a serial line, its own or its adapter\u2019s, a host that lives has two seconds more to read its evidence', () => {
    const links = { main: 'serial:/dev/ttyUSB0' };
    for (const more of [{ links }, { carriers: { adapter: { model: 'adapter', options: {}, id: {}, links } } }]) {
      const b = bench();
      b.arm(LASER, more);
      b.beat(2.4, []);
      expect(b.acts).toEqual([]);
      b.beat(0.2, []);
      expect(b.acts.map((a) => a.names)).toEqual([[LASER]]);
      const c = bench();
      c.arm(LASER, more);
      c.clock.advance(0.6); // it hangs
      expect(c.acts.map((a) => a.names)).toEqual([[LASER]]);
    }
  });

  test('what the host has read back meanwhile needs no more of the guardian', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(0.8, []);
    expect(b.acts.length).toBe(1);
    b.watch.heard({ is: 'release', name: LASER });
    b.beat(0.1, []);
    expect(b.acts[0]?.ended).toBe(true);
    expect(b.told.at(-1)).toBe('no evidence: laser.emission made safe and read back');
    b.beat(10, []);
    expect(b.acts.length).toBe(1);
  });

  test('a host that goes on with what the guardian has made safe is watched again', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(0.8, []);
    b.acts[0]?.safe(LASER);
    expect(b.watch.active).toEqual([]);
    b.beat(1, [LASER]);
    expect(b.watch.active).toEqual([LASER]);
    b.clock.advance(0.6);
    expect(b.acts.length).toBe(2);
  });

  test('one output that does not answer does not delay another one', () => {
    const b = bench();
    b.arm(LASER);
    b.arm('oven.setpoint', { deadline: 1 });
    b.clock.advance(0.6);
    b.clock.advance(0.6);
    expect(b.acts.map((a) => [a.names, a.at < 1.05])).toEqual([
      [[LASER], true],
      [['oven.setpoint'], true],
    ]);
  });

  test('nothing armed: a silent host is left alone', () => {
    const b = bench();
    b.arm(LASER);
    b.watch.heard({ is: 'release', name: LASER });
    b.clock.advance(60);
    expect(b.acts).toEqual([]);
  });

  test('a host that falls silent is told once, also with nothing armed; one that has not begun yet is not', () => {
    const b = bench();
    b.clock.advance(60);
    expect(b.told).toEqual([]);
    b.beat(1);
    b.clock.advance(60);
    expect(b.told).toEqual(['the host has not been heard for 5 s: nothing is read, and no order is taken']);
    b.beat(1);
    expect(b.told.slice(1)).toEqual(['the host is heard again, after 60.0 s']);
    b.clock.advance(60);
    expect(b.told.length).toBe(3);
    expect(b.acts).toEqual([]);
  });

  test('outputs to keep, and simulators in the host itself, are not touched', () => {
    const b = bench();
    b.arm('hv.bias', { then: 'keep' });
    b.arm(LASER, { outside: false });
    b.clock.advance(10);
    expect(b.acts).toEqual([]);
  });

  test('a host that holds the port is ended, and what is left goes on over links opened anew, twice: now and when it is gone', () => {
    const b = bench();
    b.arm(LASER);
    b.arm('laser.current');
    b.clock.advance(0.7);
    b.acts[0]?.safe('laser.current');
    expect(b.kills).toEqual([]);
    b.clock.advance(0.2);
    expect(b.kills.length).toBe(1);
    expect((b.kills[0] ?? 0) - (b.acts[0]?.at ?? 0)).toBeLessThan(0.35);
    expect(b.told.at(-1)).toContain('laser.emission not read back while the host holds the ports: the host is ended');
    expect(b.afresh).toEqual(b.kills);
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    expect([b.acts.length, b.afresh.length, gone]).toEqual([1, 2, undefined]);
    b.acts[0]?.safe(LASER);
    expect(gone).toEqual([]);
    b.clock.advance(20);
    expect([b.acts.length, b.kills.length]).toEqual([1, 1]);
  });

  test('what cannot be made safe is tried for ten seconds after the host is gone, and named', () => {
    const b = bench();
    b.arm(LASER);
    b.clock.advance(0.9);
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    b.clock.advance(9.9);
    expect(gone).toBe(undefined);
    b.clock.advance(0.2);
    expect(gone).toEqual([{ name: LASER, why: 'no answer' }]);
    expect(b.told.filter((t) => t.startsWith('NO ANSWER'))).toEqual(['NO ANSWER from laser.emission (no answer): use the wall button']);
    expect(b.acts[0]?.ended).toBe(true);
  });

  test('a pause of its own is no alarm: the beats of the host are still in the pipe', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(1);
    b.clock.stall(3);
    b.clock.advance(0.019);
    b.watch.heard({ is: 'beat', active: [LASER] });
    b.beat(5);
    expect(b.acts).toEqual([]);
  });

  test('a pause of its own in which the host died too: it acts soon after', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(1);
    b.clock.stall(3);
    b.clock.advance(0.3);
    expect(b.acts.length).toBe(1);
  });

  test('late again and again, on a machine with too much to do: it acts on a host that hangs all the same', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(1);
    const t = b.clock.mono();
    while (b.acts.length === 0 && b.clock.mono() - t < 20) {
      b.clock.stall(0.15);
      b.clock.advance(0.02);
    }
    expect((b.acts[0]?.at ?? Number.POSITIVE_INFINITY) - t).toBeLessThan(1.2);
  });

  test('sleep of the machine counts: what was armed before is made safe soon after, unless the host is heard', () => {
    const virtual = virtualClock();
    let slept = 0;
    const clock = { ...virtual, boot: () => virtual.boot() + slept };
    const b = bench(undefined, clock);
    b.arm(LASER, { deadline: 60 });
    b.beat(1);
    slept = 3600;
    b.clock.advance(0.2);
    expect(b.acts).toEqual([]);
    b.clock.advance(0.1);
    expect(b.acts.length).toBe(1);
    const c = bench(undefined, clock);
    c.arm(LASER, { deadline: 60 });
    c.beat(1);
    slept = 7200;
    c.beat(60);
    expect(c.acts).toEqual([]);
  });

  test('it watches the host as the host watches it', () => {
    const b = bench();
    b.clock.advance(1);
    expect(b.sent.filter((m) => m.is === 'watch').length).toBeGreaterThanOrEqual(40);
    b.watch.close();
    const n = b.sent.length;
    b.clock.advance(1);
    expect(b.sent.length).toBe(n);
  });
});

describe('the host ends', () => {
  test('with nothing armed: done at once', () => {
    const b = bench();
    b.watch.heard({ is: 'prepare', prepared: prepared(LASER) });
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    expect(gone).toEqual([]);
    expect(b.acts).toEqual([]);
  });

  test('with outputs armed: they are made safe at once', () => {
    const b = bench();
    b.arm(LASER);
    b.watch.heard({ is: 'prepare', prepared: prepared('laser.current') });
    b.watch.hostGone(() => {});
    expect(b.acts.map((a) => [a.at, a.names])).toEqual([[0, [LASER]]]);
  });
});

describe('stop', () => {
  test('answered by the host', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(0.1);
    let stopped: Stopped | undefined;
    b.watch.stop('stop by a person', (s) => {
      stopped = s;
    });
    expect(b.sent.at(-1)).toEqual({ is: 'stop', why: 'stop by a person' });
    b.clock.advance(0.1);
    b.watch.heard({ is: 'stopped', unsafe: [] });
    expect(stopped).toEqual({ by: 'host', unsafe: [] });
    b.beat(3);
    expect(b.acts).toEqual([]);
  });

  test('two persons stop at once: both are answered', () => {
    const b = bench();
    const by: string[] = [];
    b.watch.stop('one', (s) => by.push(s.by));
    b.watch.stop('two', (s) => by.push(s.by));
    b.watch.heard({ is: 'stopped', unsafe: [] });
    b.clock.advance(5);
    expect(by).toEqual(['host', 'host']);
    expect(b.acts).toEqual([]);
  });

  test('no lease is armed while it is under way, nor while something forbids it', () => {
    const b = bench();
    b.watch.heard({ is: 'prepare', prepared: prepared(LASER) });
    b.watch.stop('stop', () => {});
    b.watch.heard({ is: 'arm', name: LASER });
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER, why: 'a stop is being carried out' });
    expect(b.watch.active).toEqual([]);
    b.watch.heard({ is: 'stopped', unsafe: [] });
    b.watch.forbid('the stop file is there');
    b.watch.heard({ is: 'arm', name: LASER });
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER, why: 'the stop file is there' });
    b.watch.forbid(undefined);
    b.watch.heard({ is: 'arm', name: LASER });
    expect(b.watch.active).toEqual([LASER]);
  });

  test('by the guardian when the host does not answer: everything that it knows, armed or not, to keep or not', () => {
    const b = bench();
    b.arm(LASER, { deadline: 60 });
    b.watch.heard({ is: 'prepare', prepared: prepared('oven.setpoint') });
    b.watch.heard({ is: 'prepare', prepared: prepared('hv.bias', { then: 'keep' }) });
    let stopped: Stopped | undefined;
    b.watch.stop('stop by a person', (s) => {
      stopped = s;
    });
    b.clock.advance(0.3);
    expect(b.acts).toEqual([]);
    b.clock.advance(0.1);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER, 'oven.setpoint', 'hv.bias']]);
    b.acts[0]?.safe(LASER, 'oven.setpoint', 'hv.bias');
    expect(stopped).toEqual({ by: 'guardian', unsafe: [] });
    b.watch.heard({ is: 'stopped', unsafe: [] }); // late: nobody waits for it
  });

  test('a host that is known to hang is not waited for', () => {
    const b = bench();
    b.arm(LASER, { deadline: 60 });
    b.clock.advance(5);
    b.watch.stop('stop', () => {});
    b.clock.advance(0.001);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER]]);
  });

  test('it waits for nothing: what is under way is joined, the rest begins beside it', () => {
    const b = bench();
    b.arm(LASER);
    b.watch.heard({ is: 'prepare', prepared: prepared('oven.setpoint') });
    b.clock.advance(0.6);
    let stopped: Stopped | undefined;
    b.watch.stop('stop', (s) => {
      stopped = s;
    });
    b.clock.advance(0.001);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER], ['oven.setpoint']]);
    b.acts[1]?.safe('oven.setpoint');
    expect(stopped).toBe(undefined);
    b.acts[0]?.safe(LASER);
    expect(stopped).toEqual({ by: 'guardian', unsafe: [] });
  });

  test('by the guardian when the host is gone already; what is not read back is said', () => {
    const b = bench();
    b.watch.heard({ is: 'prepare', prepared: prepared(LASER) });
    b.watch.hostGone(() => {});
    let stopped: Stopped | undefined;
    b.watch.stop('stop', (s) => {
      stopped = s;
    });
    expect(b.acts.length).toBe(1);
    b.clock.advance(10.1);
    expect(stopped).toEqual({ by: 'guardian', unsafe: [{ name: LASER, why: 'no answer' }] });
  });

  test('the end of the host waits for a stop that is under way', () => {
    const b = bench();
    b.arm('hv.bias', { then: 'keep' });
    b.watch.stop('stop', () => {});
    b.clock.advance(0.4);
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    expect(gone).toBe(undefined);
    b.acts[0]?.safe('hv.bias');
    expect(gone).toEqual([]);
  });

  test('a host that beats is not ended for an output that does not answer, and may still be the one that makes it safe', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(1);
    expect(b.kills).toEqual([]);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER]]);
    b.watch.heard({ is: 'stopped', unsafe: [] });
    b.beat(5);
    expect(answers).toEqual(['host ']);
    expect(b.told.filter((t) => t.includes('NO ANSWER'))).toEqual([]);
  });

  const LINE = { links: { main: 'serial:/dev/ttyUSB0?baud=57600' } };

  test('on a serial line the host that lives has two seconds by itself, as they would take each other the replies', () => {
    const b = bench();
    b.arm(LASER, LINE);
    b.watch.heard({ is: 'prepare', prepared: prepared('gas.control') });
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(1, []);
    expect(b.acts.map((a) => a.names)).toEqual([['gas.control']]);
    b.acts[0]?.safe('gas.control');
    b.beat(0.5, []);
    b.watch.heard({ is: 'release', name: LASER });
    b.beat(2, []);
    expect(b.acts.length).toBe(1);
    expect(answers).toEqual(['guardian ']);
  });

  test('but not longer, and not one that hangs', () => {
    const b = bench();
    b.arm(LASER, LINE);
    b.beat(1);
    b.watch.stop('stop by a person', () => {});
    b.beat(2.5, []);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER]]);
    const c = bench();
    c.arm(LASER, { ...LINE, deadline: 60 });
    c.beat(1);
    c.clock.advance(0.3);
    c.watch.stop('stop by a person', () => {});
    c.clock.advance(0.01);
    expect(c.acts.map((a) => a.names)).toEqual([[LASER]]);
  });

  test('what the host has read back since is not asked again by the guardian, who might not even get at it', () => {
    const b = bench();
    b.arm(LASER);
    b.watch.heard({ is: 'prepare', prepared: prepared('oven.setpoint') });
    b.watch.heard({ is: 'release', name: 'oven.setpoint' }); // before the stop: says nothing about now
    b.watch.heard({ is: 'prepare', prepared: prepared('gas.control') });
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(0.1);
    b.watch.heard({ is: 'release', name: 'gas.control' });
    b.beat(0.4);
    expect(b.acts.map((a) => a.names)).toEqual([[LASER, 'oven.setpoint']]);
    b.acts[0]?.safe(LASER, 'oven.setpoint');
    expect(answers).toEqual(['guardian ']);
  });

  test('an output that answers neither host nor guardian is named, and the host goes on', () => {
    const b = bench();
    b.arm(LASER);
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(3);
    expect(answers).toEqual(['guardian laser.emission']);
    expect(b.told.at(-1)).toBe('NO ANSWER from laser.emission (no answer): use the wall button');
    expect(b.kills).toEqual([]);
  });

  test('simulators inside of a host that does not answer are not said to be safe', () => {
    const b = bench();
    b.arm(LASER, { outside: false });
    const answers: Stopped[] = [];
    b.watch.stop('stop', (s) => answers.push(s));
    b.clock.advance(3);
    expect(answers).toEqual([{ by: 'guardian', unsafe: [{ name: LASER, why: 'it is simulated in the host, which does not answer' }] }]);
  });
});
