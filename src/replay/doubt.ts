/**
 * Which talks of an instrument are in step with the recording again after exchanges were lost. The first of a kind that comes to its end
 * behind the loss may have begun in it. From that end on (its readings follow its last exchange) it is known where each begins; what they ask
 * and give is judged when some in a row have gone just as they went then: a driver may remember what is lost, and ask one thing after the other.
 */
interface Kind {
  /** The next exchange is a talk's first: as the recording says, or because today's talk has come to its end. */
  starts: 'known' | 'assumed' | undefined;
  /** Where talks begin is known. */
  aligned: boolean;
  /** Of the talk under way: today's has asked what was asked then. */
  asked: boolean;
  /** Readings of the last talk that were the same, and that were not. */
  same: number;
  unlike: number;
  /** Talks in a row that were as they were then. */
  inStep: number;
  proven: boolean;
}

/** Talks after which a driver that asks one thing after the other asks the same again: so many in a row are a proof. */
export const TURNS = 16;

/** Why a reading is not judged. */
export const TALK_LOST = 'not judged, because their talk began in what is lost';
export const REMEMBERED = 'not judged, because the driver remembers what is lost';

export class Doubt {
  readonly #kinds = new Map<string, Kind>();

  #kind(by: string): Kind {
    let kind = this.#kinds.get(by);
    if (!kind) {
      kind = { starts: undefined, aligned: false, asked: true, same: 0, unlike: 0, inStep: 0, proven: false };
      this.#kinds.set(by, kind);
    }
    return kind;
  }

  /** Why talks of this kind (poll:NAME, order:NAME, identify ...) are not judged; undefined where they are. */
  why(by: string): string | undefined {
    const { proven, aligned } = this.#kind(by);
    return proven ? undefined : aligned ? REMEMBERED : TALK_LOST;
  }

  /** It has been brought on to another question than it would have asked. */
  turned(by: string): void {
    this.#kind(by).inStep = 0;
  }

  prove(by: string): void {
    this.#kind(by).proven = true;
  }

  /** One begins here, as far as is known. */
  begun(by: string): void {
    Object.assign(this.#kind(by), { starts: 'assumed', aligned: true, asked: true });
  }

  /** An exchange is to be answered: whether it is the first of its talk, or, where not even that is known, undefined. */
  begins(by: string): Kind['starts'] | 'goes on' {
    const kind = this.#kind(by);
    const { starts, aligned, same, unlike } = kind;
    if (!starts) return aligned ? 'goes on' : undefined;
    if (!kind.asked || unlike > 0) kind.inStep = 0;
    else if (same > 0) kind.inStep++;
    kind.proven ||= kind.inStep >= TURNS;
    Object.assign(kind, { starts: undefined, asked: true, same: 0, unlike: 0 });
    return starts;
  }

  /** Nobody has asked it. */
  unasked(by: string): void {
    this.#kind(by).asked = false;
  }

  /** A talk of today has heard it; whether it asked just this, as its first question, and whether it has come to its end with it. */
  heard(by: string, asked: boolean, first: boolean, end: 'over' | 'over, and gives nothing' | undefined): void {
    const kind = this.#kind(by);
    if (first && !kind.aligned) kind.asked = true;
    kind.asked &&= asked;
    if (end === undefined || !kind.asked) return;
    if (end === 'over, and gives nothing') kind.proven = true;
    else if (kind.aligned) kind.starts = 'assumed';
  }

  /** A recorded reading has ended a talk; whether it was made again just so. */
  ended(by: string, same: boolean): void {
    const kind = this.#kind(by);
    kind.starts = 'known';
    kind.aligned = true;
    if (same) kind.same++;
    else kind.unlike++;
  }
}
