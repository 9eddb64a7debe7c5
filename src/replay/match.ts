/** Meets what replay makes with what the recording has: reading by reading, channel by channel, and on into the derivations. */
import type { Graph } from '../graph.ts';
import type { Reading } from '../reading.ts';
import { type Comparison, nameOf } from './compare.ts';
import type { Player } from './player.ts';

/** Readings that are not made again but taken from the recording, and so not counted as identical. */
export interface TakenOver {
  readonly channel: string;
  readonly why: string;
  count: number;
}

interface Made {
  readonly reading: Reading;
  /** The message of the session that it was made of, counted. */
  readonly event: number;
  fed: boolean;
}

/** One channel or index: what was made and has not met its recorded reading yet. */
export interface Slot {
  readonly made: Made[];
  /** Readings so far. */
  seq: number;
  /** Losses of the session up to which it is in step; -1 after a hole in the bytes that it comes from. */
  clean: number;
  /** Of those bytes: holes so far. */
  holes: number;
}

export interface MatchOptions {
  readonly comparison: Comparison;
  readonly derive: Graph;
  /** The names of the derivations. */
  readonly derived: ReadonlySet<string>;
  /** `anew`: derived, or another one than was recorded. */
  readonly see: (reading: Reading, anew: boolean) => void;
}

export class Match {
  readonly #comparison: Comparison;
  readonly #derive: Graph;
  readonly #derived: ReadonlySet<string>;
  readonly #see: MatchOptions['see'];
  readonly #slots = new Map<string, Slot>();
  /** instrument -> what it has made and nothing has heard yet. */
  readonly #unheard = new Map<string, Made[]>();
  readonly #origins = new Map<string, Reading['origin']>();
  readonly #taken = new Map<string, TakenOver>();
  /** Messages of the session so far, and losses. */
  event = 0;
  losses = 0;
  /** Bad readings in the host's own words. */
  host = 0;

  constructor({ comparison, derive, derived, see }: MatchOptions) {
    this.#comparison = comparison;
    this.#derive = derive;
    this.#derived = derived;
    this.#see = see;
  }

  get taken(): readonly TakenOver[] {
    return [...this.#taken.values()];
  }

  slot(name: string): Slot {
    let slot = this.#slots.get(name);
    if (!slot) {
      slot = { made: [], seq: 0, clean: 0, holes: 0 };
      this.#slots.set(name, slot);
    }
    return slot;
  }

  /** A player has made this. */
  made(instrument: string, reading: Reading): void {
    const made: Made = { reading, event: this.event, fed: false };
    this.slot(nameOf(reading)).made.push(made);
    const unheard = this.#unheard.get(instrument);
    if (unheard) unheard.push(made);
    else this.#unheard.set(instrument, [made]);
  }

  /** The recorded reading that replay has come to. */
  met(r: Reading, slot: Slot, player: Player | undefined): void {
    const owner = r.from.slice(0, r.from.indexOf('.'));
    this.#origins.set(owner, r.origin);
    if (slot.made.length === 0 && r.quality === 'bad' && player) player.failed(r.from.slice(owner.length + 1), r.why);
    if (slot.clean < this.losses && r.seq > slot.seq) slot.seq = r.seq; // those between are lost
    const found = this.#choose(r, slot);
    const seq = slot.seq++;
    if (found) {
      const { made } = found;
      const t = Number.isNaN(made.reading.t) ? r.t : made.reading.t;
      const today = { ...made.reading, t, seq, origin: this.#derived.has(owner) ? made.reading.origin : r.origin } as Reading;
      if (!this.#derived.has(owner)) this.#hearBefore(owner, made);
      let same = true;
      // After a loss a derivation's state is another one than it was: what it makes then is not compared before it is the same again.
      if ((this.#derived.has(owner) || slot.clean < 0) && slot.clean < this.losses && !alike(r, today))
        this.takeOver(r, slot.clean < 0 ? 'made of bytes that are lost' : 'made of readings that are lost');
      else {
        same = this.#comparison.pair(r, today);
        if (same) slot.clean = this.losses;
      }
      this.#see(today, !same || this.#derived.has(owner));
      if (!made.fed) this.#feed(today);
      made.fed = true;
      return;
    }
    if (slot.clean < this.losses) this.takeOver(r, 'what it was made of is lost');
    else if (this.#derived.has(owner)) this.#comparison.absent(r);
    else if (!player) this.takeOver(r, `the rig has nothing that is called "${owner}"`);
    else if (r.quality === 'bad') {
      this.host++;
      this.#comparison.taken(r);
    } else if (!player.channels) this.takeOver(r, 'the instrument has not identified itself in what there is of the session');
    else {
      this.#comparison.absent(r);
      return;
    }
    if (!this.#derived.has(owner)) this.#feed(r);
    this.#see(r, false);
  }

  /** What was made that this reading is, and what stands before it that the recording has not. */
  #choose(r: Reading, slot: Slot): { readonly made: Made } | undefined {
    const same = slot.made.findIndex(({ reading: { t } }) => t === r.t || Number.isNaN(t));
    const at = same >= 0 ? same : slot.made.length > 0 && slot.made[0].reading.t < r.t && r.quality !== 'bad' ? 0 : -1;
    if (at < 0) return undefined;
    for (const { reading } of slot.made.splice(0, at)) this.#extra(reading, slot);
    const [made] = slot.made.splice(0, 1);
    return { made };
  }

  #extra(reading: Reading, slot: Slot): void {
    const owner = reading.from.slice(0, reading.from.indexOf('.'));
    // What came while the instrument was not trusted was not read then; and of what is lost the recording says nothing.
    if (slot.clean < this.losses) this.takeOver(reading, 'made again; the recorded one is lost', true);
    else {
      const today = { ...reading, origin: this.#origins.get(owner) ?? reading.origin } as Reading;
      this.#comparison.extra(today);
      this.#see(today, true);
    }
  }

  /** What was made before this, and has no recorded reading, is heard before it. */
  #hearBefore(owner: string, made: Made): void {
    const unheard = this.#unheard.get(owner);
    if (!unheard) return;
    while (unheard.length > 0 && unheard[0] !== made && (unheard[0].fed || unheard[0].event < made.event)) {
      const before = unheard.shift();
      if (!before || before.fed || Number.isNaN(before.reading.t)) continue;
      before.fed = true;
      this.#feed({ ...before.reading, origin: this.#origins.get(owner) ?? before.reading.origin } as Reading);
    }
    const at = unheard.indexOf(made);
    if (at >= 0) unheard.splice(at, 1);
  }

  #feed(reading: Reading): void {
    for (const made of this.#derive(reading)) this.slot(nameOf(made)).made.push({ reading: made, event: this.event, fed: true });
  }

  /** `made`: made today, and not in the recording. */
  takeOver(r: Reading, why: string, made = false): void {
    const key = JSON.stringify([nameOf(r), why]);
    const known = this.#taken.get(key);
    if (known) known.count++;
    else this.#taken.set(key, { channel: nameOf(r), why, count: 1 });
    if (!made) this.#comparison.taken(r);
  }

  /** What was made and never met: the last of a session that was cut has no reading any more. */
  leftOver(ended: boolean): void {
    for (const slot of this.#slots.values())
      for (const { reading } of slot.made.splice(0)) {
        if (ended) this.#extra(reading, slot);
        else this.takeOver(reading, 'made again; the session ends before its recorded one', true);
      }
  }
}

/** In all that a reader sees, but for its number. */
const alike = (a: Reading, b: Reading): boolean =>
  a.t === b.t && a.quality === b.quality && a.why === b.why && (a.quality === 'bad' || b.quality === 'bad' || a.value === b.value);
