/** Both directions of a link's bytes, for the session. */
import { Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import { type Arrival, type Link, wrapped } from '../link.ts';

export interface Recorded {
  /** The link's name. */
  readonly link: string;
  readonly direction: 'in' | 'out';
  /** Microseconds since 1970. */
  readonly t: number;
  readonly bytes: Uint8Array;
  /** A file's name, on a folder link. */
  readonly name?: string;
}

/** The same link; `sink` is called with each arrival before anybody else hears it, and with each write that was taken. */
export function recording(link: Link, sink: (recorded: Recorded) => void, name: string, clock: Clock): Link {
  const arrivals = new Subject<Arrival>();
  // A link in the same process may answer inside write(): what it says is recorded after what was asked.
  let writing = false;
  const answers: Recorded[] = [];
  link.arrivals.subscribe({
    next(a) {
      const { t, bytes } = a;
      const recorded: Recorded =
        a.name === undefined ? { link: name, direction: 'in', t, bytes } : { link: name, direction: 'in', t, bytes, name: a.name };
      if (writing) answers.push(recorded);
      else sink(recorded);
      arrivals.next(a);
    },
    complete: () => arrivals.complete(),
  });
  return wrapped(link, {
    arrivals,
    write(bytes, reply, safe) {
      const t = clock.now();
      // A write inside a write: an answer has brought the next question out.
      const outer = writing;
      const before = answers.length;
      writing = true;
      const taken = link.write(bytes, reply, safe);
      writing = outer;
      if (taken) {
        const said: Recorded = { link: name, direction: 'out', t, bytes };
        if (outer || answers.length > before) answers.splice(before, 0, said);
        else sink(said);
      }
      if (!outer && answers.length > 0) for (const recorded of answers.splice(0)) sink(recorded);
      return taken;
    },
  });
}
