/**
 * One open question per link, and no reply is ever taken for another question's.
 *
 * After a time-out or a garbled reply, the narrowest thing by which replies can be told apart is distrusted: the unit where frames
 * carry an address, else the whole link. What is distrusted is asked its proof (a question whose answer no other question can give) and
 * all before that answer is dropped. Of n proofs sent, n answers must have come, or the longest reply time must have passed.
 */
import { Fault, type Protocol } from '../protocols/protocol.ts';
import type { Clock } from './clock.ts';
import {
  AFTER_SAFE,
  type Ended,
  type Exchange,
  type Exchanged,
  GIVEN_UP,
  type Job,
  type Member,
  SAFE,
  type Statistics,
} from './exchange-job.ts';
import type { Came } from './instrument.ts';
import type { Arrival, Link } from './link.ts';
import { type Key, trusts } from './trust.ts';

export { type Ended, type Exchange, type Exchanged, type Job, type Member, ORDER, POLL, SAFE, type Statistics } from './exchange-job.ts';
export type { Trust } from './trust.ts';

interface Open {
  readonly job: Job | undefined; // absent: a proof
  readonly key: Key;
  readonly q: unknown;
  readonly n: number;
  readonly id: number;
  readonly asked: number;
  readonly mono: number;
  readonly sent: Uint8Array;
  /** When it has waited long enough; seconds, monotonic. */
  until: number;
  /** Its time was over while the loop stood still, and it has been given some more. */
  spared?: boolean;
}

const EMPTY = new Uint8Array(0);
const NEVER = (): void => {};
const WRITE_RETRY = 0.001; // seconds between two attempts to hand a question to a busy port
const STUCK = 1; // seconds after which a port that takes nothing is said to be stuck
const SILENT = 3; // seconds without a byte after which a link whose instruments are all set aside is opened anew
const SAFE_RETRY = 0.002; // seconds between two attempts to hand a safe order to a busy port
const SAFE_REOPEN = 0.3; // seconds after which a port that takes no safe order is opened anew
const SAFE_PATIENCE = 3; // seconds after which the safe order counts as not given: whoever gave it gives it again
const LATE = 0.02; // seconds by which a time-out must be late before it is the loop that stood still
const SPARE = 0.05; // seconds that a question gets then
const FRAME_END = 0.004; // seconds of silence after which no frame is on a half-duplex line (3.5 characters at 9600 baud)

const faultOf = (error: unknown): string => `fault in the driver: ${error instanceof Error ? error.message : String(error)}`;

export interface ExchangeOptions {
  /** The longest time in seconds that a reply may come late and still come. */
  readonly latest?: number;
  readonly name?: string;
}

export function exchange(link: Link, protocol: Protocol<unknown, unknown>, clock: Clock, options: ExchangeOptions = {}): Exchange {
  let listeners: readonly ((exchanged: Exchanged) => void)[] = [];
  const stats: Statistics = {
    asked: 0,
    answered: 0,
    timeouts: 0,
    garbled: 0,
    dropped: 0,
    noise: 0,
    proofs: 0,
    latencySum: 0,
    latencyMax: 0,
  };
  const latest = options.latest ?? 2;
  const members: Member[] = [];
  const queue: Job[] = [];
  let decoder = protocol.tells.decoder();
  let open: Open | undefined;
  let up = false;
  let closed = false;
  let holder: object | undefined;
  let hearing = false;
  const safes: { readonly job: Job; readonly since: number }[] = [];
  let retry = NEVER;
  let stuckSince: number | undefined;
  let reopened = Number.NEGATIVE_INFINITY;
  const holders: { readonly token: object; readonly granted: () => void }[] = [];
  let count = 0;
  let ids = 0;
  let submitted = 0;
  let recorded = 0;
  let pace = 0;
  let readyAt = Number.NEGATIVE_INFINITY;
  let lastArrival = Number.NEGATIVE_INFINITY;
  let waking = false;
  let watchAt = Number.POSITIVE_INFINITY;
  let unwatch = NEVER;
  let pumping = false;

  const keyOf = (q: unknown): string => (protocol.unit ? String(protocol.unit(q) ?? '') : '');
  const memberKey = (m: Member): Key => {
    try {
      return keys.named(m.proof ? keyOf(m.proof.ask(0)) : '');
    } catch {
      return keys.named(''); // a fault of the driver's, told when its proof is asked
    }
  };

  const finish = (job: Job, ended: Ended): void => {
    job.done(ended);
  };

  const record = (o: Open, fault?: string, came?: number, reply?: Uint8Array): void => {
    const member = o.job ?? members.find((m) => memberKey(m) === o.key);
    const exchanged: Exchanged = {
      id: o.id,
      instrument: member?.instrument ?? '',
      role: member?.role ?? '',
      by: o.job?.by ?? 'proof',
      asked: o.asked,
      sent: o.sent,
      came,
      reply,
      fault,
      nth: o.job?.put?.nth,
      behind: o.job?.put && recorded > o.job.put.ended ? recorded - o.job.put.ended : undefined,
    };
    recorded++;
    for (const listener of listeners) listener(exchanged);
  };

  const shut = (): Open | undefined => {
    const was = open;
    open = undefined;
    return was;
  };

  /** One timer for all questions, not one for each: it rings no later than the open one's time is up, and is set again if that is later. */
  const watch = (until: number, now: number): void => {
    if (watchAt <= until) return;
    unwatch();
    watchAt = until;
    unwatch = clock.after(until - now, () => {
      watchAt = Number.POSITIVE_INFINITY;
      if (!open) return;
      const rung = clock.mono();
      if (open.until - rung > 1e-6) watch(open.until, rung);
      else if (rung - open.until > LATE && !open.spared) {
        // The loop stood still: what has come meanwhile has not been read yet.
        open.spared = true;
        open.until = rung + SPARE;
        watch(open.until, rung);
      } else timedOut();
    });
  };

  const failQueued = (key: Key, why: string): void => {
    const failed = queue.filter((job) => job.urgency !== SAFE && keys.named(keyOf(job.q)) === key);
    for (const job of failed) queue.splice(queue.indexOf(job), 1);
    for (const job of failed) finish(job, { ok: false, why, sent: false });
  };

  const keys = trusts(clock, {
    latest,
    exact: protocol.apart === 'question',
    tell(key, trust) {
      for (const m of members) if (memberKey(m) === key) m.trusted(trust);
    },
    fail: failQueued,
    silent() {
      if (clock.mono() - lastArrival > SILENT) link.reopen();
    },
    go: () => pump(),
  });

  const timedOut = (): void => {
    const o = shut();
    if (!o) return;
    readyAt = clock.mono() + pace;
    if (!o.job) {
      record(o, 'no answer');
      keys.silent(o.key);
      return;
    }
    stats.timeouts++;
    record(o, 'no answer');
    keys.distrust(o.key, 'no answer');
    finish(o.job, { ok: false, why: `no answer within ${o.job.within} s`, sent: true });
    pump();
  };

  /** The question with its number and its bytes; a sentence where no wire can carry it, which is a mistake of the driver's. */
  const bytesOf = (job: Job | undefined, key: Key, n: number): { readonly q: unknown; readonly sent: Uint8Array } | string => {
    try {
      const raw: unknown = job ? job.q : key.proof?.ask(n);
      const q = protocol.number ? protocol.number(raw, n) : raw;
      return { q, sent: protocol.asks.encode(q) };
    } catch (error) {
      return faultOf(error);
    }
  };

  const send = (job: Job | undefined, key: Key, mono: number): void => {
    const n = ++count;
    const encoded = bytesOf(job, key, n);
    if (typeof encoded === 'string') {
      if (!job) keys.unaskable(key, encoded);
      else finish(job, { ok: false, why: encoded, sent: false });
      return;
    }
    const { q, sent } = encoded;
    const asked = clock.now();
    const reply = job ? job.reply : true;
    const within = job ? job.within : key.within;
    const o: Open = { job, key, q, n, id: ++ids, asked, mono, sent, until: mono + within };
    // The question is open before its bytes go: a link in the same process may answer inside write().
    if (reply) {
      open = o;
      watch(o.until, mono);
    }
    readyAt = mono + pace;
    if (!job) key.sent++;
    if (!link.write(sent, reply)) {
      // The link went down with it, or a safe order took its place: it has been ended, and must not go out again.
      if (reply && open !== o) return;
      shut();
      if (!job) key.sent--;
      if (job && !up) {
        finish(job, { ok: false, why: 'link down', sent: false });
        return;
      }
      // A port whose last write has not been called back yet takes the next in a moment; one that is stuck takes none.
      stuckSince ??= mono;
      if (mono - stuckSince < STUCK) {
        if (job) queue.unshift(job);
        readyAt = Math.max(readyAt, mono + WRITE_RETRY);
        return;
      }
      record(o, 'not written');
      if (job) finish(job, { ok: false, why: 'the link does not take bytes', sent: false });
      else keys.silent(key);
      return;
    }
    stuckSince = undefined;
    stats.asked++;
    if (!job) stats.proofs++;
    if (!reply && job) {
      record(o);
      finish(job, { ok: true, m: undefined, came: { asked, t: clock.now() } });
    }
  };

  const next = (): { job: Job | undefined; key: Key } | undefined => {
    const due = keys.due();
    if (due && !holder) return { job: undefined, key: due };
    let best = -1;
    let chosen: Key | undefined;
    for (let i = 0; i < queue.length; i++) {
      const job = queue[i];
      if (holder && job.token !== holder) continue;
      if (best >= 0 && queue[best].urgency >= job.urgency) continue;
      const key = keys.named(keyOf(job.q));
      if (key.state !== 'proven') continue;
      best = i;
      chosen = key;
    }
    // A holder whose key has lost trust cannot go on before the proof.
    if (!chosen) return due && { job: undefined, key: due };
    return { job: best === 0 ? queue.shift() : queue.splice(best, 1)[0], key: chosen };
  };

  const noisy = (): boolean => {
    const held = decoder(EMPTY);
    if (held.length === 0) return false;
    stats.noise += held.length;
    if (protocol.apart !== undefined) return false;
    const key = keys.named('');
    if (key.state !== 'proven') return false;
    keys.distrust(key, 'bytes that nobody asked for');
    return true;
  };

  function pump(): void {
    if (pumping || hearing || closed) return;
    pumping = true;
    try {
      while (up && !open && safes.length === 0 && (queue.length > 0 || keys.due() !== undefined)) {
        const now = clock.mono();
        const wait = readyAt - now;
        if (wait > 1e-6) {
          if (!waking) {
            waking = true;
            clock.after(wait, () => {
              waking = false;
              pump();
            });
          }
          return;
        }
        if (link.framing === 'stream' && noisy()) continue;
        const chosen = next();
        if (!chosen) return;
        const { job, key } = chosen;
        const late = job?.void?.();
        if (job && late !== undefined) {
          finish(job, { ok: false, why: late, sent: false });
          continue;
        }
        send(job, key, now);
      }
    } finally {
      pumping = false;
    }
  }

  const answered = (o: Open, m: unknown, a: Arrival): void => {
    shut();
    readyAt = a.mono + pace;
    const latency = a.mono - o.mono;
    stats.answered++;
    stats.latencySum += latency;
    stats.latencyMax = Math.max(stats.latencyMax, latency);
    record(o, undefined, a.t, protocol.tells.encode(m));
    if (o.job) finish(o.job, { ok: true, m, came: { asked: o.asked, t: a.t, name: a.name } });
    else keys.answered(o.key, o.mono);
  };

  /** True when a member takes it for a message of its stream. */
  const streamed = (m: unknown, a: Arrival): boolean => {
    const came: Came = { asked: a.t, t: a.t, name: a.name };
    return members.some((member) => member.unasked?.(m, came));
  };

  const heard = (m: unknown, a: Arrival): void => {
    if (open) {
      const fit = protocol.fits(m, open.q);
      if (fit === 'answer' && !open.job && !keys.proves(open.key, m, open.n)) {
        stats.dropped++; // from before the proof
        return;
      }
      if (fit === 'answer') {
        answered(open, m, a);
        return;
      }
      if (!streamed(m, a)) stats.dropped++;
      return;
    }
    if (streamed(m, a)) return;
    stats.dropped++;
    if (protocol.apart !== undefined) return;
    const key = keys.named('');
    if (key.state === 'settling') keys.late(key, m, count);
    else if (key.state === 'proven') keys.distrust(key, 'a reply that nobody asked for');
  };

  const onNoise = (fault: Fault): void => {
    stats.noise++;
    if (protocol.apart !== undefined) return; // checksums and addresses: the true reply may still come
    const key = keys.named('');
    if (open?.job) {
      const o = shut();
      if (!o?.job) return;
      stats.garbled++;
      record(o, fault.fault, clock.now(), fault.bytes);
      keys.distrust(key, 'garbled reply');
      finish(o.job, { ok: false, why: `garbled reply (${fault.fault})`, sent: true });
    } else if (!open && key.state === 'proven') keys.distrust(key, 'noise');
  };

  /**
   * Safe orders' bytes: nothing waits in front of them, and the link is distrusted after. They wait only for a write that the port has
   * not taken yet, for a frame that is on a half-duplex line, and for a link that is down; a port that stays stuck is opened anew.
   */
  const flushSafe = (): void => {
    retry();
    retry = NEVER;
    while (safes.length > 0) {
      const [{ job, since }] = safes;
      const waited = clock.mono() - since;
      const onWire = link.halfDuplex === true && open !== undefined && clock.mono() - lastArrival < FRAME_END && waited < SAFE_REOPEN;
      // Off the list before its bytes go: its end may bring the next safe order in here.
      if (up && !onWire) {
        safes.shift();
        if (sendSafe(job)) continue;
        safes.unshift({ job, since });
      }
      if (waited > SAFE_PATIENCE) {
        safes.shift();
        finish(job, { ok: false, why: up ? 'the link does not take bytes' : 'link down', sent: false });
        continue;
      }
      if (up && waited > SAFE_REOPEN && clock.mono() - reopened > SAFE_REOPEN) {
        reopened = clock.mono();
        link.reopen();
      }
      retry = clock.after(SAFE_RETRY, flushSafe);
      return;
    }
    pump();
  };

  const sendSafe = (job: Job): boolean => {
    const key = keys.named(keyOf(job.q));
    const n = ++count;
    const encoded = bytesOf(job, key, n);
    if (typeof encoded === 'string') {
      finish(job, { ok: false, why: encoded, sent: false });
      return true;
    }
    const { q, sent } = encoded;
    const asked = clock.now();
    const mono = clock.mono();
    const before = open;
    const o: Open = { job, key, q, n, id: ++ids, asked, mono, sent, until: mono + job.within };
    // The question is open before its bytes go, as in send(); the one that was open is only given up when they have gone.
    open = job.reply ? o : undefined;
    if (open) watch(o.until, mono);
    if (!link.write(sent, job.reply, true)) {
      open = before;
      return false;
    }
    stats.asked++;
    readyAt = mono + pace;
    decoder(EMPTY);
    if (before) {
      record(before, GIVEN_UP);
      keys.distrust(before.key, GIVEN_UP);
    }
    if (before || key.state !== 'proven') keys.distrust(key, AFTER_SAFE);
    if (!job.reply) {
      record(o);
      finish(job, { ok: true, m: undefined, came: { asked, t: clock.now() } });
    }
    if (before?.job) finish(before.job, { ok: false, why: GIVEN_UP, sent: true });
    return true;
  };

  const arrivals = link.arrivals.subscribe((a) => {
    lastArrival = a.mono;
    // No question goes out before the whole arrival has been heard: what follows an answer in it must not answer the next.
    hearing = true;
    try {
      for (const m of decoder(a.bytes)) {
        if (m instanceof Fault) onNoise(m);
        else heard(m, a);
      }
    } finally {
      hearing = false;
    }
    pump();
  });

  const states = link.up.subscribe((now) => {
    if (now === up) return;
    up = now;
    decoder = protocol.tells.decoder();
    if (!up) {
      const o = shut();
      if (o) record(o, 'link down');
      keys.down();
      if (o?.job) finish(o.job, { ok: false, why: 'link down', sent: true });
      for (const job of queue.splice(0)) finish(job, { ok: false, why: 'link down', sent: false });
      for (const m of members) m.trusted({ proven: false, why: 'link down' });
      return;
    }
    readyAt = Number.NEGATIVE_INFINITY;
    flushSafe();
    for (const m of members) if (!m.proof) m.trusted({ proven: true });
    pump();
  });

  return {
    exchanged: {
      subscribe(listener) {
        listeners = [...listeners, listener];
        return {
          unsubscribe() {
            listeners = listeners.filter((one) => one !== listener);
          },
        };
      },
    },
    stats,
    get isUp() {
      return up;
    },
    get waiting() {
      return queue.length;
    },
    join(member) {
      members.push(member);
      pace = Math.max(pace, member.pace);
      if (member.proof) {
        keys.add(memberKey(member), member.proof, member.within);
        pump();
      } else if (up) member.trusted({ proven: true });
    },
    submit(job) {
      job.put = { nth: ++submitted, ended: recorded };
      let key: Key;
      try {
        key = keys.named(keyOf(job.q));
      } catch (error) {
        finish(job, { ok: false, why: faultOf(error), sent: false });
        return;
      }
      if (job.urgency === SAFE && !closed) {
        safes.push({ job, since: clock.mono() });
        flushSafe();
        return;
      }
      if (closed || !up) {
        finish(job, { ok: false, why: 'link down', sent: false });
        return;
      }
      if (key.state === 'aside') {
        finish(job, { ok: false, why: key.why, sent: false });
        return;
      }
      queue.push(job);
      pump();
    },
    doubt(instrument, role, why) {
      const member = members.find((m) => m.instrument === instrument && m.role === role);
      stats.garbled++;
      if (member) keys.distrust(memberKey(member), why);
      pump();
    },
    hold(token, granted) {
      if (holder && holder !== token) {
        holders.push({ token, granted });
        return;
      }
      holder = token;
      granted();
    },
    release(token) {
      const at = holders.findIndex((h) => h.token === token);
      if (at >= 0) holders.splice(at, 1);
      if (holder !== token) return;
      const following = holders.shift();
      holder = following?.token;
      following?.granted();
      pump();
    },
    close() {
      closed = true;
      arrivals.unsubscribe();
      states.unsubscribe();
      keys.close();
      const o = shut();
      unwatch();
      retry();
      if (o?.job) finish(o.job, { ok: false, why: 'closed', sent: true });
      for (const { job } of safes.splice(0)) finish(job, { ok: false, why: 'closed', sent: false });
      for (const job of queue.splice(0)) finish(job, { ok: false, why: 'closed', sent: false });
      listeners = [];
      link.close();
    },
  };
}
