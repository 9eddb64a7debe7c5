/** The exchanges of a session: each answers the talk that asked it, and what of it is not as it was is noted. */
import type { VirtualClock } from '../clock.ts';
import type { OrderEntry } from '../entry.ts';
import { type Recorded, shownHex, UNJUDGED } from './player.ts';
import type { Difference } from './replayed.ts';
import { Schedule } from './schedule.ts';
import type { Line, Seating } from './seats.ts';
import type { Told } from './tape.ts';

export interface AskedOptions {
  readonly seating: Seating;
  readonly clock: VirtualClock;
  /** What came on a link before the reply to a question, and is none. */
  readonly unasked: (line: Line, told: Told) => void;
  /** A reply whose raw bytes are not in the session. */
  readonly lost: (what: string) => void;
}

/** Goes on to a time; what waits, waits by the recording's time. */
export function advance(clock: VirtualClock, t: number): void {
  const left = (t - clock.now()) / 1e6;
  if (left > 0) clock.advance(left);
}

export class Asked {
  readonly #o: AskedOptions;
  readonly #schedules = new Set<Schedule>();
  /** Of exchanges whose link the rig has not. */
  readonly #none = new Schedule();
  readonly #differences = new Map<string, Difference>();
  total = 0;
  /** Of talks that may have begun in what is lost. */
  unjudged = 0;
  checked = 0;

  constructor(options: AskedOptions) {
    this.#o = options;
  }

  get differences(): readonly Difference[] {
    return [...this.#differences.values()];
  }

  /** Exchanges are missing between those that have been foreseen and the next. */
  hole(): void {
    for (const { schedule } of this.#o.seating.lines) schedule.hole();
    this.#none.hole();
  }

  /** What is known before its turn: where its talk began. */
  foresee(x: Recorded): void {
    const seat = this.#o.seating.seats.get(x.instrument);
    if (!seat) return;
    const schedule = seat.lines.get(x.role)?.schedule ?? this.#none;
    this.#schedules.add(schedule);
    schedule.foresee(x, seat.player);
  }

  /** A promise where bytes must be read first. */
  exchange(x: Recorded): Promise<void> | undefined {
    this.total++;
    const line = this.#o.seating.seats.get(x.instrument)?.lines.get(x.role);
    const waits = line && x.came !== undefined ? line.tape.pull(x.came) : undefined;
    if (waits) return waits.then(() => this.#exchanged(x, line));
    this.#exchanged(x, line);
    return undefined;
  }

  #exchanged(x: Recorded, line: Line | undefined): void {
    const { seating, clock } = this.#o;
    const player = seating.seats.get(x.instrument)?.player;
    if (!player) {
      this.#differ(x, `the rig has no instrument "${x.instrument}"`, [x.instrument]);
      return;
    }
    const told = line && this.#reply(x, line);
    const schedule = line?.schedule ?? this.#none;
    advance(clock, x.asked);
    const known = schedule.due(x);
    if (x.came !== undefined) advance(clock, x.came);
    const otherwise = player.exchange(x, known, told);
    schedule.ended();
    if (otherwise === UNJUDGED) this.unjudged++;
    else if (otherwise) this.#differ(x, otherwise.what, otherwise.channels);
  }

  /** Its reply as the raw bytes have it, where they have it. */
  #reply(x: Recorded, line: Line): Told | undefined {
    if (x.came === undefined || x.reply === undefined) return undefined;
    const { tape } = line;
    const found = tape.reply(x.came, x.reply, (before) => this.#o.unasked(line, before));
    if (found !== 'other' && found !== 'lost') {
      this.checked++;
      return found;
    }
    const channels = this.#o.seating.seats.get(x.instrument)?.player.channelsOf(x.by) ?? [];
    if (found === 'other') this.#differ(x, `the raw bytes of ${tape.link} have another reply than ${shownHex(x.reply)}`, channels);
    else this.#o.lost(`raw bytes of ${tape.link}, replies that gave ${channels.join(', ')}`);
    return undefined;
  }

  order(order: OrderEntry): void {
    const player = this.#o.seating.seats.get(order.instrument)?.player;
    if (!player) return;
    advance(this.#o.clock, order.ended ?? order.t);
    if (order.outcome === undefined) for (const schedule of this.#schedules) schedule.before(player, `order:${order.command}`);
    player.order(order);
  }

  #differ(x: Recorded, what: string, channels: readonly string[]): void {
    // One for each kind: what it was is that of the first.
    const key = JSON.stringify([x.instrument, x.by, channels, what.replace(/[0-9a-f]{4,}|"[^"]*"|[\d.]+/g, '')]);
    const known = this.#differences.get(key);
    if (known) {
      known.count++;
      known.last = x.asked;
    } else this.#differences.set(key, { instrument: x.instrument, by: x.by, what, channels, count: 1, first: x.asked, last: x.asked });
  }
}
