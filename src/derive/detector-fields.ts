/** The physics of a detector as a rig writes it: cuts, map, photoelectrons, a known source. Every part has its default. */
import { declared, type Field, Part } from '../instrument.ts';
import { CUTS, type Cuts, wrongCuts } from './coincidence-cuts.ts';
import { GAMMA_SOURCES, type GammaSource } from './compton.ts';
import { ARRANGEMENTS, type MapPlan, mapOf } from './detector-map.ts';
import { isCondition, type PhysicsPlan } from './detector-plan.ts';
import { checkLightYield } from './light-yield.ts';
import type { Point } from './response-map.ts';

/** What the rig says of it; the driver knows the channels, their scale and the axes. */
export type PhysicsPart = Pick<
  PhysicsPlan,
  'cuts' | 'map' | 'photoelectron' | 'dark' | 'excess' | 'source' | 'fits' | 'light' | 'conditions'
>;

const SECONDS = { written: 's', unit: 's' } as const;
const CM = { written: 'cm', unit: 'm' } as const;
const DEGREES = { written: 'deg', unit: 'rad' } as const;
const CUT_KEYS = ['muon', 'veto', 'prompt', 'prompt_shape', 'delayed', 'delayed_shape', 'window', 'off', 'isolation', 'apart'] as const;

/** Undefined where the rig says nothing: then there is no physics. */
export const physicsField = (channels: number): Field<PhysicsPart | undefined> =>
  declared(
    'pairs, accidentals, capture time and direction: { cuts, map, photoelectron, dark, excess, light, source, conditions, fits }, each with a default ({}: all)',
    (part) => (part.given ? physics(part, channels) : undefined),
  );

function physics(part: Part, channels: number): PhysicsPart {
  part.only(
    ['cuts', 'map', 'photoelectron', 'dark', 'excess', 'light', 'source', 'conditions', 'fits'],
    '"{ photoelectron: 16, map: { box: [32 cm, 32 cm, 32 cm] } }"',
  );
  const least = (name: string, low: number): Readonly<Record<string, number>> => {
    const at = part.at(name);
    if (!at.given) return {};
    const value = at.number();
    return value >= low ? { [name]: value } : at.wrong(`must be ${low} or more`);
  };
  return {
    cuts: cuts(part.at('cuts')),
    ...(part.at('map').given ? { map: map(part.at('map'), channels) } : {}),
    ...(part.at('photoelectron').given ? { photoelectron: photoelectron(part.at('photoelectron'), channels) } : {}),
    ...(part.at('source').given ? { source: source(part.at('source')) } : {}),
    ...(part.at('light').given ? { light: light(part.at('light')) } : {}),
    ...(part.at('conditions').given ? { conditions: conditions(part.at('conditions')) } : {}),
    ...least('dark', 0),
    ...least('excess', 1),
    ...least('fits', 0),
  };
}

function cuts(part: Part): Cuts {
  if (!part.given) return CUTS;
  part.only(CUT_KEYS, '"{ prompt: [1, 8], window: [1 us, 150 us] }"');
  const number = (name: string, otherwise: number): number => part.at(name).number(otherwise);
  const time = (of: Part, otherwise: number): number => (of.given ? rounded(of.amount(SECONDS) * 1e9) : otherwise);
  const energies = (name: 'prompt' | 'delayed'): readonly [number, number] =>
    part.at(name).given ? part.at(name).range({ written: '1', unit: '1' }) : CUTS[name];
  const group = (name: string, keys: readonly string[], like: string): Part =>
    part.at(name).given ? part.at(name).only(keys, like) : part.at(name);
  const off = group('off', ['first', 'step', 'count'], '"{ first: 1 ms, step: 200 us, count: 20 }"');
  const alone = group('isolation', ['time', 'low', 'high'], '"{ time: 300 us, low: 0.38, high: 20 }"');
  const window = part.at('window').given
    ? part
        .at('window')
        .range(SECONDS)
        .map((s) => rounded(s * 1e9))
    : CUTS.window;
  const made: Cuts = {
    muon: number('muon', CUTS.muon),
    veto: time(part.at('veto'), CUTS.veto),
    prompt: energies('prompt'),
    promptShape: number('prompt_shape', CUTS.promptShape),
    delayed: energies('delayed'),
    delayedShape: number('delayed_shape', CUTS.delayedShape),
    window: [window[0] ?? 0, window[1] ?? 0],
    off: {
      first: time(off.at('first'), CUTS.off.first),
      step: time(off.at('step'), CUTS.off.step),
      count: off.at('count').whole(0, 10_000, CUTS.off.count),
    },
    isolation: {
      time: time(alone.at('time'), CUTS.isolation.time),
      low: alone.at('low').number(CUTS.isolation.low),
      high: alone.at('high').number(CUTS.isolation.high),
    },
    ...(part.at('apart').given ? { apart: 100 * part.at('apart').amount(CM) } : {}),
  };
  const wrong = wrongCuts(made);
  return wrong === undefined ? made : part.wrong(wrong);
}

/** Nanoseconds as they are meant: 150 us are 150000, and not 149999.99999999997. */
const rounded = (ns: number): number => Math.round(ns * 1e6) / 1e6;

/** Channels of an arrangement, where it does not say. */
const BOARD = 64;
const MAP_LIKE = '"{ box: [32 cm, 32 cm, 32 cm], channels: walls }"';

function map(part: Part, channels: number): MapPlan {
  const made = part
    .only(['box', 'channels', 'facing', 'attenuation', 'radius', 'scattered', 'x', 'y', 'z', 'values'], MAP_LIKE)
    .at('values').given
    ? grid(part)
    : geometry(part, channels);
  const map = mapOf(made);
  if (typeof map === 'string') return part.wrong(map);
  return map.channels === channels ? made : part.at('channels').wrong(`${map.channels} places for ${channels} channels`);
}

function geometry(part: Part, channels: number): MapPlan {
  const { yaml } = part.at('channels');
  const length = (name: string): Readonly<Record<string, number>> =>
    part.at(name).given ? { [name]: 100 * part.at(name).amount(CM) } : {};
  return {
    box: point(part.at('box'), MAP_LIKE),
    ...(Array.isArray(yaml)
      ? { channels: points(part.at('channels')) }
      : { channels: part.at('channels').word(ARRANGEMENTS, 'walls'), ...(channels === BOARD ? {} : { count: channels }) }),
    ...(part.at('facing').given ? { facing: points(part.at('facing')) } : {}),
    ...length('attenuation'),
    ...length('radius'),
    ...(part.at('scattered').given ? { scattered: part.at('scattered').number() } : {}),
  };
}

/** Plain numbers: centimetres, and photoelectrons per MeVee. */
function grid(part: Part): MapPlan {
  const list = (name: string): readonly number[] => numbers(part.at(name));
  return { channels: points(part.at('channels')), x: list('x'), y: list('y'), z: list('z'), values: list('values') };
}

function numbers(part: Part): readonly number[] {
  const { yaml } = part;
  if (!Array.isArray(yaml)) return part.wrong('must be a list of numbers');
  return yaml.map((one: unknown, i) => (typeof one === 'number' && Number.isFinite(one) ? one : part.wrong(`${i}: is no number`)));
}

function point(part: Part, like: string): Point {
  const { yaml } = part;
  if (!Array.isArray(yaml) || yaml.length !== 3) return part.wrong(`must be three lengths, as in ${like}`);
  const [x = 0, y = 0, z = 0] = yaml.map((one: unknown) => 100 * new Part(one, ['three lengths']).amount(CM));
  return [x, y, z];
}

function points(part: Part): readonly Point[] {
  const { yaml } = part;
  if (!Array.isArray(yaml)) return part.wrong('must be a list of places such as [-16 cm, 4 cm, 0 cm]');
  return yaml.map((one: unknown, i) => point(new Part(one, [`place ${i}`]), '[-16 cm, 4 cm, 0 cm]'));
}

function photoelectron(part: Part, channels: number): number | readonly number[] {
  const all = Array.isArray(part.yaml) ? numbers(part) : [part.number()];
  if (!all.every((q) => q > 0)) return part.wrong('must be above 0: counts of charge of one photoelectron');
  if (!Array.isArray(part.yaml)) return all[0] ?? 0;
  return all.length === channels ? all : part.wrong(`${all.length} charges for ${channels} channels`);
}

function conditions(part: Part): readonly string[] {
  const { yaml } = part;
  if (!Array.isArray(yaml)) return part.wrong('must be a list of channels such as [hv.voltage, plant.purge]');
  return yaml.map((one: unknown) =>
    typeof one === 'string' && isCondition(one)
      ? one
      : part.wrong(`${JSON.stringify(one)} is no channel: write INSTRUMENT.CHANNEL, such as plant.purge`),
  );
}

function light(part: Part): NonNullable<PhysicsPlan['light']> {
  const like = '"{ line: 0.53 }" (MeVee, of captures) or "{ edge: 137Cs }"';
  part.only(['line', 'edge', 'every', 'change'], like);
  if (part.at('line').given === part.at('edge').given) return part.wrong(`is written as ${like}`);
  const number = (name: 'every' | 'change'): Readonly<Record<string, number>> =>
    part.at(name).given ? { [name]: part.at(name).number() } : {};
  const sources = Object.keys(GAMMA_SOURCES) as GammaSource[]; // its own keys
  const mark = part.at('line').given ? { line: part.at('line').number() } : { edge: part.at('edge').word(sources) };
  const made = { mark, ...number('every'), ...number('change') };
  const wrong = checkLightYield(made);
  return wrong === undefined ? made : part.wrong(wrong);
}

function source(part: Part): NonNullable<PhysicsPlan['source']> {
  const like = '"{ at: [20 cm, 0 cm, 0 cm] }" or "{ theta: 70 deg, phi: 50 deg }"';
  part.only(['at', 'theta', 'phi'], like);
  if (part.at('at').given) {
    const at = point(part.at('at'), like);
    return Math.hypot(...at) > 0 ? { at } : part.at('at').wrong('is the middle of the detector: no flight from there');
  }
  const [theta, phi] = [part.at('theta').amount(DEGREES), part.at('phi').amount(DEGREES)];
  return { flight: [Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta)] };
}
