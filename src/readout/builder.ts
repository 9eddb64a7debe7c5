/**
 * Events of several boards that share a clock and are reset together, while data come: hits of all boards in one order, events by time, and
 * the physics of the whole detector. No socket and no timer: the process that builds runs it beside both, a simulated run where it is.
 */
import { chainOf, type Physics, type PhysicsPlan } from '../derive/detector-plan.ts';
import { copyHit, FLAG, type Hits } from '../derive/hits.ts';
import { type TimeMerge, timeMerge } from '../derive/time-merge.ts';
import { bad, type Given, type Values } from '../reading.ts';
import type { FeedState } from './feed-bytes.ts';

/** One board, as its own instrument has it. */
export interface BuiltBoard {
  readonly name: string;
  /** Its channel numbers. */
  readonly first: number;
  readonly channels: number;
  /** Nanoseconds to be added to its times: cables, and counters that do not begin together. */
  readonly offset: number;
  /** Nanoseconds after which its counter begins again. */
  readonly period?: number;
}

export interface BuilderOptions {
  readonly boards: readonly BuiltBoard[];
  /** Seconds that a board may be behind the others before it is not waited for. */
  readonly hold: number;
  /** Of the whole detector; with `within`. */
  readonly physics: PhysicsPlan;
  /** Microseconds since 1970. */
  readonly begin: number;
}

export const BOARD_WORDS = ['there', 'silent', 'absent', 'apart'] as const;
type BoardWord = (typeof BOARD_WORDS)[number];

export interface Builder {
  hits(board: number, block: Hits, zero: number, t: number): void;
  state(board: number, state: FeedState, t: number): void;
  /** Nothing comes from its reader any more. */
  gone(board: number, t: number): void;
  /** By the names of BUILDER_GIVES and those of the physics. */
  look(t: number): Values;
  clear(t: number): void;
}

/** Part of `hold` by which counters that were reset together may seem to differ, by when their bytes come. */
const TOGETHER = 0.25;
/** By so much a board's clock may run slower than the host's: 200 parts in a million. */
const DRIFT = 2e-4;
/** Seconds without a hit after which a board is silent. */
const SILENT = 10;
/** Seconds between two readings of how many events are of several boards. */
const SHARED = 10;
/** Events of the first of them. */
const FEW = 10;
/** Nanoseconds by which a block may begin before the one before has ended: a record's length, generously. */
const DISORDER = 20_000;
/** Seconds by which the time of arrival may be wrong. */
const COARSE = 10;

interface Seat {
  readonly board: BuiltBoard;
  /** As its reader says: its stream is there. */
  up: boolean;
  /** It has given a hit since. */
  gives: boolean;
  /** Seconds between its counter and the host's clock, by the least that its bytes have been under way. NaN before its first hit. */
  apart: number;
  /** The time of its last hit, as all boards have it. */
  latest: number;
  /** Nanoseconds that its times have more than its counter, in its reader and here. */
  zero: number;
  added: number;
  heard: number;
  hits: number;
  /** As its reader told them last, and how much they have grown here. */
  told: { dead: number; lost: number } | undefined;
  dead: number;
  lost: number;
}

/** A sentence for what is wrong with the plan. */
export function builder({ boards, hold, physics: plan, begin }: BuilderOptions): Builder | string {
  const physics = chainOf(plan);
  return typeof physics === 'string' ? `physics: ${physics}` : new Building(boards, hold, plan, physics, begin);
}

class Building implements Builder {
  readonly #seats: readonly Seat[];
  readonly #merge: TimeMerge;
  readonly #physics: Physics;
  readonly #shared: Shared;
  /** Seconds. */
  readonly #tolerance: number;
  #begin: number;
  /** Time counts from the first hit on. */
  #started = false;
  #whole = false;
  #built = 0;
  /** While it is not whole: the latest time that any board has had meanwhile. */
  #missed = Number.NEGATIVE_INFINITY;
  /** Since when not all boards have been together, and seconds of that before. */
  #brokenSince: number;
  #broken = 0;
  #before: { t: number; dead: number; hits: readonly number[] };
  #clear: { dead: number };
  /** Times between which one board was missing: what others had then is no event. */
  #hole = { after: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };
  readonly #give = (block: Hits): void => {
    outside(block, this.#hole);
    this.#built += block.count;
    this.#shared.take(block);
    this.#physics.take(block);
  };

  constructor(boards: readonly BuiltBoard[], hold: number, plan: PhysicsPlan, physics: Physics, begin: number) {
    this.#seats = boards.map((board) => ({
      ...{
        board,
        up: false,
        gives: false,
        apart: Number.NaN,
        latest: Number.NEGATIVE_INFINITY,
        zero: 0,
        added: 0,
        heard: Number.NEGATIVE_INFINITY,
        hits: 0,
      },
      ...{ told: undefined, dead: 0, lost: 0 },
    }));
    this.#merge = timeMerge({
      hold: hold * 1e9,
      boards: boards.map(({ period }) => ({
        disorder: DISORDER,
        ...(period !== undefined && 4 * COARSE * 1e9 < period ? { rollOver: { period, coarse: COARSE * 1e9 } } : {}),
      })),
    });
    this.#physics = physics;
    this.#shared = new Shared(boards, plan.within ?? 0);
    this.#tolerance = TOGETHER * hold;
    this.#begin = begin;
    this.#brokenSince = begin;
    this.#before = { t: begin, dead: 0, hits: boards.map(() => 0) };
    this.#clear = { dead: 0 };
  }

  hits(index: number, block: Hits, zero: number, t: number): void {
    const seat = this.#seats[index];
    if (!seat || block.count === 0) return;
    const { offset } = seat.board;
    // By the last hit, which came just now.
    const apart = ((block.t[block.count - 1] as number) - zero + offset) / 1e9 - t / 1e6; // count is above 0
    const anew = Number.isNaN(seat.apart) || zero !== seat.zero;
    seat.apart = anew ? apart : Math.max(apart, seat.apart - (DRIFT * Math.max(0, t - seat.heard)) / 1e6);
    if (anew) [seat.zero, seat.added] = [zero, zero];
    // Counters that were reset together go on as one: the first of them by the host's clock, the others as it does.
    const with_ = this.#seats.find((one, i) => (anew ? one !== seat : i < index) && this.#inStep(one, seat));
    if (with_) seat.added = with_.added;
    if (!this.#started) {
      this.#started = true;
      [this.#begin, this.#brokenSince] = [t, t];
      this.#before = { ...this.#before, t };
    }
    seat.hits += block.count;
    seat.heard = t;
    seat.gives = seat.up;
    const shift = seat.added - zero + offset;
    const latest = (block.t[block.count - 1] as number) + shift; // count is above 0
    seat.latest = Math.max(latest, anew ? Number.NEGATIVE_INFINITY : seat.latest);
    // What comes while it is not whole, and the block that makes it whole, has no counterpart for certain.
    const before = this.#whole;
    if (!before) this.#missed = Math.max(this.#missed, latest + DISORDER);
    this.#weigh(t);
    if (!before || !this.#whole) return;
    if (shift !== 0) for (let i = 0; i < block.count; i++) block.t[i] = (block.t[i] as number) + shift; // i < count
    this.#merge.take(index, block, t, this.#give);
  }

  state(index: number, { up, dead, lost }: FeedState, t: number): void {
    const seat = this.#seats[index];
    if (!seat) return;
    if (!up || !seat.up) seat.gives = false;
    seat.up = up;
    // A reader that begins anew counts from nothing.
    seat.dead += Math.max(0, dead - (seat.told?.dead ?? dead));
    seat.lost += Math.max(0, lost - (seat.told?.lost ?? lost));
    seat.told = { dead, lost };
    this.#weigh(t);
  }

  gone(index: number, t: number): void {
    const seat = this.#seats[index];
    if (!seat) return;
    [seat.up, seat.gives] = [false, false];
    seat.told = undefined;
    seat.apart = Number.NaN;
    this.#weigh(t);
  }

  clear(t: number): void {
    this.#physics.clear();
    this.#shared.clear();
    this.#begin = t;
    this.#clear = { dead: this.#dead(t) };
  }

  /** Whether the light of all boards comes: where that of one is missing, the energies of all events would be wrong. */
  #weigh(t: number): void {
    const whole = this.#seats.every((seat) => seat.gives && !this.#isApart(seat));
    if (whole === this.#whole) return;
    this.#whole = whole;
    if (whole) {
      this.#broken += (t - this.#brokenSince) / 1e6;
      this.#hole = { ...this.#hole, until: this.#missed };
    } else {
      this.#brokenSince = t;
      this.#hole = { after: Math.min(...this.#seats.map((seat) => seat.latest)) - DISORDER, until: Number.POSITIVE_INFINITY };
      this.#missed = Number.NEGATIVE_INFINITY;
    }
  }

  #isApart(seat: Seat): boolean {
    const reference = this.#seats.find((one) => !Number.isNaN(one.apart));
    return reference !== undefined && !Number.isNaN(seat.apart) && !this.#inStep(reference, seat);
  }

  /** Their counters were reset together, whole turns apart where one of the readers has begun anew since; not before both have given a hit. */
  #inStep(a: Seat, b: Seat): boolean {
    const turn = (a.board.period ?? Number.POSITIVE_INFINITY) / 1e9;
    const away = a.apart - b.apart;
    return Math.abs(turn < Number.POSITIVE_INFINITY ? away - turn * Math.round(away / turn) : away) <= this.#tolerance;
  }

  #incomplete = (t: number): number => this.#broken + (this.#whole || !this.#started ? 0 : (t - this.#brokenSince) / 1e6);
  #dead = (t: number): number => this.#incomplete(t) + this.#seats.reduce((sum, seat) => sum + seat.dead, 0);

  #word(seat: Seat, t: number): BoardWord {
    if (!seat.up) return 'absent';
    if (this.#isApart(seat)) return 'apart';
    return t - seat.heard > SILENT * 1e6 ? 'silent' : 'there';
  }

  look(t: number): Values {
    const { counts } = this.#merge;
    const seconds = (t - this.#before.t) / 1e6;
    const dead = this.#dead(t);
    const fresh = dead - this.#before.dead;
    const rates = this.#seats.map(({ hits }, i) =>
      seconds > 0 ? (hits - (this.#before.hits[i] ?? 0)) / seconds : bad('no time has passed'),
    );
    this.#before = { t, dead, hits: this.#seats.map(({ hits }) => hits) };
    const elapsed = this.#started ? (t - this.#begin) / 1e6 : 0;
    return {
      boards: this.#seats.map((seat) => this.#word(seat, t)),
      board_rate: rates,
      hits: this.#built,
      late: counts.late,
      doubled: counts.doubled,
      early: counts.early,
      untaken: this.#seats.reduce((sum, { lost }) => sum + lost, 0),
      ...this.#shared.look(t),
      live_time: Math.max(0, elapsed - (dead - this.#clear.dead)),
      live: seconds > 0 ? Math.min(1, Math.max(0, 1 - fresh / seconds)) : bad('no time has passed'),
      dead_incomplete: this.#incomplete(t),
      dead_boards: this.#seats.reduce((sum, seat) => sum + seat.dead, 0),
      ...this.#physics.look(this.#begin, t, dead),
    };
  }
}

/** Leaves out what lies in the hole. */
function outside(block: Hits, { after, until }: { readonly after: number; readonly until: number }): void {
  let kept = 0;
  for (let i = 0; i < block.count; i++) {
    const t = block.t[i] as number; // i < count
    if (t > after && t <= until) continue;
    if (kept < i) copyHit(block, i, block, kept);
    kept++;
  }
  block.count = kept;
}

/** How many events have light on more than one board: few, where the clocks of the boards are not one. */
class Shared {
  readonly #board: Uint8Array;
  readonly #within: number;
  #first = Number.NaN;
  #seen = 0; // by bits: boards of the event that is open, the last of 31 for all that come behind
  #events = 0;
  #several = 0;
  #since = Number.NaN;

  constructor(boards: readonly BuiltBoard[], within: number) {
    this.#within = within;
    this.#board = new Uint8Array(Math.max(...boards.map((b) => b.first + b.channels)));
    for (const [i, { first, channels }] of boards.entries()) this.#board.fill(Math.min(i, 30), first, first + channels);
  }

  take(block: Hits): void {
    for (let i = 0; i < block.count; i++) {
      if (((block.flags[i] as number) & (FLAG.empty | FLAG.late)) !== 0) continue; // i < count, here and below
      const t = block.t[i] as number;
      if (!(t - this.#first <= this.#within)) {
        this.#close();
        this.#first = t;
      }
      this.#seen |= 1 << (this.#board[block.channel[i] as number] ?? 0);
    }
  }

  #close(): void {
    if (this.#seen === 0) return;
    this.#events++;
    if ((this.#seen & (this.#seen - 1)) !== 0) this.#several++;
    this.#seen = 0;
  }

  look(t: number): { readonly together?: Given<'1'> } {
    const [n, k] = [this.#events, this.#several];
    // The first one comes as soon as it says something.
    if (Number.isNaN(this.#since) ? n < FEW : t - this.#since < SHARED * 1e6) return {};
    this.#since = t;
    [this.#events, this.#several] = [0, 0];
    if (n === 0) return { together: bad('no event has come') };
    // The bar is that of a share estimated with one more of each kind, so that it is not nothing for none or all.
    const p = (k + 1) / (n + 2);
    return { together: { quality: 'good', value: k / n, sigma: { random: Math.sqrt((p * (1 - p)) / n) } } };
  }

  clear(): void {
    [this.#events, this.#several, this.#since] = [0, 0, Number.NaN];
  }
}
