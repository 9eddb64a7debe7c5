/** Watches the host and keeps hazardous outputs safe when the host cannot: it dies, hangs, or is told to stop. No physics, no disk. */
import { type Clock, every } from '../clock.ts';
import type { Prepared, ToGuardian, ToHost } from './armed.ts';

export interface HostPort {
  send(message: ToHost): void;
  /** The host is gone; its ports are free. */
  kill(): void;
}

export interface Unsafe {
  readonly name: string;
  readonly why: string;
}

/** Makes outputs safe over links of its own; calls back once, with what was not read back. */
export type MakeSafe = (outputs: readonly Prepared[], within: number, done: (unsafe: readonly Unsafe[]) => void) => void;

export interface Guardian {
  /** A message from the host. */
  heard(message: ToGuardian): void;
  /** The host's process has ended. `done` is called when all armed outputs are safe, or the time is over. */
  hostGone(done: (unsafe: readonly Unsafe[]) => void): void;
  /** Everything safe now, whoever hangs. */
  stop(why: string, done: (result: { readonly by: 'host' | 'guardian'; readonly unsafe: readonly Unsafe[] }) => void): void;
  readonly active: readonly string[];
  close(): void;
}

export interface GuardianOptions {
  readonly clock: Clock;
  readonly host: HostPort;
  readonly makeSafe: MakeSafe;
  readonly told: (text: string) => void;
}

const LOOK = 0.02; // seconds between two looks at the heartbeat
const STOP_WAIT = 0.35; // what the host gets to answer a stop before the guardian acts itself
const PORT_WAIT = 0.3; // what a port held by a hung host gets before the host is killed
const BESIDE = 2; // seconds of trying beside a host that lives
const LONGEST = 10; // seconds of repeating before a person must act
const SHORTEST = 0.25; // a loop that is late by less is not hung

export function guardian(options: GuardianOptions): Guardian {
  const { clock, host, told } = options;
  const prepared = new Map<string, Prepared>();
  const active = new Set<string>();
  let lastBeat = clock.mono();
  let gone = false;
  let acting = false;
  /** What waits for the safe orders that are under way: two at a time on one port would spoil each other's replies. */
  const following: (() => void)[] = [];
  const stopping = new Set<(unsafe: readonly string[]) => void>();
  let lastLook = clock.mono();

  const outputs = (names: Iterable<string>, kept = false): readonly Prepared[] =>
    [...names].flatMap((name) => {
      const p = prepared.get(name);
      return p?.outside && (kept || p.then === 'safe') ? [p] : [];
    });
  const acts = (work: (done: () => void) => void): void => {
    if (acting) {
      following.push(() => acts(work));
      return;
    }
    acting = true;
    work(() => {
      acting = false;
      following.shift()?.();
    });
  };

  /** First beside the host; when its ports are held, without the host. */
  const act = (wanted: readonly Prepared[], done: (unsafe: readonly Unsafe[]) => void): void => {
    if (wanted.length === 0) {
      done([]);
      return;
    }
    const finish = (unsafe: readonly Unsafe[]): void => {
      const bad = new Set(unsafe.map((u) => u.name));
      for (const p of wanted) if (!bad.has(p.name)) active.delete(p.name);
      done(unsafe);
    };
    if (gone) {
      options.makeSafe(wanted, LONGEST, finish);
      return;
    }
    options.makeSafe(wanted, PORT_WAIT, (unsafe) => {
      if (unsafe.length === 0) {
        finish([]);
        return;
      }
      const left = new Set(unsafe.map((u) => u.name));
      const again = wanted.filter((p) => left.has(p.name));
      // A host that beats is no obstacle: it tries by itself, and what does not answer it will hardly answer us. It goes on measuring.
      if (clock.mono() - lastBeat < SHORTEST) {
        options.makeSafe(again, BESIDE, finish);
        return;
      }
      told(`${unsafe.map((u) => u.name).join(', ')} not read back while the host holds the ports: the host is ended`);
      host.kill();
      options.makeSafe(again, LONGEST, finish);
    });
  };

  const report = (why: string, unsafe: readonly Unsafe[], wanted: readonly Prepared[]): void => {
    if (wanted.length === 0) return;
    if (unsafe.length === 0) told(`${why}: ${wanted.map((p) => p.name).join(', ')} made safe and read back`);
    for (const u of unsafe) told(`NO ANSWER from ${u.name} (${u.why}): use the wall button`);
  };

  const look = every(clock, LOOK, () => {
    host.send({ is: 'watch' });
    const now = clock.mono();
    const late = now - lastLook;
    lastLook = now;
    if (gone || acting || active.size === 0) return;
    // When we stood still ourselves, the host's beats are still in the pipe: hear them first.
    if (late > 5 * LOOK) return;
    const deadline = Math.max(SHORTEST, Math.min(...outputs(active).map((p) => p.deadline)));
    if (!(now - lastBeat > deadline)) return;
    const wanted = outputs(active);
    told(`no heartbeat from the host for ${(now - lastBeat).toFixed(2)} s: the guardian acts`);
    acts((free) =>
      act(wanted, (unsafe) => {
        report('the host hangs', unsafe, wanted);
        free();
      }),
    );
  });

  return {
    heard(message) {
      switch (message.is) {
        case 'prepare':
          prepared.set(message.prepared.name, message.prepared);
          return;
        case 'arm':
          if (stopping.size > 0) {
            host.send({ is: 'armed', name: message.name, why: 'a stop is being carried out' });
            return;
          }
          if (!prepared.has(message.name)) {
            host.send({ is: 'armed', name: message.name, why: `the guardian does not know ${message.name}` });
            return;
          }
          lastBeat = clock.mono();
          active.add(message.name);
          host.send({ is: 'armed', name: message.name });
          return;
        case 'release':
          active.delete(message.name);
          return;
        case 'beat':
          lastBeat = clock.mono();
          return;
        case 'stopped':
          for (const answer of [...stopping]) answer(message.unsafe);
          return;
        default:
          return;
      }
    },
    hostGone(done) {
      gone = true;
      acts((free) => {
        const wanted = outputs(active);
        act(wanted, (unsafe) => {
          report('the host is gone', unsafe, wanted);
          free();
          done(unsafe);
        });
      });
    },
    stop(why, done) {
      // Every output that could be hazardous, armed by us or not: who says stop means everything.
      const wanted = outputs(prepared.keys(), true);
      let answered = false;
      const byHost = (unsafe: readonly string[]): void => {
        if (answered || unsafe.length > 0) return;
        answered = true;
        stopping.delete(byHost);
        done({ by: 'host', unsafe: [] });
      };
      const byGuardian = (): void => {
        if (answered) return;
        acts((free) =>
          act(wanted, (unsafe) => {
            free();
            // The host may have been quicker after all.
            if (answered) return;
            answered = true;
            stopping.delete(byHost);
            report('stop', unsafe, wanted);
            done({ by: 'guardian', unsafe });
          }),
        );
      };
      if (gone) {
        byGuardian();
        return;
      }
      stopping.add(byHost);
      host.send({ is: 'stop', why });
      clock.after(STOP_WAIT, byGuardian);
    },
    get active() {
      return [...active];
    },
    close: look,
  };
}
