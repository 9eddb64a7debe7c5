/** Readings as the bytes that the feed sends to InfluxDB 1.x, in one file. */

import { sessionLine } from '../recorder/influx-session.ts';
import { lineWriter } from '../recorder/line.ts';
import type { ByteFile, Sink } from './sink.ts';
import type { Found, Item, RigText } from './walk.ts';

const BLOCK = 1 << 20;

/** Points of all readings (revision 0), each line as the feed writes it; with `whole`, the session's own point is the last line. */
export function lineSink(file: ByteFile, whole: boolean): Sink {
  let rig: RigText | undefined;
  let writer = lineWriter({ rig: '' });
  const flush = async (): Promise<void> => {
    if (writer.points > 0) await file.write(writer.take().bytes);
  };
  return {
    async take(item: Item) {
      if (item.kind === 'rig' && !rig) {
        rig = item.rig;
        await flush();
        writer = lineWriter({ rig: rig.name });
      }
      if (item.kind !== 'reading') return undefined;
      if (!writer.write(item.reading)) return 'no point';
      if (writer.size > BLOCK) await flush();
      return undefined;
    },
    async end({ began, ended }: Found) {
      await flush();
      if (!whole || !rig || began === undefined) return;
      const { name, session, version } = rig;
      const point = { rig: name, session, version: version || 'unknown', began, ...(ended === undefined ? {} : { ended }) };
      await file.write(sessionLine(point).bytes);
    },
  };
}
