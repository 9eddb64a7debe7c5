/** Watches the host and keeps hazardous outputs safe when the host cannot: it dies, hangs, or is told to stop. No physics, no disk. */
import { type Clock, every } from '../clock.ts';
import type { Prepared, ToGuardian, ToHost } from './armed.ts';
import type { SafeMaker, Securing, Unsafe } from './make-safe.ts';

export interface HostPort {
  send(message: ToHost): void;
  /** The host is ended; its ports will be free. */
  kill(): void;
}

/** What must outlive a power cut: see record.ts. */
export interface Recorded {
  /** Calls back when it is on the disk, at once where it is there already; with the reason where it cannot be written. */
  arm(name: string, done: (why?: string) => void): void;
  /** It was never switched on. */
  drop(name: string): void;
  safe(name: string, by: 'host' | 'guardian'): void;
  unanswered(name: string, why: string): void;
}

export interface Stopped {
  readonly by: 'host' | 'guardian';
  readonly unsafe: readonly Unsafe[];
}

export interface Guardian {
  /** A message from the host. */
  heard(message: ToGuardian): void;
  /** The host's process has ended. `done` is called when all armed outputs are safe, or the time is over. */
  hostGone(done: (unsafe: readonly Unsafe[]) => void): void;
  /** Everything safe now, whoever hangs. Waits for nothing that is under way. */
  stop(why: string, done: (result: Stopped) => void): void;
  /** No lease is armed while there is a reason. */
  forbid(why: string | undefined): void;
  /** The leases that are armed. */
  readonly active: readonly string[];
  /** Those of them that the rig keeps as they are when the host is gone. */
  readonly kept: readonly string[];
  /** Seconds since the host's main loop was last heard. */
  readonly silence: number;
  close(): void;
}

export interface GuardianOptions {
  readonly clock: Clock;
  readonly host: HostPort;
  readonly maker: SafeMaker;
  readonly record?: Recorded;
  readonly told: (text: string) => void;
}

const LOOK = 0.02; // seconds between two looks at the heartbeat
const STOP_WAIT = 0.35; // what the host gets to answer a stop before the guardian acts itself
const PORT_WAIT = 0.3; // what an output gets beside a hung host, which may hold its port, before the host is ended
const BESIDE = 2; // seconds of trying beside a host that lives
const ALONE = 2; // seconds that a host which lives gets by itself where two who speak at once take each other's replies
const LONGEST = 10; // seconds of repeating before a person must act
const SHORTEST = 0.25; // a loop that is late by less is not hung
const RECORD_WAIT = 0.5; // seconds that the disk gets to take the record of an arming
const SILENT = 5; // seconds after which a host that was heard before is said to hang, also where nothing is on
const SLEPT = 0.05; // seconds by which the two clocks differ when the machine has slept

/** On a serial line, itself or the adapter in front of it: there is one set of replies for all who read it. */
const onLine = ({ links, carriers }: Prepared): boolean =>
  [links, ...Object.values(carriers).map((c) => c.links)].some((each) =>
    Object.values(each).some((address) => address.startsWith('serial:')),
  );

/** Safe orders of one cause, under way together. */
interface Job {
  securing?: Securing;
  /** When it began, or began again without the host. */
  since: number;
  /** There is no host beside it. */
  alone: boolean;
}

export function guardian(options: GuardianOptions): Guardian {
  const { clock, host, told, maker, record } = options;
  const prepared = new Map<string, Prepared>();
  /** Armed leases, with the time at which a beat last named them. */
  const armed = new Map<string, number>();
  /** Made safe by us while a host that lives may still think that they are armed. */
  const rested = new Set<string>();
  /** Armings that wait for the disk. */
  const asking = new Map<string, object>();
  /** What a host that lives tries by itself and we have tried beside it in vain. */
  const leftToHost = new Set<string>();
  const unanswered = new Map<string, string>();
  const jobs = new Set<Job>();
  /** Who waits for an output that is being made safe. */
  const following = new Map<string, ((why?: string) => void)[]>();
  const stopping = new Set<(unsafe: readonly string[]) => void>();
  /** For each stop that is under way: what the host has read back since it was told. */
  const byTheHost = new Set<Set<string>>();
  let slept = 0;
  const offset = clock.boot() - clock.mono();
  let gone = false;
  let killed = false;
  let forbidden: string | undefined;
  let heard = false;
  let silent = false;

  /** The monotonic clock and the time that the machine has slept. */
  const time = (): number => clock.mono() + slept;
  let lastBeat = time();
  let lastLook = time();
  let notBefore = Number.NEGATIVE_INFINITY;
  /** The beat after which the host has had that moment. */
  let waitedFor = Number.NEGATIVE_INFINITY;
  const silence = (): number => time() - lastBeat;
  const beats = (): boolean => !gone && !killed && silence() < SHORTEST;

  const outputs = (names: Iterable<string>, kept = false): readonly Prepared[] =>
    [...names].flatMap((name) => {
      const p = prepared.get(name);
      return p?.outside && (kept || p.then === 'safe') ? [p] : [];
    });

  const settle = (name: string, by: 'host' | 'guardian', why?: string): void => {
    if (why === undefined) {
      armed.delete(name);
      leftToHost.delete(name);
      if (by === 'guardian' && !gone) rested.add(name);
      else rested.delete(name);
      record?.safe(name, by);
      if (unanswered.delete(name)) told(`${name} is safe after all, read back by the ${by}`);
    } else record?.unanswered(name, why);
    const all = following.get(name) ?? [];
    following.delete(name);
    for (const one of all) one(why);
  };

  /** Makes these safe; what is under way already is waited for. */
  const secure = (wanted: readonly Prepared[], done: (unsafe: readonly Unsafe[]) => void): void => {
    const reasons = new Map<string, string>();
    let open = wanted.length;
    const end = (): void => done(wanted.flatMap(({ name }) => (reasons.has(name) ? [{ name, why: reasons.get(name) ?? '' }] : [])));
    if (open === 0) {
      end();
      return;
    }
    const fresh = wanted.filter((p) => !following.has(p.name));
    for (const { name } of wanted) {
      const heard = (why?: string): void => {
        if (why !== undefined) reasons.set(name, why);
        if (--open === 0) end();
      };
      following.set(name, [...(following.get(name) ?? []), heard]);
    }
    if (fresh.length === 0) return;
    const job: Job = { since: clock.mono(), alone: gone || killed };
    jobs.add(job);
    job.securing = maker.begin(fresh, (name) => {
      if (following.has(name)) settle(name, 'guardian');
    });
  };

  const withoutHost = (): void => {
    if (jobs.size === 0) return;
    for (const job of jobs) {
      job.alone = true;
      job.since = clock.mono();
    }
    maker.afresh();
  };

  /** First beside the host; when its ports are held, without the host. */
  const step = (job: Job): void => {
    const left = job.securing?.left.filter((u) => following.has(u.name)) ?? [];
    const now = clock.mono();
    const giveUp = left.length > 0 && now - Math.max(job.since, ...left.map((u) => u.asked ?? now)) > (job.alone ? LONGEST : BESIDE);
    if (left.length === 0 || giveUp) {
      jobs.delete(job);
      job.securing?.end();
      for (const { name, why } of left) {
        if (!job.alone) leftToHost.add(name);
        settle(name, 'guardian', why);
      }
      return;
    }
    // A host that beats is no obstacle: it tries by itself, and what does not answer it will hardly answer us. It goes on measuring.
    if (job.alone || beats()) return;
    const held = left.filter((u) => u.asked !== undefined && now - u.asked > PORT_WAIT).map((u) => u.name);
    if (held.length === 0) return;
    told(`${held.join(', ')} not read back while the host holds the ports: the host is ended`);
    killed = true;
    host.kill();
    withoutHost();
  };

  const report = (why: string, unsafe: readonly Unsafe[], wanted: readonly Prepared[]): void => {
    const bad = new Set(unsafe.map((u) => u.name));
    const good = wanted.filter((p) => !bad.has(p.name)).map((p) => p.name);
    if (good.length > 0) told(`${why}: ${good.join(', ')} made safe and read back`);
    for (const u of unsafe) {
      if (unanswered.get(u.name) === u.why) continue;
      unanswered.set(u.name, u.why);
      told(`NO ANSWER from ${u.name} (${u.why}): use the wall button`);
    }
  };

  const look = every(clock, LOOK, () => {
    host.send({ is: 'watch' });
    const difference = clock.boot() - clock.mono() - offset;
    if (difference - slept > SLEPT) slept = difference;
    const now = time();
    const late = now - lastLook;
    lastLook = now;
    // When we stood still ourselves, the host's beats are still in the pipe: hear them first. One that stood still with us gets a moment,
    // but no second one before it has been heard: a machine on which we are late again and again must not keep us from acting.
    if (late > 5 * LOOK && waitedFor !== lastBeat) {
      waitedFor = lastBeat;
      notBefore = now + SHORTEST;
      return;
    }
    for (const job of [...jobs]) step(job);
    if (gone || now < notBefore) return;
    if (heard && !silent && !killed && silence() > SILENT) {
      silent = true;
      told(`the host has not been heard for ${SILENT} s: nothing is read, and no order is taken`);
    }
    const alive = beats();
    if (!alive) leftToHost.clear();
    const due = outputs(armed.keys()).filter((p) => {
      const { name, deadline } = p;
      const since = armed.get(name) ?? now;
      const patience = alive && onLine(p) ? ALONE : 0;
      return now - since > Math.max(SHORTEST, deadline) + patience && !following.has(name) && !leftToHost.has(name);
    });
    if (due.length === 0) return;
    const names = due.map((p) => p.name).join(', ');
    if (alive) told(`no evidence for ${names} within its deadline: the guardian acts beside the host`);
    else told(`no heartbeat from the host for ${silence().toFixed(2)} s: the guardian acts on ${names}`);
    secure(due, (unsafe) => report(alive ? 'no evidence' : 'the host hangs', unsafe, due));
  });

  const arm = (name: string): void => {
    const refuse = (why: string): void => host.send({ is: 'armed', name, why });
    const hindrance = (): string | undefined =>
      stopping.size > 0
        ? 'a stop is being carried out'
        : (forbidden ?? (following.has(name) ? 'the guardian is making it safe' : undefined));
    const p = prepared.get(name);
    const not = p ? hindrance() : `the guardian does not know ${name}`;
    if (not !== undefined) {
      refuse(not);
      return;
    }
    const confirm = (): void => {
      const why = hindrance();
      if (why !== undefined) {
        if (!armed.has(name)) record?.drop(name);
        refuse(why);
        return;
      }
      rested.delete(name);
      armed.set(name, time());
      host.send({ is: 'armed', name });
    };
    if (!record || !p?.outside) {
      confirm();
      return;
    }
    const mine = {};
    asking.set(name, mine);
    const end = (why?: string): void => {
      cancel();
      if (asking.get(name) !== mine) {
        if (!armed.has(name) && !asking.has(name)) record.drop(name);
        return;
      }
      asking.delete(name);
      if (why === undefined) confirm();
      else {
        if (!armed.has(name)) record.drop(name);
        refuse(`the record of armed outputs cannot be written (${why}): nothing hazardous without it`);
      }
    };
    const cancel = clock.after(RECORD_WAIT, () => end(`the disk has not answered for ${RECORD_WAIT} s`));
    record.arm(name, end);
  };

  return {
    heard(message) {
      switch (message.is) {
        case 'prepare':
          prepared.set(message.prepared.name, message.prepared);
          return;
        case 'arm':
          arm(message.name);
          return;
        case 'release':
          asking.delete(message.name);
          for (const safe of byTheHost) safe.add(message.name);
          settle(message.name, 'host');
          return;
        case 'beat':
          if (silent) told(`the host is heard again, after ${silence().toFixed(1)} s`);
          heard = true;
          silent = false;
          lastBeat = time();
          for (const name of message.active) {
            // The host goes on with what we have made safe: it is watched again.
            if (rested.delete(name)) record?.arm(name, () => {});
            else if (!armed.has(name)) continue;
            armed.set(name, lastBeat);
            leftToHost.delete(name);
          }
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
      withoutHost();
      const wanted = outputs(armed.keys());
      const others = outputs(following.keys(), true).filter((p) => !wanted.includes(p));
      secure([...wanted, ...others], (unsafe) => {
        report('the host is gone', unsafe, wanted);
        done(unsafe);
      });
    },
    stop(why, done) {
      let answered = false;
      const safe = new Set<string>();
      byTheHost.add(safe);
      const answer = (result: Stopped): void => {
        if (answered) return;
        answered = true;
        stopping.delete(byHost);
        byTheHost.delete(safe);
        done(result);
      };
      const byHost = (unsafe: readonly string[]): void => {
        if (unsafe.length === 0) answer({ by: 'host', unsafe: [] });
      };
      const byGuardian = (): void => {
        if (answered) return;
        // Every output that could be hazardous, armed by us or not: who says stop means everything. What the host has read back since is.
        const wanted = outputs(prepared.keys(), true).filter(({ name }) => !safe.has(name));
        const inside = [...prepared.values()].filter((p) => !p.outside);
        const later = beats() ? wanted.filter(onLine) : [];
        const all: Unsafe[] = [];
        let open = later.length > 0 ? 2 : 1;
        const end = (more: readonly Unsafe[]): void => {
          if (!answered) answer({ by: 'guardian', unsafe: [...all, ...more] });
        };
        const act = (some: readonly Prepared[]): void =>
          secure(some, (unsafe) => {
            // The host may have been quicker after all.
            if (answered) return;
            report('stop', unsafe, some);
            all.push(...unsafe);
            if (--open > 0) return;
            // Simulators in the host's own process: only the host reaches them, and they die with it.
            if (gone || inside.length === 0) end([]);
            else
              clock.after(BESIDE, () =>
                end(gone ? [] : inside.map(({ name }) => ({ name, why: 'it is simulated in the host, which does not answer' }))),
              );
          });
        act(wanted.filter((p) => !later.includes(p)));
        if (later.length > 0) clock.after(ALONE, () => act(later.filter(({ name }) => !safe.has(name))));
      };
      if (gone) {
        byGuardian();
        return;
      }
      stopping.add(byHost);
      host.send({ is: 'stop', why });
      clock.after(beats() ? STOP_WAIT : 0, byGuardian);
    },
    forbid(why) {
      forbidden = why;
    },
    get active() {
      return [...armed.keys()];
    },
    get kept() {
      return [...armed.keys()].filter((name) => prepared.get(name)?.then === 'keep');
    },
    get silence() {
      return silence();
    },
    close: look,
  };
}
