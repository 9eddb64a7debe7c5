/** One raw series, read on demand: the next message of a topic that fits, others kept until somebody wants them. */
import type { McapMessage } from '../recorder/mcap-read.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';

export interface Messages {
  next(topic: string, fits: (m: McapMessage) => boolean): Promise<McapMessage | undefined>;
  close(): Promise<void>;
}

const KEPT = 4096; // messages of one topic that nobody has asked for: the oldest is let go
const AHEAD = 256; // messages read on in search of one

export function messagesOf(folder: string, series: string, onTrouble: (trouble: Trouble) => void): Messages {
  const chunks = chunksFrom(folder, undefined, { series, ended: true, onTrouble });
  const kept = new Map<string, McapMessage[]>();
  let over = false;
  const more = async (): Promise<number> => {
    const { value, done } = await chunks.next();
    if (done) {
      over = true;
      return 0;
    }
    for (const m of value.messages) {
      const list = kept.get(m.topic) ?? [];
      kept.set(m.topic, list);
      list.push(m);
      if (list.length > KEPT) list.shift();
    }
    return value.messages.length;
  };
  return {
    async next(topic, fits) {
      for (let read = 0; ; ) {
        const list = kept.get(topic) ?? [];
        const at = list.findIndex(fits);
        if (at >= 0) return list.splice(0, at + 1).at(-1);
        if (over || read > AHEAD) return undefined;
        read += await more();
      }
    },
    async close() {
      await chunks.return(undefined);
    },
  };
}
