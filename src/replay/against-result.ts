/** What a session against simulators comes to. */
import type { Trouble } from '../recorder/session-read.ts';
import type { Example, Finding, NotCompared } from './against-findings.ts';
import type { Channel } from './against-values.ts';

export interface Against {
  /** 'as the instruments': nothing was found but other identities, and something was compared. */
  readonly verdict: 'as the instruments' | 'differs';
  readonly seed: number;
  /** Of the larger of two values: by so much they may differ beside their noise. */
  readonly tolerance: number;
  readonly exchanges: { readonly recorded: number; readonly asked: number; readonly compared: number };
  readonly findings: readonly Finding[];
  readonly channels: readonly Channel[];
  /** Instruments of the rig whose model has no simulator, and how many of their exchanges were not asked. */
  readonly without: readonly { readonly instrument: string; readonly model: string; readonly exchanges: number }[];
  readonly notCompared: readonly NotCompared[];
  /** Messages whose numbers are missing, by topic. */
  readonly lost: Readonly<Record<string, number>>;
  readonly trouble: readonly Trouble[];
  /** False: the session has no end. */
  readonly complete: boolean;
  /** Seconds of the session. */
  readonly duration: number;
}

export interface Parts {
  readonly findings: readonly Finding[];
  readonly channels: readonly Channel[];
  /** Recorded readings that are paired by time, and have none of the simulator's beside them. */
  readonly unmet: readonly { readonly channel: string; readonly count: number }[];
  /** What came by itself, by its form. */
  readonly heard: readonly Heard[];
  readonly skipped: readonly NotCompared[];
  readonly compared: number;
}

export interface Heard {
  readonly instrument: string;
  readonly role: string;
  readonly then: number;
  readonly now: number;
  readonly first: Example;
}

export function outcome(parts: Parts): Pick<Against, 'verdict' | 'findings' | 'channels' | 'notCompared'> {
  const { channels, unmet, heard, skipped, compared } = parts;
  const findings = [...parts.findings, ...heard.flatMap(byItself), ...channels.flatMap(ofChannel)];
  const notCompared = [
    ...skipped,
    ...unmet.map(({ channel, count }) => ({ of: channel, why: 'nothing of the simulator near its time', count })),
    ...channels
      .filter(({ alone }) => alone > 0)
      .map(({ channel, alone }) => ({ of: channel, why: 'the driver gives it for one of the two answers only', count: alone })),
  ];
  const pairs = channels.reduce((n, one) => n + one.pairs, 0);
  // Where nothing at all could be compared, nothing is the same.
  const same = compared + pairs > 0 && findings.every((one) => one.class === 'identity');
  return { verdict: same ? 'as the instruments' : 'differs', findings, channels, notCompared };
}

function byItself({ instrument, role, then, now, first }: Heard): readonly Finding[] {
  const of = `by itself (${role})`;
  if (now === 0) {
    const what = 'came by itself then, the simulator does not send it';
    return [{ class: 'unknown', instrument, of, what, count: then, among: then, first }];
  }
  if (then > 0) return [];
  return [{ class: 'alone', instrument, of, what: 'did not come then, the simulator sends it by itself', count: now, among: now, first }];
}

function ofChannel({ channel, refused, first, pairs, outside, same }: Channel): readonly Finding[] {
  const instrument = channel.slice(0, channel.indexOf('.'));
  const found: Finding[] = [];
  if (refused) {
    const { then = 'a value', now = 'a value', count } = refused;
    const what = `the driver makes of it: ${then}; of the simulator's: ${now}`;
    found.push({ class: 'error', instrument, of: channel, what, count, among: pairs + count, first: refused.first });
  }
  if (!same && first) found.push({ class: 'physics', instrument, of: channel, what: 'another value', count: outside, among: pairs, first });
  return found;
}
