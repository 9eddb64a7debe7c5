/** Pairs, accidentals, capture time and direction from recorded hits: the chain of the readout process, with the cuts of the options. */
import { readFile } from 'node:fs/promises';
import { CUTS, type Cuts } from '../derive/coincidence-cuts.ts';
import { type ChainOptions, type ChainState, checkChain, type DetectorChain, detectorChain } from '../derive/detector-chain.ts';
import { ARRANGEMENTS, type MapPlan, mapOf } from '../derive/detector-map.ts';
import { flightFrom, type SourceTest } from '../derive/direction.ts';
import { unit, type Vector } from '../derive/direction-cone.ts';
import type { Hits } from '../derive/hits.ts';
import type { EnergyScale } from '../derive/spectra.ts';
import { CUT_OPTIONS, eventCuts } from './analyse-cuts.ts';
import { bar, coincidenceJson, coincidenceText, DIRECTION_HEAD, degrees, directionJson, directionRow } from './analyse-events.ts';
import { numberOf } from './analyse-options.ts';
import type { Recorded } from './analyse-session.ts';
import { type Parsed, Usage } from './command.ts';
import { columns } from './table.ts';

export const PHYSICS_OPTIONS = {
  ...CUT_OPTIONS,
  scale: 'string',
  map: 'string',
  photoelectron: 'string',
  source: 'string',
  'max-distance': 'string',
} as const;

export const PHYSICS_HELP = `Options for recorded sessions
  --from W            hits: as they were found then; stream: from the bytes once more, as the rig's driver reads them (otherwise hits, if there are any)
  --scale E           MeVee for one count of charge, of all channels (otherwise as the rig has it): with it there are pairs, by the cuts below
  --map M             where the channels look from: walls:32,32,32 or plane:32,32,32 (64 channels, sides of the box in cm), or a JSON file (docs/detector.md)
  --photoelectron Q   charge of one photoelectron: events have a place by likelihood (otherwise by the centroid, too near to the centre)
  --source X,Y,Z      where a source stands (cm from the middle of the detector): the found direction is held against it
  --max-distance CM   between prompt and delayed
                      What is not given of these, of the map and of the cuts is as the rig's physics has it.
`;

export interface Physics {
  take(block: Hits): void;
  /** Seconds that are known to have been lost. Nothing can be taken after that. */
  end(dead: number): {
    readonly json: Readonly<Record<string, unknown>>;
    readonly text: string;
    readonly warnings: readonly string[];
    readonly state: ChainState;
  };
}

/**
 * Undefined where there is no energy, and nothing that needs one is asked for. `within`: nanoseconds, hits of several boards are events by
 * time. Throws Usage.
 */
export async function physicsOf(stream: Recorded, parsed: Parsed, within?: number): Promise<Physics | undefined> {
  const { options } = parsed;
  const planned = stream.plan;
  const own = planned?.physics;
  const scale = scaleOf(options.scale) ?? own?.scale ?? planned?.spectra.scale;
  if (!scale) {
    const asked = Object.keys(PHYSICS_OPTIONS).find((name) => options[name] !== undefined && name !== 'window');
    if (asked !== undefined)
      throw new Usage(`--${asked} needs energies: ${stream.instrument ?? stream.link} had no scale in its rig; --scale E gives one`);
    return undefined;
  }
  const map = options.map !== undefined ? await mapFrom(options.map) : own?.map && mapOf(own.map);
  if (typeof map === 'string') throw new Usage(`the map of the rig is none: ${map}`);
  const { firstChannel = 0, first = firstChannel } = (planned?.source ?? {}) as { readonly firstChannel?: number; readonly first?: number }; // as drivers plan it
  const channels = map?.channels ?? (planned ? planned.channels - first : MOST);
  const distance = above(options['max-distance'], 'max-distance', 'in cm');
  if (distance !== undefined && !map) throw new Usage('--max-distance needs the places of events: --map says where the channels are');
  const photoelectron = above(options.photoelectron, 'photoelectron', 'a charge') ?? own?.photoelectron;
  if (options.photoelectron !== undefined && !map) throw new Usage('--photoelectron goes with --map');
  const base: Cuts = { ...(own?.cuts ?? CUTS), ...(distance === undefined ? {} : { apart: distance }) };
  const { dark, excess, energy, shape, light } = own ?? {};
  const flight = flightOf(options.source) ?? (own?.source && ('at' in own.source ? flightFrom(own.source.at) : unit(own.source.flight)));
  const wanted: ChainOptions = {
    channels,
    firstChannel: first,
    scale: ofAll(scale, first + channels),
    cuts: eventCuts(parsed, base).cuts,
    fits: Number.POSITIVE_INFINITY,
    ...given({ energy, shape, light, flight, within }),
    ...(map ? { vertex: { map, ...given({ photoelectron, dark, excess }) } } : {}),
  };
  const wrong = checkChain(wanted);
  if (wrong !== undefined) throw new Usage(`pairs cannot be looked for: ${wrong}`);
  return running(detectorChain(wanted));
}

/** Without what is undefined. */
const given = <T extends object>(all: T): { [N in keyof T]?: Exclude<T[N], undefined> } =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as { [N in keyof T]?: Exclude<T[N], undefined> }; // the same keys, fewer of them

/** From a source to the middle of the detector. */
function flightOf(text: string | undefined): Vector | undefined {
  if (text === undefined) return undefined;
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN, ...more] = text.split(',').map(numberOf);
  if (more.length > 0 || ![x, y, z].every(Number.isFinite) || Math.hypot(x, y, z) === 0)
    throw new Usage(`--source is X,Y,Z in cm from the middle of the detector, and not the middle itself, such as -80,0,10, not "${text}"`);
  return flightFrom([x, y, z]);
}

const MOST = 1024; // channels of a stream of which the rig says nothing

function running(chain: DetectorChain): Physics {
  return {
    take: (block) => chain.take(block),
    end(dead) {
      const state = chain.now(0, 0, dead);
      const { events, unlocated } = chain.counts;
      const c = { ...state.of, ...state, off: [...state.off], offIsolated: undefined };
      const { direction: found, separation } = state;
      const stated = 'stated' in found ? found.stated : found;
      const json = {
        ...coincidenceJson(c),
        pairs_without_place: unlocated,
        direction: 'stated' in found ? directionJson(found) : found,
        ...('stated' in found ? { centroids: state.centroids } : {}),
        ...(state.source ? { source: sourceJson(state.source) } : {}),
        light_yield: 'none' in state.light ? state.light : { value: state.light.value, sigma: state.light.sigma, fits: state.light.fits },
        figure_of_merit: separation === undefined ? null : 'refused' in separation ? null : separation.merit,
        figure_of_merit_sigma: separation === undefined ? null : 'refused' in separation ? null : separation.meritSigma,
      };
      const rows =
        'stated' in found
          ? `\n${columns([DIRECTION_HEAD, directionRow('isolated pairs', found)])}${'none' in stated ? `${stated.none}\n` : sourceText(state.source)}`
          : '';
      return {
        json,
        text: `${coincidenceText(c, events, [...lightRow(state), ...merit(state)])}${rows}`,
        warnings: warningsOf(state),
        state,
      };
    },
  };
}

const sourceJson = (s: SourceTest): object => ({
  ...{ angle_deg: degrees(s.angle), within_cone: s.within },
  ...{ chi2: s.chi2, dof: s.dof, p_value: s.p },
});
const sourceText = (s: SourceTest | undefined): string =>
  s === undefined
    ? ''
    : `the source's particles fly ${degrees(s.angle).toFixed(1)}° from it: ${s.within ? 'within' : 'outside of'} the cone, p ${Number(s.p.toPrecision(3))}\n`;

type Rows = readonly (readonly string[])[];
const lightRow = ({ light }: ChainState): Rows => [
  ['light yield', 'none' in light ? light.none : `${bar(light.value, light.sigma)} of what the scale says`],
];
const merit = ({ separation }: ChainState): Rows =>
  separation && !('refused' in separation) ? [['figure of merit', bar(separation.merit, separation.meritSigma)]] : [];

function warningsOf({ of, agreement, centroids, direction }: ChainState): readonly string[] {
  const said: string[] = [];
  if (agreement.word === 'disagree') said.push(agreement.why);
  if (of.late > 0) said.push(`${of.late} events came later than 1 ms after others and were left out of the pairs`);
  if (centroids > 0 && 'stated' in direction)
    said.push(`${centroids} pairs have places by the centroid, which stands too near to the centre: the displacement is too short`);
  return said;
}

function scaleOf(text: string | undefined): EnergyScale | undefined {
  const slope = above(text, 'scale', 'MeVee for one count of charge, such as 1e-5');
  return slope === undefined ? undefined : { slope: new Array<number>(MOST).fill(slope) };
}

/** A scale of one number holds for as many channels as there are. */
function ofAll(scale: EnergyScale, channels: number): EnergyScale {
  const [last] = scale.slope.length > 0 ? [scale.slope[scale.slope.length - 1] as number] : [0]; // it has one
  return scale.slope.length >= channels ? scale : { ...scale, slope: Array.from({ length: channels }, (_, c) => scale.slope[c] ?? last) };
}

function above(text: string | undefined, name: string, what: string): number | undefined {
  if (text === undefined) return undefined;
  const value = numberOf(text);
  if (!(value > 0)) throw new Usage(`--${name} is ${what}, above zero, not "${text}"`);
  return value;
}

async function mapFrom(text: string) {
  const [, arrangement, sides] = /^(\w+):([^/]*)$/.exec(text) ?? [];
  const known = ARRANGEMENTS.find((one) => one === arrangement);
  let plan: MapPlan;
  if (known !== undefined) {
    const box = (sides ?? '').split(',').map(numberOf);
    const [x = 0, y = 0, z = 0] = box;
    if (box.length !== 3 || !box.every((side) => side > 0))
      throw new Usage(`--map ${known}: the box has three sides in cm, such as ${known}:32,32,32`);
    plan = { box: [x, y, z], channels: known };
  } else {
    const read = await readFile(text, 'utf8').catch(() => undefined);
    if (read === undefined)
      throw new Usage(`--map is ${ARRANGEMENTS.map((one) => `${one}:32,32,32`).join(', ')} or a file, and ${text} cannot be read`);
    plan = planIn(read, text);
  }
  const map = mapOf(plan);
  if (typeof map === 'string') throw new Usage(`--map: ${map}`);
  return map;
}

/** What a file says is looked at here: it may be anybody's. */
function planIn(text: string, path: string): MapPlan {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Usage(`--map: ${path} is no JSON`);
  }
  const table = (read !== null && typeof read === 'object' ? read : {}) as Readonly<Record<string, unknown>>;
  const numbers = (value: unknown): boolean => Array.isArray(value) && value.every((n) => typeof n === 'number' && Number.isFinite(n));
  const points = (value: unknown): boolean => Array.isArray(value) && value.every((p) => numbers(p) && (p as unknown[]).length === 3);
  const geometry = points([table.box]) && (points(table.channels) || ARRANGEMENTS.some((one) => one === table.channels));
  const grid = points(table.channels) && ['x', 'y', 'z', 'values'].every((name) => numbers(table[name]));
  const more = ['attenuation', 'radius', 'scattered'].every((name) => table[name] === undefined || typeof table[name] === 'number');
  if (!(geometry || grid) || !more || !(table.facing === undefined || points(table.facing)))
    throw new Usage(
      `--map: ${path} is written as {"box":[x,y,z],"channels":"walls"} or with the channels' places [[x,y,z],...], or as a grid {"channels":...,"x":[...],"y":[...],"z":[...],"values":[...]}; lengths in cm`,
    );
  return read as MapPlan; // its parts were looked at just now
}
