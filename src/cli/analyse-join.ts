/** Several boards of a session as one detector: what their plans say together, and what is in the way of it. */
import type { GeometryPlan, MapPlan } from '../derive/detector-map.ts';
import type { PhysicsPlan } from '../derive/detector-plan.ts';
import type { ReaderPlan } from '../readout/reader.ts';
import { timeOf } from './analyse-options.ts';
import type { Built, Recorded } from './analyse-session.ts';
import { type Parsed, Usage } from './command.ts';

export const JOIN_OPTIONS = { join: 'string', offset: 'string' } as const;
export const JOIN_HELP = `  --join T            the streams of a session as one detector: hits of all boards that lie within T of the first are one event, such as 200ns
  --offset T,T,...    added to the times of the streams, in the order in which they are listed, where their counters did not begin together
`;

export interface Joined {
  readonly stream: Recorded;
  readonly warnings: readonly string[];
}

/** What the rig makes one detector of these streams, all of them. */
export const builtOf = (all: readonly Built[], streams: readonly Recorded[]): Built | undefined =>
  all.find(
    ({ boards }) =>
      boards.length === streams.length && streams.every(({ instrument }) => instrument !== undefined && boards.includes(instrument)),
  );

/** Nanoseconds, where the streams are to be joined: as asked for, or else as the rig does. Throws Usage. */
export function joinTime({ options, flags }: Parsed, streams: number, built?: Built): number | undefined {
  const within = timeOf(options.join, 'join', '200 ns');
  if (within !== undefined && flags.has('separate')) throw new Usage('--join and --separate do not go together');
  if (within !== undefined && streams < 2) throw new Usage('--join is for a session of several streams, and there is one');
  return within ?? (flags.has('separate') ? undefined : built?.plan.physics.within);
}

/** Nanoseconds by stream: as asked for, or else as the rig has them. Throws Usage. */
export function offsets({ options }: Parsed, of: readonly Recorded[], built?: Built): readonly number[] {
  const streams = of.length;
  if (options.offset === undefined) return of.map(({ instrument = '' }) => built?.plan.build.offsets[instrument] ?? 0);
  const given = options.offset.split(',').map((text) => {
    const back = text.trim().startsWith('-');
    const size = timeOf(text.trim().replace(/^-/, ''), 'offset', '0ns,350ns', true) ?? 0;
    return back ? -size : size;
  });
  if (given.length !== streams) throw new Usage(`--offset is a time for each of the ${streams} streams, not ${given.length}`);
  return given;
}

const firstOf = ({ source }: ReaderPlan): number => {
  const { firstChannel = 0, first = firstChannel } = source as { readonly firstChannel?: number; readonly first?: number }; // as drivers plan it
  return first;
};

/** A stream with a plan for all of them: the rig's, where it makes a detector of them. What is given by options does not have to be in the plans. Throws Usage. */
export function joinedStream(streams: readonly Recorded[], built?: Built): Joined {
  const link = streams.map((one) => one.link).join(' + ');
  const warnings: string[] = [];
  const planned = streams.flatMap(({ plan, instrument, link: name }) =>
    plan ? [{ name: instrument ?? name, plan, first: firstOf(plan) }] : [],
  );
  const [some] = planned;
  if (built && some) return { stream: builtStream(streams, some.plan, built), warnings };
  const counted = new Map<string, number>();
  const dead = streams.reduce((sum, one) => sum + one.dead, 0);
  if (!some || planned.length < streams.length) return { stream: { link, series: {}, counted, dead }, warnings };
  const boards = planned.toSorted((a, b) => a.first - b.first);
  for (const [i, { name, first }] of boards.entries()) {
    const before = boards[i - 1];
    if (before && before.plan.channels > first)
      throw new Usage(
        `${before.name} and ${name} have the same channel numbers (${first} to ${before.plan.channels - 1}): "first_channel" in their options gives each its own, from then on`,
      );
  }
  const first = Math.min(...boards.map((b) => b.first));
  const channels = Math.max(...boards.map((b) => b.plan.channels));
  const physics = boards.flatMap(({ plan }) => (plan.physics ? [plan.physics] : []));
  const scale = scaleOf(boards, channels);
  const [own] = physics;
  if (own && physics.some(({ cuts }) => JSON.stringify(cuts) !== JSON.stringify(own.cuts)))
    warnings.push(`the boards have different cuts in the rig: those of ${boards.find((b) => b.plan.physics === own)?.name} are taken`);
  const map = physics.length === boards.length ? mapOfAll(physics.map((p) => p.map)) : undefined;
  const photoelectron = physics.length === boards.length ? listOf(boards, (p) => p.photoelectron) : undefined;
  if (own?.map && !map)
    warnings.push('the maps of the boards do not make one: each lists the places of its channels in the same box, or --map has them all');
  const { map: _map, photoelectron: _one, scale: _scale, ...rest } = own ?? { channels };
  const plan: ReaderPlan = {
    ...some.plan,
    source: { format: some.plan.source.format, firstChannel: first },
    channels,
    spectra: { ...some.plan.spectra, ...(scale ? { scale } : {}) },
    physics: {
      ...rest,
      ...{ channels: channels - first, firstChannel: first },
      ...(scale ? { scale } : {}),
      ...(map ? { map } : {}),
      ...(photoelectron ? { photoelectron } : {}),
    },
  };
  return { stream: { link, series: {}, plan, counted, dead }, warnings };
}

function builtStream(streams: readonly Recorded[], some: ReaderPlan, { instrument, plan: { physics } }: Built): Recorded {
  const { firstChannel = 0, channels, scale } = physics;
  const { scale: _, ...spectra } = some.spectra;
  const plan: ReaderPlan = {
    ...some,
    source: { format: some.source.format, firstChannel },
    channels: firstChannel + channels,
    spectra: { ...spectra, ...(scale ? { scale } : {}) },
    physics,
  };
  const dead = streams.reduce((sum, one) => sum + one.dead, 0);
  return { link: streams.map((one) => one.link).join(' + '), instrument, series: {}, plan, counted: new Map(), dead };
}

interface Board {
  readonly plan: ReaderPlan;
  readonly first: number;
}

/** By channel number; undefined where one board has none. */
function scaleOf(
  boards: readonly Board[],
  channels: number,
): { readonly slope: readonly number[]; readonly offset: readonly number[] } | undefined {
  const [slope, offset] = [new Array<number>(channels).fill(0), new Array<number>(channels).fill(0)];
  for (const { plan, first } of boards) {
    const scale = plan.physics?.scale ?? plan.spectra.scale;
    if (!scale) return undefined;
    for (let c = first; c < plan.channels; c++) {
      slope[c] = scale.slope[c] ?? 0;
      offset[c] = scale.offset?.[c] ?? 0;
    }
  }
  return { slope, offset };
}

/** Places of all boards one after the other, in one box. */
function mapOfAll(maps: readonly (MapPlan | undefined)[]): MapPlan | undefined {
  const geometries = maps.filter((map): map is GeometryPlan & { readonly channels: readonly (readonly [number, number, number])[] } =>
    Boolean(map && 'box' in map && typeof map.channels !== 'string'),
  );
  const [first] = geometries;
  if (!first || geometries.length < maps.length) return undefined;
  const alike = ({ channels: _c, facing: _f, ...rest }: GeometryPlan): string => JSON.stringify(rest, Object.keys(rest).sort());
  if (geometries.some((map) => alike(map) !== alike(first))) return undefined;
  const facing = geometries.flatMap((map) => map.facing ?? []);
  const { facing: _, ...rest } = first;
  const channels = geometries.flatMap((map) => map.channels);
  return facing.length === 0 ? { ...rest, channels } : facing.length === channels.length ? { ...rest, channels, facing } : undefined;
}

function listOf(
  boards: readonly Board[],
  of: (physics: PhysicsPlan) => number | readonly number[] | undefined,
): readonly number[] | undefined {
  const all = boards.map(({ plan, first }) => {
    const value = plan.physics && of(plan.physics);
    return typeof value === 'number' ? new Array<number>(plan.channels - first).fill(value) : value;
  });
  const known = all.filter((one) => one !== undefined);
  return known.length === all.length ? known.flat() : undefined;
}
