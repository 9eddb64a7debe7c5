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

const PROOF = 8; // talks in a row

/** Why a reading is not judged. */
export const TALK_LOST = 'not judged, because their talk began in what is lost';
export const REMEMBERED = 'not judged, because the driver remembers what is lost';

export class Doubt {
  readonly #kinds = new Map<string, Kind>();
  /** The kind of the instrument's last exchange. */
  latest: string | undefined;

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

  prove(by: string): void {
    this.#kind(by).proven = true;
  }

  /** An exchange is to be answered: whether it is the first of its talk, or, where not even that is known, undefined. */
  begins(by: string): Kind['starts'] | 'goes on' {
    const kind = this.#kind(by);
    const { starts, aligned, same, unlike } = kind;
    if (!starts) return aligned ? 'goes on' : undefined;
    if (!kind.asked || unlike > 0) kind.inStep = 0;
    else if (same > 0) kind.inStep++;
    kind.proven ||= kind.inStep >= PROOF;
    Object.assign(kind, { starts: undefined, asked: true, same: 0, unlike: 0 });
    return starts;
  }

  /** It has been answered. `asked`: by a talk of today that asked just this; `over`: which has come to its end with it. */
  answered(by: string, asked: boolean, over: boolean): void {
    const kind = this.#kind(by);
    kind.asked &&= asked;
    if (over && kind.asked && kind.aligned) kind.starts = 'assumed';
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
