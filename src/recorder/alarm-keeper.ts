/** What the recorder does with alarms: words for people, a file over restarts, and somebody who is told. */
import type { Clock } from '../clock.ts';
import type { AlarmState, Entry } from '../entry.ts';
import type { Rig } from '../rig.ts';
import { alarmFile, alarmStore, readAlarmStates } from './alarm-store.ts';
import { alarmWords } from './alarm-words.ts';
import { escalation } from './escalate.ts';

export interface AlarmKeeper {
  /** Looks at changes of alarms and at the list in each status. */
  take(entry: Entry): void;
  /** All is on the disk, and nobody is told any more. */
  close(): Promise<void>;
}

export async function alarmKeeper(
  rig: Pick<Rig, 'name' | 'sessions' | 'escalate'>,
  options: { readonly simulated: boolean; readonly clock: Pick<Clock, 'after'>; readonly told: (text: string) => void },
): Promise<AlarmKeeper> {
  const { simulated, clock, told } = options;
  const file = alarmFile(rig, simulated);
  const kept = await readAlarmStates(file);
  if (kept.why !== undefined) told(kept.why);
  const after = (seconds: number, work: () => void): (() => void) => clock.after(seconds, work);
  const store = alarmStore(file, { told, kept, after });
  const telling = escalation(rig.escalate ?? [], {
    rig: rig.name,
    simulated,
    clock,
    told,
    before: kept.done,
    done: (keys) => store.done(keys),
  });
  const last = new Map<string, AlarmState>();
  return {
    take(entry) {
      if (entry.kind === 'alarm-state') {
        const { state } = entry;
        store.take(state);
        told(alarmWords(state, last.get(state.name)));
        last.set(state.name, state);
      } else if (entry.kind === 'status' && entry.status.alarms) store.takeAll(entry.status.alarms);
      else return;
      telling.take(entry);
    },
    async close() {
      telling.close();
      const waiting = [...last.values()].filter((state) => state.unacknowledged).map((state) => state.name);
      if (waiting.length > 0) told(`not acknowledged yet, and kept for the next run: ${waiting.join(', ')}`);
      await store.flush();
    },
  };
}
