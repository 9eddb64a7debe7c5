/** What must be known of a recording before it is served: when it begins and ends, the first reply to each question, and what is lost. */
import type { Trouble } from '../recorder/session-read.ts';
import type { Wire } from '../rig-wires.ts';
import { recordedEvents } from './recorded-events.ts';
import { Replies } from './recorded-replies.ts';

export interface WireIndex {
  readonly first: Replies;
  questions: number;
  /** What came by itself: messages or files. */
  unasked: number;
  /** Some of them have names, as files have. */
  named: boolean;
}

export interface RecordingIndex {
  /** Microseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly wires: ReadonlyMap<string, WireIndex>;
  readonly trouble: readonly Trouble[];
}

/** Reads it once, without its fast streams. Throws a SessionError where there is no such folder. */
export async function indexed(folder: string, wires: readonly Wire[]): Promise<RecordingIndex> {
  const known = new Map<string, WireIndex>();
  for (const { key, users } of wires)
    known.set(key, { first: new Replies(users[0].protocol, { first: true }), questions: 0, unasked: 0, named: false });
  const trouble: Trouble[] = [];
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const { t, wire, event, latest } of recordedEvents(folder, wires, { slow: true, onTrouble: (one) => trouble.push(one) })) {
    from = Math.min(from, event ? t : (latest ?? t));
    to = Math.max(to, event ? t : (latest ?? t));
    const one = wire === undefined ? undefined : known.get(wire);
    if (!one || !event) continue;
    if (event.is === 'question') {
      one.questions++;
      one.first.see(event);
    } else if (event.is === 'unasked') {
      one.unasked++;
      one.named ||= event.name !== undefined;
    }
  }
  return { from, to, wires: known, trouble };
}
