/** Meets what replay makes with what the recording has: reading by reading, channel by channel, and on into the derivations. */
import type { Graph } from '../graph.ts';
import type { Reading } from '../reading.ts';
import { type Comparison, lineOf, nameOf, type Tally } from './compare.ts';
import { REMEMBERED } from './doubt.ts';
import { type Form, isPlain, type PlainReadings, ValueJson } from './plain-reading.ts';
import type { Player } from './player.ts';

/** Readings that are not made again but taken from the recording, and so not counted as identical. */
export interface TakenOver {
  readonly channel: string;
  readonly why: string;
  count: number;
}

interface Made {
  readonly reading: Reading;
  /** Why it is not judged. */
  readonly doubt: string | undefined;
  /** The message of the session that it was made of, counted. */
  readonly event: number;
  fed: boolean;
}

/** An instrument or a derivation. */
interface Owner {
  readonly name: string;
  readonly derived: boolean;
  /** As the recording tells it; undefined before. */
  origin: Reading['origin'] | undefined;
  /** What it has made, a derivation takes, and nothing has heard yet. */
  readonly unheard: Made[];
  /** Channels of a derivation that are not the same yet after a loss. */
  readonly unlike: Set<Slot>;
}

/** One channel or index: what was made and has not met its recorded reading yet. */
export interface Slot {
  readonly owner: Owner;
  /** The channel without its owner. */
  readonly channel: string;
  /** A derivation takes it. */
  readonly wanted: boolean;
  readonly made: Made[];
  /** Readings so far. */
  seq: number;
  /** Of a derivation: its last value since a loss. */
  before: unknown;
  /** The last that was judged was another one than then. */
  differs: boolean;
  /** Losses of the session up to which it is in step; -1 after a hole in the bytes that it comes from. */
  clean: number;
  /** Of those bytes: holes so far. */
  holes: number;
  tally: Tally | undefined;
  readonly json: ValueJson;
}

export interface MatchOptions {
  readonly comparison: Comparison;
  readonly derive: Graph;
  /** The names of the derivations, and the channels that they take. */
  readonly derived: ReadonlySet<string>;
  readonly wanted: ReadonlySet<string>;
  /** `anew`: derived, or another one than was recorded. */
  readonly see: ((reading: Reading, anew: boolean) => void) | undefined;
}

export class Match {
  readonly #comparison: Comparison;
  readonly #derive: Graph;
  readonly #options: MatchOptions;
  readonly #see: MatchOptions['see'];
  readonly #slots = new Map<string, Slot>();
  readonly #owners = new Map<string, Owner>();
  readonly #taken = new Map<string, TakenOver>();
  /** Messages of the session so far, and losses. */
  event = 0;
  losses = 0;
  /** Bad readings in the host's own words. */
  host = 0;

  constructor(options: MatchOptions) {
    this.#options = options;
    this.#comparison = options.comparison;
    this.#derive = options.derive;
    this.#see = options.see;
  }

  get taken(): readonly TakenOver[] {
    return [...this.#taken.values()];
  }

  slot(r: Pick<Reading, 'from' | 'index'>): Slot {
    const name = nameOf(r);
    let slot = this.#slots.get(name);
    if (!slot) {
      const at = r.from.indexOf('.');
      const owner = this.#owner(r.from.slice(0, at));
      const wanted = this.#options.wanted.has(r.from);
      const channel = r.from.slice(at + 1);
      slot = {
        owner,
        channel,
        wanted,
        made: [],
        seq: 0,
        before: undefined,
        differs: false,
        clean: 0,
        holes: 0,
        tally: undefined,
        json: new ValueJson(),
      };
      this.#slots.set(name, slot);
    }
    return slot;
  }

  #owner(name: string): Owner {
    let owner = this.#owners.get(name);
    if (!owner) {
      owner = { name, derived: this.#options.derived.has(name), origin: undefined, unheard: [], unlike: new Set() };
      this.#owners.set(name, owner);
    }
    return owner;
  }

  /** A player has made this. */
  made(reading: Reading, doubt: string | undefined): void {
    const made: Made = { reading, doubt, event: this.event, fed: false };
    const slot = this.slot(reading);
    slot.made.push(made);
    if (slot.wanted) slot.owner.unheard.push(made);
  }

  /** The recorded reading that replay has come to, where it is a plain one and just what was made; false leaves it to `met`. */
  metPlain(form: Form, slot: Slot, plain: PlainReadings): boolean {
    if (slot.made.length === 0 || slot.clean < this.losses || slot.seq !== plain.seq) return false;
    const [made] = slot.made;
    const { quality, t, index } = made.reading;
    if (made.doubt !== undefined || quality !== 'good' || index !== undefined || !(t === plain.t || Number.isNaN(t))) return false;
    const { value, sigma, why } = made.reading;
    if (sigma !== undefined || why !== undefined || !isPlain(value) || !plain.is(value, slot.json)) return false;
    slot.tally ??= this.#comparison.tally(form);
    if (!this.#comparison.same(slot.tally, form, plain)) return false;
    const { owner } = slot;
    owner.origin = form.origin;
    slot.seq++;
    slot.made.shift();
    if (!owner.derived) this.#hearBefore(owner, made);
    if (this.#see || (slot.wanted && !made.fed)) {
      const today = this.#today(made, slot, plain.t, plain.seq, form.origin);
      this.#see?.(today, owner.derived);
      this.#feed(today, made, slot);
    }
    return true;
  }

  #today({ reading }: Made, { owner }: Slot, t: number, seq: number, origin: Reading['origin']): Reading {
    return { ...reading, t, seq, origin: owner.derived ? reading.origin : origin } as Reading; // of the kind that it was
  }

  /** The recorded reading that replay has come to. */
  met(r: Reading, slot: Slot, player: Player | undefined): void {
    const { owner } = slot;
    owner.origin = r.origin;
    if (slot.made.length === 0 && r.quality === 'bad' && player) player.failed(slot.channel, r.why);
    if (slot.clean < this.losses && r.seq > slot.seq) slot.seq = r.seq; // those between are lost
    const found = this.#choose(r, slot);
    const seq = slot.seq++;
    if (found) {
      const { made } = found;
      const today = this.#today(made, slot, Number.isNaN(made.reading.t) ? r.t : made.reading.t, seq, r.origin);
      if (!owner.derived) this.#hearBefore(owner, made);
      const unjudged = this.#unjudged(made, slot, player, r.t);
      if (unjudged !== undefined && lineOf(r) !== lineOf(today)) {
        this.takeOver(r, unjudged);
        player?.met(slot.channel, false);
        if (owner.derived) owner.unlike.add(slot);
        // What was measured is heard as it was then; a derivation goes on with what it makes.
        this.#see?.(owner.derived ? today : r, owner.derived);
        this.#feed(owner.derived ? today : r, made, slot);
        return;
      }
      const same = this.#comparison.pair(r, today);
      slot.differs = !same;
      if (same) owner.unlike.delete(slot);
      if (same && slot.clean < this.losses && this.#proves(r, slot)) slot.clean = this.losses;
      player?.met(slot.channel, same);
      this.#see?.(today, !same || owner.derived);
      this.#feed(today, made, slot);
      return;
    }
    const cut = player?.met(slot.channel, false);
    if (cut !== undefined) this.takeOver(r, cut);
    else if (slot.clean < this.losses) this.takeOver(r, 'what it was made of is lost');
    else if (owner.derived) this.#comparison.absent(r);
    else if (!player) this.takeOver(r, `the rig has nothing that is called "${owner.name}"`);
    else if (r.quality === 'bad') {
      this.host++;
      this.#comparison.taken(r);
    } else if (!player.channels) this.takeOver(r, 'the instrument has not identified itself in what there is of the session');
    else {
      this.#comparison.absent(r);
      return;
    }
    if (!owner.derived) this.#feed(r, undefined, slot);
    this.#see?.(r, false);
  }

  /** A derivation may say for a while what it has said before, or that there is nothing to say: a new value that is the same is a proof. */
  #proves(r: Reading, slot: Slot): boolean {
    if (!slot.owner.derived) return true;
    if (r.quality === 'bad') return false;
    const { before } = slot;
    slot.before = r.value;
    return before !== undefined && before !== r.value;
  }

  /**
   * Why a reading that is not as it was then is not judged; undefined where it is. After a loss the state of a derivation or of a driver is
   * another one than it was: what it makes then is not compared before it is the same again.
   */
  #unjudged({ doubt, reading }: Made, slot: Slot, player: Player | undefined, t: number): string | undefined {
    if (slot.differs) return undefined; // it was another one before anything was lost
    if (slot.clean < 0) return slot.clean < this.losses ? 'made of bytes that are lost' : undefined;
    if (slot.clean >= this.losses && doubt === undefined && slot.owner.unlike.size === 0) return undefined;
    if (slot.owner.derived) return 'made of readings that are lost';
    // What came by itself is made of the raw bytes, where all of them are there.
    return player && player.streamRoles(slot.channel).length > 0 && reading.t === t ? undefined : (doubt ?? REMEMBERED);
  }

  /** A recorded trace whose numbers are lost: the one that was made is heard in its place; where none was, what is derived of it is lost. */
  hollow(r: Reading, slot: Slot): void {
    const { owner } = slot;
    owner.origin = r.origin;
    this.takeOver(r, 'the numbers of the trace are not in the session');
    const found = this.#choose(r, slot);
    slot.seq = r.seq + 1;
    if (!found) {
      this.losses++;
      return;
    }
    const today = this.#today(found.made, slot, r.t, r.seq, r.origin);
    if (!owner.derived) this.#hearBefore(owner, found.made);
    this.#see?.(today, owner.derived);
    this.#feed(today, found.made, slot);
  }

  /** What was made that this reading is, and what stands before it that the recording has not. */
  #choose(r: Reading, slot: Slot): { readonly made: Made } | undefined {
    const same = slot.made.findIndex(({ reading: { t } }) => t === r.t || Number.isNaN(t));
    const at = same >= 0 ? same : slot.made.length > 0 && slot.made[0].reading.t < r.t && r.quality !== 'bad' ? 0 : -1;
    if (at < 0) return undefined;
    for (const one of slot.made.splice(0, at)) this.#extra(one, slot);
    const [made] = slot.made.splice(0, 1);
    return { made };
  }

  #extra({ reading, doubt }: Made, slot: Slot): void {
    // What came while the instrument was not trusted was not read then; and of what is lost the recording says nothing.
    if (slot.clean < this.losses || doubt !== undefined) this.takeOver(reading, 'made again; the recorded one is lost', true);
    else {
      const today = { ...reading, origin: slot.owner.origin ?? reading.origin } as Reading; // of the kind that it was
      this.#comparison.extra(today);
      this.#see?.(today, true);
    }
  }

  /** What was made before this, and has no recorded reading, is heard before it. */
  #hearBefore({ unheard, origin }: Owner, made: Made): void {
    while (unheard.length > 0 && unheard[0] !== made && (unheard[0].fed || unheard[0].event < made.event)) {
      const before = unheard.shift();
      if (!before || before.fed || Number.isNaN(before.reading.t)) continue;
      const { reading } = before;
      this.#feed({ ...reading, origin: origin ?? reading.origin } as Reading, before, undefined); // of the kind that it was
    }
    const at = unheard.indexOf(made);
    if (at >= 0) unheard.splice(at, 1);
  }

  /** Once, and on into what is derived of it. `slot`: its own, where it is at hand. */
  #feed(reading: Reading, made: Made | undefined, slot: Slot | undefined): void {
    if (made?.fed) return;
    if (made) made.fed = true;
    if (slot && !slot.wanted) return;
    for (const one of this.#derive(reading)) this.slot(one).made.push({ reading: one, doubt: undefined, event: this.event, fed: true });
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
      for (const one of slot.made.splice(0)) {
        if (ended) this.#extra(one, slot);
        else this.takeOver(one.reading, 'made again; the session ends before its recorded one', true);
      }
  }
}
