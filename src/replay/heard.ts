/** What instruments of a session sent by themselves: taken from the raw bytes when a reading of it is due. */
import type { VirtualClock } from '../clock.ts';
import type { Alarm } from '../entry.ts';
import type { Reading } from '../reading.ts';
import { advance } from './asked.ts';
import type { Match, Slot } from './match.ts';
import type { Line, Seat, Seating } from './seats.ts';
import type { Told } from './tape.ts';

const THERE = 'is there'; // how host.ts says that an instrument has identified itself; anything else says why it is not there
const DOWN = 'link down'; // exchange.ts
const NOT_SAFE = 'is not there to be made safe'; // safety.ts, in the same name
const FAR = 10e6; // microseconds by which a reading may bear an earlier time than the arrival that it was made of

export class Heard {
  readonly #seating: Seating;
  readonly #match: Match;
  readonly #clock: VirtualClock;
  /** Instrument -> when its link goes down. */
  readonly #downs = new Map<string, number[]>();

  constructor(seating: Seating, match: Match, clock: VirtualClock) {
    this.#seating = seating;
    this.#match = match;
    this.#clock = clock;
  }

  /** An alarm that is still to come. What came behind the end of a link is not read before it. */
  foresee({ t, from, text }: Alarm): void {
    if (text !== DOWN) return;
    const downs = this.#downs.get(from) ?? [];
    this.#downs.set(from, downs);
    downs.push(t);
  }

  /** A message that nobody asked for goes to the first who takes it. */
  unasked({ users }: Line, told: Told): void {
    this.#match.event++;
    advance(this.#clock, told.t);
    users.some(({ player, role }) => player.unasked(role, told));
  }

  /** Takes what came by itself until it has given this channel. */
  async reading(r: Reading, slot: Slot, { player, lines }: Seat, roles: readonly string[]): Promise<void> {
    if (player.lossy && r.quality !== 'bad') player.running = true; // that it is there may have been said in what is lost
    // Behind a loss one that is asked for, too, may be of a talk that cannot be followed.
    const far = r.quality === 'bad' || (player.lossy && player.polls(slot.channel)) ? 0 : FAR;
    await this.#hear(r, slot, lines, roles, far);
    const holes = roles.reduce((n, role) => n + (lines.get(role)?.tape.holes ?? 0), 0);
    const spent = slot.made.length === 0 && roles.some((role) => lines.get(role)?.tape.spent);
    if (holes !== slot.holes || spent) slot.clean = -1;
    slot.holes = holes;
  }

  async #hear(r: Reading, slot: Slot, lines: Seat['lines'], roles: readonly string[], far: number): Promise<void> {
    const [down = Number.POSITIVE_INFINITY] = this.#downs.get(r.from.slice(0, r.from.indexOf('.'))) ?? [];
    const there = (): boolean => slot.made.some(({ reading: { t } }) => t >= r.t || Number.isNaN(t));
    for (const until of far === 0 ? [r.t] : [r.t, Math.max(r.t, Math.min(r.t + far, down))]) {
      // One that bears an earlier time than the arrival that it was made of is looked for further on.
      if (until > r.t && slot.made.length > 0) return;
      for (const role of roles) {
        const line = lines.get(role);
        if (!line) continue;
        const waits = line.tape.pull(until);
        if (waits) await waits;
        const { waiting } = line.tape;
        for (let at = 0; !there() && at < waiting.length; ) {
          // Further on, what no stream takes may be the reply to a question that is still to come.
          if (until > r.t && !line.users.some(({ player, role: mine }) => player.hears(mine, waiting[at]))) at++;
          else for (const told of waiting.splice(at, 1)) this.unasked(line, told);
        }
        if (there()) return;
      }
    }
  }

  /** An instrument comes or goes: what it sent by itself before that was read, or not, as it was then. */
  async state({ t, from, text }: Alarm): Promise<void> {
    const seat = this.#seating.seats.get(from);
    if (!seat || text === NOT_SAFE) return;
    const { player, lines } = seat;
    for (const role of player.streaming) {
      const line = lines.get(role);
      if (!line) continue;
      const { tape } = line;
      await tape.pull(t);
      for (let told = tape.waiting[0]; told !== undefined && told.t <= t; told = tape.waiting[0]) {
        tape.waiting.shift();
        this.unasked(line, told);
      }
    }
    player.running = text === THERE;
    if (text !== DOWN) return;
    this.#downs.get(from)?.shift();
    for (const role of Object.keys(player.languages)) {
      const tape = lines.get(role)?.tape;
      await tape?.pull(t);
      tape?.reset();
    }
  }
}
