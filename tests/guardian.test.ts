/** The guardian by itself, on virtual time: when it acts, on what, and when it does not. */
import { describe, expect, test } from 'vitest';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Prepared, ToHost } from '../src/guardian/armed.ts';
import { type Guardian, guardian, type MakeSafe, type Unsafe } from '../src/guardian/guardian.ts';
import { prepared } from './prepared.ts';

interface Act {
  readonly at: number;
  readonly names: readonly string[];
  readonly within: number;
  readonly done: (unsafe: readonly Unsafe[]) => void;
}

function bench(): {
  clock: VirtualClock;
  watch: Guardian;
  sent: ToHost[];
  acts: Act[];
  told: string[];
  kills: number[];
  arm(name: string, more?: Partial<Prepared>): void;
  beat(seconds: number): void;
} {
  const clock = virtualClock();
  const sent: ToHost[] = [];
  const acts: Act[] = [];
  const told: string[] = [];
  const kills: number[] = [];
  const makeSafe: MakeSafe = (outputs, within, done) => {
    acts.push({ at: clock.mono(), names: outputs.map((o) => o.name), within, done });
  };
  const watch = guardian({
    clock,
    host: { send: (m) => sent.push(m), kill: () => kills.push(clock.mono()) },
    makeSafe,
    told: (text) => told.push(text),
  });
  return {
    clock,
    watch,
    sent,
    acts,
    told,
    kills,
    arm(name, more) {
      watch.heard({ is: 'prepare', prepared: prepared(name, more) });
      watch.heard({ is: 'arm', name });
    },
    beat(seconds) {
      for (let t = 0; t < seconds - 1e-9; t += 0.05) {
        clock.advance(0.05);
        watch.heard({ is: 'beat', active: [...watch.active] });
      }
    },
  };
}

describe('heartbeat', () => {
  test('what has not been prepared is not armed', () => {
    const b = bench();
    b.watch.heard({ is: 'arm', name: 'laser.emission' });
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: 'laser.emission', why: 'the guardian does not know laser.emission' });
    b.arm('laser.emission');
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: 'laser.emission' });
  });

  test('while it comes, nothing is done; without it, all armed outputs at once, within the shortest deadline', () => {
    const b = bench();
    b.arm('laser.emission');
    b.arm('oven.setpoint', { deadline: 2 });
    b.beat(20);
    expect(b.acts).toEqual([]);
    const t = b.clock.mono();
    b.clock.advance(0.49);
    expect(b.acts).toEqual([]);
    b.clock.advance(0.1);
    expect(b.acts.map((a) => a.names)).toEqual([['laser.emission', 'oven.setpoint']]);
    expect((b.acts[0]?.at ?? 0) - t).toBeLessThan(0.55);
    b.acts[0]?.done([]);
    expect(b.watch.active).toEqual([]);
    expect(b.told.at(-1)).toBe('the host hangs: laser.emission, oven.setpoint made safe and read back');
    b.clock.advance(5);
    expect(b.acts.length).toBe(1);
    expect(b.kills).toEqual([]);
  });

  test('nothing armed: a silent host is left alone', () => {
    const b = bench();
    b.arm('laser.emission');
    b.watch.heard({ is: 'release', name: 'laser.emission' });
    b.clock.advance(60);
    expect(b.acts).toEqual([]);
  });

  test('outputs to keep, and simulators in the host itself, are not touched', () => {
    const b = bench();
    b.arm('hv.bias', { then: 'keep' });
    b.arm('laser.emission', { outside: false });
    b.clock.advance(10);
    expect(b.acts).toEqual([]);
  });

  test('a host that holds the port is ended, and what is left is made safe without it', () => {
    const b = bench();
    b.arm('laser.emission');
    b.arm('laser.current');
    b.clock.advance(0.6);
    expect(b.acts[0]?.within).toBeLessThan(0.5);
    b.clock.advance(0.3);
    b.acts[0]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    expect(b.kills.length).toBe(1);
    expect(b.told.at(-1)).toContain('laser.emission not read back while the host holds the ports: the host is ended');
    expect(b.acts.map((a) => a.names)).toEqual([['laser.emission', 'laser.current'], ['laser.emission']]);
    // The end of the host is heard while the guardian acts: it does not act twice at a time.
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    expect(b.acts.length).toBe(2);
    expect(gone).toBe(undefined);
    b.acts[1]?.done([]);
    expect(gone).toEqual([]);
    expect(b.acts.length).toBe(2);
  });

  test('what cannot be made safe is named, and tried again when the host is gone', () => {
    const b = bench();
    b.arm('laser.emission');
    b.clock.advance(0.6);
    b.acts[0]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    b.acts[1]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    expect(b.told.at(-1)).toBe('NO ANSWER from laser.emission (no answer): use the wall button');
    expect(b.acts.length).toBe(3);
    b.acts[2]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    expect(gone).toEqual([{ name: 'laser.emission', why: 'no answer' }]);
  });

  test('a pause of its own is no alarm: the beats of the host are still in the pipe', () => {
    const b = bench();
    b.arm('laser.emission');
    b.beat(1);
    b.clock.stall(3);
    b.clock.advance(0.019);
    b.watch.heard({ is: 'beat', active: ['laser.emission'] });
    b.beat(5);
    expect(b.acts).toEqual([]);
  });

  test('a pause of its own in which the host died too: it acts soon after', () => {
    const b = bench();
    b.arm('laser.emission');
    b.beat(1);
    b.clock.stall(3);
    b.clock.advance(0.2);
    expect(b.acts.length).toBe(1);
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
    b.watch.heard({ is: 'prepare', prepared: prepared('laser.emission') });
    let gone: readonly Unsafe[] | undefined;
    b.watch.hostGone((unsafe) => {
      gone = unsafe;
    });
    expect(gone).toEqual([]);
    expect(b.acts).toEqual([]);
  });

  test('with outputs armed: they are made safe at once', () => {
    const b = bench();
    b.arm('laser.emission');
    b.watch.heard({ is: 'prepare', prepared: prepared('laser.current') });
    b.watch.hostGone(() => {});
    expect(b.acts.map((a) => [a.at, a.names])).toEqual([[0, ['laser.emission']]]);
  });
});

describe('stop', () => {
  type Stopped = Parameters<Parameters<Guardian['stop']>[1]>[0];

  test('answered by the host', () => {
    const b = bench();
    b.arm('laser.emission');
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

  test('no lease is armed while it is under way', () => {
    const b = bench();
    b.watch.heard({ is: 'prepare', prepared: prepared('laser.emission') });
    b.watch.stop('stop', () => {});
    b.watch.heard({ is: 'arm', name: 'laser.emission' });
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: 'laser.emission', why: 'a stop is being carried out' });
    expect(b.watch.active).toEqual([]);
  });

  test('by the guardian when the host does not answer: everything that it knows, armed or not, to keep or not', () => {
    const b = bench();
    b.arm('laser.emission', { deadline: 60 });
    b.watch.heard({ is: 'prepare', prepared: prepared('oven.setpoint') });
    b.watch.heard({ is: 'prepare', prepared: prepared('hv.bias', { then: 'keep' }) });
    let stopped: Stopped | undefined;
    b.watch.stop('stop by a person', (s) => {
      stopped = s;
    });
    b.clock.advance(0.3);
    expect(b.acts).toEqual([]);
    b.clock.advance(0.1);
    expect(b.acts.map((a) => a.names)).toEqual([['laser.emission', 'oven.setpoint', 'hv.bias']]);
    b.acts[0]?.done([]);
    expect(stopped).toEqual({ by: 'guardian', unsafe: [] });
    b.watch.heard({ is: 'stopped', unsafe: [] }); // late: nobody waits for it
  });

  test('by the guardian when the host is gone already; what is not read back is said', () => {
    const b = bench();
    b.watch.heard({ is: 'prepare', prepared: prepared('laser.emission') });
    b.watch.hostGone(() => {});
    let stopped: Stopped | undefined;
    b.watch.stop('stop', (s) => {
      stopped = s;
    });
    expect(b.acts.length).toBe(1);
    b.acts[0]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    expect(stopped).toEqual({ by: 'guardian', unsafe: [{ name: 'laser.emission', why: 'no answer' }] });
  });

  test('a host that beats is not ended for an output that does not answer, and may still be the one that makes it safe', () => {
    const b = bench();
    b.arm('laser.emission');
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(0.5);
    b.acts[0]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    b.beat(0.5);
    expect(b.kills).toEqual([]);
    expect(b.acts.map((a) => a.names)).toEqual([['laser.emission'], ['laser.emission']]);
    b.watch.heard({ is: 'stopped', unsafe: [] });
    b.acts[1]?.done([{ name: 'laser.emission', why: 'no answer' }]);
    expect(answers).toEqual(['host ']);
    expect(b.told.filter((t) => t.includes('NO ANSWER'))).toEqual([]);
  });

  test('an output that answers neither host nor guardian is named, and the host goes on', () => {
    const b = bench();
    b.arm('laser.emission');
    b.beat(1);
    const answers: string[] = [];
    b.watch.stop('stop by a person', (s) => answers.push(`${s.by} ${s.unsafe.map((u) => u.name)}`));
    b.beat(0.5);
    b.acts[0]?.done([{ name: 'laser.emission', why: 'link down' }]);
    b.beat(0.5);
    b.acts[1]?.done([{ name: 'laser.emission', why: 'link down' }]);
    expect(answers).toEqual(['guardian laser.emission']);
    expect(b.told.at(-1)).toBe('NO ANSWER from laser.emission (link down): use the wall button');
    expect(b.kills).toEqual([]);
  });
});
