/** What is said of an alarm: by the program's log, the screen and the command line. */
import { rank } from '../alarm-state.ts';
import type { AlarmState } from '../entry.ts';

/** One line for a change of state; `before` is the state that was told before it, if any. */
export function alarmWords(state: AlarmState, before?: AlarmState): string {
  const { name, now, text, guidance, shelved, acknowledged } = state;
  if (shelved && shelved.until !== before?.shelved?.until)
    return `${name}: shelved by ${shelved.by} until ${hour(shelved.until)} (${shelved.why})`;
  if (before?.shelved && !shelved && now === undefined) return `${name}: no longer shelved`;
  if (now !== undefined && (rank(now) > rank(before?.now) || (before?.shelved && !shelved)))
    return `${name}: ${now.toUpperCase()}: ${text}${guidance === undefined ? '' : ` (${guidance})`}`;
  if (acknowledged && acknowledged.t !== before?.acknowledged?.t)
    return `${name}: acknowledged by ${acknowledged.by}${now === undefined ? '' : `, still ${now}`}`;
  if (now === undefined && before?.now !== undefined)
    return `${name}: over (${text})${state.unacknowledged ? '; waits to be acknowledged' : ''}`;
  if (now !== undefined && rank(now) < rank(before?.now)) return `${name}: down to ${now}: ${text}`;
  return `${name}: ${now === undefined ? 'over' : now}: ${text}`;
}

const hour = (t: number): string => `${new Date(t / 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
