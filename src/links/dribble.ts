/** A link that carries single bytes: whoever counts on the bounds of a chunk is found out. */
import { Subject } from 'rxjs';
import { type Arrival, type Link, wrapped } from '../link.ts';
import { LinkError } from './link-error.ts';

/** Each byte is an arrival or a write of its own. Streams only: throws LINK_NOT_STREAM, because a packet is never split. */
export function dribbleLink(link: Link): Link {
  if (link.framing !== 'stream') throw new LinkError('LINK_NOT_STREAM', 'packets are never split: only a stream can dribble');
  const arrivals = new Subject<Arrival>();
  link.arrivals.subscribe({
    next(a) {
      for (let i = 0; i < a.bytes.length; i++) arrivals.next({ ...a, bytes: a.bytes.slice(i, i + 1) });
    },
    complete: () => arrivals.complete(),
  });
  return wrapped(link, {
    arrivals,
    write(bytes, reply, safe) {
      for (let i = 0; i < bytes.length; i++) if (!link.write(bytes.slice(i, i + 1), reply, safe)) return false;
      return true;
    },
  });
}
