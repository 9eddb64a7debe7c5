/** Several boards as one detector: what a driver plans for the events of all, and what the boards must be for it. */

import type { PhysicsPlan } from '../derive/detector-plan.ts';
import { nanoseconds } from '../derive/waveform-clock.ts';
import type { ReaderPlan } from './reader.ts';
import type { BuildOptions } from './stream-link.ts';

/** Plain data, as a driver plans it: not what a stream's reader is to do, but what is to be built of several of them. */
export interface BuildPlan {
  readonly build: {
    /** Seconds. */
    readonly hold: number;
    /** Nanoseconds by the name of a board. */
    readonly offsets: Readonly<Record<string, number>>;
  };
  /** Of the whole detector; with `within`. */
  readonly physics: PhysicsPlan;
}

/** A readout plan of an instrument of the rig. */
export interface Planned {
  readonly instrument: string;
  readonly plan: ReaderPlan | BuildPlan;
}

export const isBuild = (plan: ReaderPlan | BuildPlan | Readonly<Record<string, unknown>>): plan is BuildPlan => 'build' in plan;

/** "hits:left,right": the boards whose hits are wanted. */
export const boardsIn = (address: string): readonly string[] => address.slice('hits:'.length).split(',');

interface Source {
  readonly format: string;
  readonly firstChannel?: number;
  readonly layout?: { readonly time: { readonly bits: number; readonly tick: number } };
}

/** The boards of a wire `hits:...`; a sentence where they are no detector together. */
export function boardsOf(
  names: readonly string[],
  { build, physics }: BuildPlan,
  rig: readonly Planned[],
): BuildOptions['boards'] | string {
  const stranger = Object.keys(build.offsets).find((name) => !names.includes(name));
  if (stranger !== undefined) return `offsets: ${stranger} is none of its boards, which are ${names.join(', ')}`;
  const streams = rig.flatMap(({ instrument, plan }) => (isBuild(plan) ? [] : [{ instrument, plan }]));
  const known = streams.length > 0 ? `; those of this rig are ${streams.map((s) => s.instrument).join(', ')}` : '';
  const boards: BuildOptions['boards'][number][] = [];
  for (const name of names) {
    const found = streams.find((s) => s.instrument === name);
    if (!found) return `${name} is no board with a fast stream${known}`;
    const { format, firstChannel: first = 0, layout } = found.plan.source as Source; // as drivers plan it
    if (!layout)
      return `${name} gives no time of a clock that boards can share (its stream is ${format}): its hits cannot be joined with others`;
    const { channels } = found.plan;
    const same = boards.find((b) => first < b.first + b.channels && b.first < channels);
    if (same)
      return `${same.name} and ${name} have the same channel numbers (${Math.max(first, same.first)} to ${Math.min(channels, same.first + same.channels) - 1}): "first_channel" in their options gives each its own`;
    const period = nanoseconds(layout.time.tick) * 2 ** layout.time.bits;
    boards.push({ name, first, channels: channels - first, offset: build.offsets[name] ?? 0, period });
  }
  const { firstChannel = 0, channels } = physics;
  const outside = boards.find((b) => b.first < firstChannel || b.first + b.channels > firstChannel + channels);
  if (outside)
    return `${outside.name} has the channels ${outside.first} to ${outside.first + outside.channels - 1}, the detector ${firstChannel} to ${firstChannel + channels - 1}: "channels" and "first_channel" in its options say which`;
  return boards;
}
