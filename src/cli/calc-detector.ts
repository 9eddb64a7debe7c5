/** `bridgman calc ibd | li6 | cone | accidentals | geoneutrino`: the numbers by which a detector of antineutrinos is planned and judged. */
import { accidentalRate } from '../derive/accidentals.ts';
import { circle, heldCone, type Matrix, normalCone, roundCone } from '../derive/direction-cone.ts';
import { chanceAbove, THREE_SIGMA } from '../derive/error-function.ts';
import { eventsPerYear, FOLDED, geoneutrinos, type Masses, massesOf, RATIO, signalOf } from '../derive/geoneutrino.ts';
import * as ibd from '../derive/ibd.ts';
import { ALPHA_ENERGY, capture, LITHIUM_LIGHT, LITHIUM_Q, TRITON_ENERGY } from '../derive/lithium.ts';
import { EXIT, type Io, type Parsed, Usage } from './command.ts';
import { only } from './fit-read.ts';
import type { Options } from './gauge-options.ts';
import { asLines, type Lines } from './pressure-report.ts';

/** Beside those of planck, the gauges and the resistivity. */
export const CALC_DETECTOR_OPTIONS = {
  energy: 'string',
  angle: 'string',
  cosine: 'string',
  power: 'string',
  distance: 'string',
  mass: 'string',
  loading: 'string',
  density: 'string',
  hydrogen: 'string',
  displacement: 'string',
  spread: 'string',
  events: 'string',
  prompt: 'string',
  delayed: 'string',
  window: 'string',
  isolation: 'string',
  singles: 'string',
  live: 'string',
  heat: 'string',
  uranium: 'string',
  thorium: 'string',
  ratio: 'string',
  signal: 'string',
} as const;

interface Answer {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: Lines;
}

const STEPS: Readonly<Record<string, { readonly takes: readonly string[]; readonly of: (options: Options) => Answer }>> = {
  ibd: { takes: ['energy', 'angle', 'cosine', 'power', 'distance', 'mass'], of: decay },
  li6: { takes: ['loading', 'density', 'hydrogen'], of: lithium },
  cone: { takes: ['displacement', 'spread', 'events'], of: cone },
  accidentals: { takes: ['prompt', 'delayed', 'window', 'isolation', 'singles', 'live'], of: accidentals },
  geoneutrino: { takes: ['heat', 'uranium', 'thorium', 'ratio', 'signal', 'mass'], of: earth },
};
export const CALC_DETECTOR: readonly string[] = Object.keys(STEPS);

export const CALC_DETECTOR_EXAMPLES = `  bridgman calc ibd --energy 2,5,8 --angle 90deg
  bridgman calc ibd --power "3 GW" --distance 25m --mass 1t
  bridgman calc li6 --loading 0.1% --density 0.98g/cm3 --hydrogen 5.5e22/cm3
  bridgman calc cone --displacement 1.9cm --spread 20cm --events 2500
  bridgman calc accidentals --prompt 75Hz --delayed 72Hz --window 149us --live 1d
  bridgman calc geoneutrino --heat 20TW --ratio 3.9
`;

export const CALC_DETECTOR_HELP = `Options of ibd (inverse beta decay; bare numbers are MeV and degrees)
  --energy E,...      of the antineutrino: prompt energy, neutron, cross-section; --angle A or --cosine C of the positron
  --power P           of a reactor, with --distance L and --mass M of the scintillator: interactions per day

Options of li6 (capture of neutrons)
  --loading F         6Li by mass, such as 0.1%; --density D, otherwise 0.98 g/cm3; --hydrogen N, otherwise 5.5e22 1/cm3

Options of cone (bare numbers are cm)
  --displacement D    of the mean; --spread S of one event per axis, one or three (x,y,z; the displacement along x); --events N

Options of accidentals (bare numbers are 1/s and us)
  --prompt R, --delayed R, --window T; --live T gives their number
  --isolation T       in all, during which none of --singles R may come

Options of geoneutrino
  --heat H            of uranium and thorium, such as 20TW, or --uranium M (and --thorium M); --ratio of thorium to uranium, otherwise 3.9
  --signal S          in TNU, otherwise 30; --mass M of the scintillator, otherwise 1 t
`;

/** Throws Usage for what is wrong with the arguments. */
export function calcDetector(name: string, parsed: Parsed, io: Io): number {
  const step = STEPS[name];
  if (!step) throw new Error(`no step ${name}`); // the caller has looked
  only(parsed, name, [...step.takes, 'json', 'help']);
  const { json, lines } = step.of(parsed.options);
  io.out(parsed.flags.has('json') ? `${JSON.stringify(json, null, 2)}\n` : asLines(lines));
  return EXIT.ok;
}

/** Written unit -> factor; the first is that of a bare number, and the one that the number is given in. */
const UNITS = {
  energy: { MeV: 1, keV: 1e-3, eV: 1e-6, GeV: 1e3 },
  angle: { deg: Math.PI / 180, '°': Math.PI / 180, rad: 1, mrad: 1e-3 },
  power: { W: 1, kW: 1e3, MW: 1e6, GW: 1e9, TW: 1e12, GWth: 1e9, MWth: 1e6 },
  length: { m: 1, cm: 1e-2, mm: 1e-3, km: 1e3 },
  place: { cm: 1, mm: 0.1, m: 100 },
  mass: { kg: 1, g: 1e-3, t: 1e3, kt: 1e6 },
  share: { '': 1, '%': 1e-2, ppm: 1e-6 },
  density: { 'g/cm3': 1, 'kg/m3': 1e-3, 'g/ml': 1, 'kg/l': 1 },
  perVolume: { '1/cm3': 1, '/cm3': 1, 'cm-3': 1, '1/m3': 1e-6, '/m3': 1e-6, 'm-3': 1e-6 },
  rate: { '1/s': 1, Hz: 1, kHz: 1e3, MHz: 1e6, mHz: 1e-3, '/s': 1, '1/d': 1 / 86400 },
  time: { us: 1e-6, µs: 1e-6, ns: 1e-9, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400 },
  seconds: { s: 1, ms: 1e-3, min: 60, h: 3600, d: 86400, y: 31557600 },
  signal: { TNU: 1 },
  number: { '': 1 },
} as const;
type Kind = keyof typeof UNITS;

const NUMBER = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$/;

/** A number above zero (or from zero on) in a unit of this kind; what is wrong is said with what would be right. */
function one(name: string, text: string, kind: Kind, example: string, zero: boolean | 'any' = false): number {
  const like = `write it like --${name} ${example}`;
  if (/\+-|±/.test(text)) throw new Usage(`--${name} takes no uncertainty here; ${like}`);
  const [, number = '', written = ''] = NUMBER.exec(text) ?? [];
  if (number === '') throw new Usage(`--${name}: "${text.trim()}" is no number; ${like}`);
  const units: Readonly<Record<string, number>> = UNITS[kind];
  const [bare = ''] = Object.keys(units);
  const unit = written === '' ? bare : written.replace(/\^|\s/g, '').replace(/³/g, '3');
  const factor = Object.hasOwn(units, unit) ? units[unit] : Number.NaN;
  if (Number.isNaN(factor))
    throw new Usage(
      `--${name}: the unit "${written}" is not one of ${Object.keys(units).filter(Boolean).join(', ') || 'none: it is a plain number'}; ${like}`,
    );
  const value = Number(number) * factor;
  if (!Number.isFinite(value)) throw new Usage(`--${name}: "${text.trim()}" is too large; ${like}`);
  if (zero === 'any' ? false : zero ? value < 0 : !(value > 0))
    throw new Usage(`--${name}: must be ${zero ? 'zero or more' : 'above zero'}, not "${text.trim()}"`);
  return value;
}

function taken(options: Options, name: string, kind: Kind, example: string, zero: boolean | 'any' = false): number {
  const text = options[name];
  if (text === undefined) throw new Usage(`--${name} is missing, such as --${name} ${example}`);
  return one(name, text, kind, example, zero);
}
const perhaps = (options: Options, name: string, kind: Kind, otherwise: number, example: string, zero = false): number =>
  options[name] === undefined ? otherwise : taken(options, name, kind, example, zero);

const part = (value: number | undefined, unit: string): object => ({
  value: value === undefined || !Number.isFinite(value) ? null : value,
  sigma: null,
  unit,
});
const digits = (value: number, unit = ''): string => shown(value, 8) + (unit && ` ${unit}`);
const short = (value: number, unit = ''): string => shown(value, 5) + (unit && ` ${unit}`);
/** From ten million on with an exponent: 9.98e16 kg. */
const shown = (value: number, n: number): string => {
  const round = Number(value.toPrecision(n));
  return Math.abs(round) < 1e7 ? String(round) : round.toExponential().replace('e+', 'e');
};
const degrees = (angle: number): string => `${short((angle * 180) / Math.PI)} deg`;

function decay(options: Options): Answer {
  const reactor = ['power', 'distance', 'mass'].filter((name) => options[name] !== undefined);
  if (options.energy === undefined && reactor.length === 0)
    throw new Usage('give --energy, such as --energy 5MeV, or --power, --distance and --mass of a reactor and a detector');
  if (options.energy === undefined && (options.angle !== undefined || options.cosine !== undefined))
    throw new Usage('--angle and --cosine go with --energy');
  const rows = (options.energy ?? '')
    .split(',')
    .filter((text) => options.energy !== undefined || text !== '')
    .map((text) => ofEnergy(one('energy', text, 'energy', '5MeV'), options));
  const perDay =
    reactor.length === 0
      ? undefined
      : 86400 *
        ibd.reactorRate({
          power: taken(options, 'power', 'power', '"3 GW"'),
          distance: taken(options, 'distance', 'length', '25m'),
          mass: taken(options, 'mass', 'mass', '1t'),
        });
  return {
    json: {
      method: 'inverse-beta-decay',
      threshold: part(ibd.THRESHOLD, 'MeV'),
      results: rows.map((row) => row.json),
      ...(perDay === undefined ? {} : { interactions_per_day: part(perDay, '1/d') }),
    },
    lines: [
      ['threshold', digits(ibd.THRESHOLD, 'MeV')],
      ...rows.flatMap((row) => row.lines),
      ...(perDay === undefined
        ? []
        : [
            ['interactions', `${short(perDay)} per day, every one counted, no oscillation`] as const,
            [
              'taken for that',
              `${ibd.PROTONS_PER_KG} protons/kg, ${ibd.REACTOR.perFission} MeV and ${ibd.REACTOR.perProton} cm2 per fission (typical, not measured)`,
            ] as const,
          ]),
    ],
  };
}

function ofEnergy(energy: number, options: Options): Answer {
  const range = ibd.neutronRange(energy);
  if (!range) throw new Usage(`--energy: ${energy} MeV is below the threshold of ${ibd.THRESHOLD} MeV: nothing happens there`);
  if (options.angle !== undefined && options.cosine !== undefined) throw new Usage('give --angle or --cosine, not both');
  const cosine =
    options.cosine !== undefined
      ? taken(options, 'cosine', 'number', '0.5', 'any')
      : options.angle !== undefined
        ? Math.cos(taken(options, 'angle', 'angle', '60deg', 'any'))
        : undefined;
  if (cosine !== undefined && Math.abs(cosine) > 1) throw new Usage(`--cosine is from -1 to 1, not ${options.cosine}`);
  const at = cosine === undefined ? undefined : ibd.kinematics(energy, cosine);
  if (cosine !== undefined && !at)
    throw new Usage(`at ${energy} MeV, so near the threshold, no positron goes off at that angle; try --angle 0deg`);
  const ends = [ibd.kinematics(energy, -1) ?? ibd.kinematicsCm(energy, -1), ibd.kinematics(energy, 1)].map((k) => k?.prompt ?? Number.NaN);
  const [least = Number.NaN, most = Number.NaN] = ends;
  const sigma = ibd.crossSection(energy);
  return {
    json: {
      energy: part(energy, 'MeV'),
      cross_section: part(sigma, 'cm2'),
      mean_cosine: part(ibd.meanCosine(energy), '1'),
      prompt: { least: part(least, 'MeV'), most: part(most, 'MeV') },
      neutron: {
        least: part(range.least, 'MeV'),
        most: part(range.most, 'MeV'),
        largest_angle: part(range.angle, 'rad'),
        largest_angle_leading_order: part(range.angleLeadingOrder, 'rad'),
      },
      ...(at && cosine !== undefined
        ? {
            at: {
              cosine_positron: part(cosine, '1'),
              positron: part(at.positron, 'MeV'),
              prompt: part(at.prompt, 'MeV'),
              neutron: part(at.neutron, 'MeV'),
              cosine_neutron: part(at.cosNeutron, '1'),
            },
          }
        : {}),
    },
    lines: [
      ['antineutrino', digits(energy, 'MeV')],
      ['  cross-section', `${short(sigma, 'cm2')} (leading order; its constant from memory)`],
      ['  prompt', `${digits(least)} to ${digits(most, 'MeV')}`],
      ['  neutron', `${short(range.least * 1e3)} to ${short(range.most * 1e3, 'keV')}, within ${degrees(range.angle)} of the flight`],
      ...(at
        ? [
            [
              '  at this angle',
              `prompt ${digits(at.prompt, 'MeV')}, neutron ${digits(at.neutron * 1e3, 'keV')} at ${degrees(Math.acos(at.cosNeutron))}`,
            ] as const,
          ]
        : []),
    ],
  };
}

function lithium(options: Options): Answer {
  const fraction = taken(options, 'loading', 'share', '0.1%', true);
  const density = perhaps(options, 'density', 'density', 0.98, '0.98g/cm3');
  const hydrogen = perhaps(options, 'hydrogen', 'perVolume', 5.5e22, '5.5e22/cm3', true);
  if (fraction > 1) throw new Usage(`--loading: no more than 100 %, not "${options.loading}"; 0.1 % by mass is written 0.1%`);
  const got = capture({ density, fraction, hydrogen });
  if (!got || !Number.isFinite(got.tau)) throw new Usage('without 6Li and hydrogen there is nothing that captures');
  return {
    json: {
      method: 'neutron-capture',
      capture_time: part(got.tau, 's'),
      on_lithium: part(got.onLithium, '1'),
      alpha: part(ALPHA_ENERGY, 'MeV'),
      triton: part(TRITON_ENERGY, 'MeV'),
    },
    lines: [
      [
        'capture time',
        `${short(got.tau * 1e6)} us, with ${short(100 * fraction)} % of 6Li by mass, at ${short(density, 'g/cm3')} and ${short(hydrogen, 'hydrogen/cm3')}`,
      ],
      ['on 6Li', `${short(100 * got.onLithium)} %`],
      [
        'alpha + triton',
        `${short(ALPHA_ENERGY)} + ${short(TRITON_ENERGY)} = ${LITHIUM_Q} MeV; light of about ${LITHIUM_LIGHT} MeVee (from memory)`,
      ],
    ],
  };
}

function cone(options: Options): Answer {
  const size = taken(options, 'displacement', 'place', '1.9cm');
  if (options.spread === undefined) throw new Usage('--spread is missing, such as --spread 20cm or --spread 7,7,9');
  const spreads = options.spread.split(',').map((text) => one('spread', text, 'place', '20cm'));
  if (spreads.length !== 1 && spreads.length !== 3) throw new Usage(`--spread is one length or three, not ${spreads.length}`);
  const events = taken(options, 'events', 'number', '2500');
  if (!Number.isInteger(events)) throw new Usage(`--events is a whole number, not "${options.events}"`);
  const [x = 0, y = x, z = x] = spreads.map((s) => s / Math.sqrt(events));
  const round = spreads.length === 1;
  const covariance: Matrix = [
    [x * x, 0, 0],
    [0, y * y, 0],
    [0, 0, z * z],
  ];
  const component = Math.sqrt((x * x + y * y + z * z) / 3) / size;
  const exact = round ? roundCone(1 / component) : normalCone([size, 0, 0], covariance);
  const held = heldCone([size, 0, 0], covariance);
  const chi2 = (size / x) ** 2;
  const p = chanceAbove(chi2, 3);
  const weak = p >= THREE_SIGMA;
  return {
    json: {
      method: 'direction-cone',
      one_axis: part(component, 'rad'),
      cone68_small_angle: part(circle() * component, 'rad'),
      cone68: part(exact, 'rad'),
      cone68_of_a_measurement: part(held, 'rad'),
      chi2: part(chi2, '1'),
      p: part(p, '1'),
      direction: !weak,
    },
    lines: [
      ['one-axis sigma', degrees(component)],
      ['68 % cone', `${degrees(exact)}: so many estimates are this near the truth`],
      ['small-angle formula', `${degrees(circle() * component)} = 1.515 sigma`],
      [
        'stated cone',
        held < Math.PI
          ? `${degrees(held)}: what a measurement of just this displacement would state`
          : 'none: no direction would be shut out',
      ],
      [
        'direction',
        weak
          ? `none: chance alone gives as much in ${short(100 * p)} % of cases, and less than 0.27 % (3 sigma) is asked for`
          : `yes: chi2 ${short(chi2)} over no displacement, p ${p > 0 ? p.toExponential(2) : 'below 1e-300'}`,
      ],
    ],
  };
}

function accidentals(options: Options): Answer {
  const prompt = taken(options, 'prompt', 'rate', '75Hz', true);
  const delayed = taken(options, 'delayed', 'rate', '72Hz', true);
  const window = taken(options, 'window', 'time', '149us');
  if ((options.isolation === undefined) !== (options.singles === undefined)) throw new Usage('--isolation and --singles go together');
  const isolation =
    options.isolation === undefined
      ? undefined
      : { rate: taken(options, 'singles', 'rate', '200Hz', true), time: taken(options, 'isolation', 'time', '600us') };
  const got = accidentalRate(prompt, delayed, window, isolation);
  const live = options.live === undefined ? undefined : taken(options, 'live', 'seconds', '1d');
  const rates = [
    ['pairs', got.pairs],
    ['prompts with one or more', got.prompts],
    ...(isolation ? [['pairs that are isolated', got.pairs * got.isolated] as const] : []),
  ] as const;
  return {
    json: {
      method: 'accidentals',
      pairs: part(got.pairs, '1/s'),
      prompts: part(got.prompts, '1/s'),
      ...(isolation ? { isolated_share: part(got.isolated, '1'), isolated_pairs: part(got.pairs * got.isolated, '1/s') } : {}),
      ...(live === undefined ? {} : { number: part(got.pairs * live * got.isolated, '1') }),
    },
    lines: [
      ...rates.map(([name, rate]) => [name, `${short(rate)} per second, ${short(rate * 86400)} per day`] as const),
      ...(live === undefined ? [] : [['in the live time', short(got.pairs * live * got.isolated)] as const]),
    ],
  };
}

function earth(options: Options): Answer {
  if ((options.heat === undefined) === (options.uranium === undefined))
    throw new Usage('give either --heat, such as 20TW, or --uranium, such as 9.98e16kg');
  if (options.thorium !== undefined && (options.heat !== undefined || options.ratio !== undefined))
    throw new Usage('--thorium goes with --uranium, and without --ratio');
  const ratio = perhaps(options, 'ratio', 'number', RATIO, '3.9', true);
  const masses = options.heat === undefined ? weighed(options, ratio) : massesOf(taken(options, 'heat', 'power', '20TW'), ratio);
  const got = geoneutrinos(masses);
  const signal = perhaps(options, 'signal', 'signal', 30, '30TNU', true);
  const mass = perhaps(options, 'mass', 'mass', 1000, '1t');
  const central = signalOf(got.flux);
  const ton = mass / 1000;
  return {
    json: {
      method: 'geoneutrino',
      uranium: { mass: part(masses.uranium, 'kg'), heat: part(got.heat.uranium, 'W'), luminosity: part(got.luminosity.uranium, '1/s') },
      thorium: { mass: part(masses.thorium, 'kg'), heat: part(got.heat.thorium, 'W'), luminosity: part(got.luminosity.thorium, '1/s') },
      ratio: part(masses.thorium / masses.uranium, '1'),
      heat: part(got.heat.both, 'W'),
      luminosity: part(got.luminosity.both, '1/s'),
      flux_from_centre: { uranium: part(got.flux.uranium, '1/cm2/s'), thorium: part(got.flux.thorium, '1/cm2/s') },
      signal: part(signal, 'TNU'),
      mass: part(mass, 'kg'),
      events_per_year: part(eventsPerYear(signal, mass), '1/y'),
      events_per_tonne_year: part(eventsPerYear(signal, 1000), '1/t/y'),
      signal_from_centre: part(central, 'TNU'),
      events_per_tonne_year_from_centre: part(eventsPerYear(central, 1000), '1/t/y'),
    },
    lines: [
      [
        'uranium',
        `${short(masses.uranium, 'kg')}, ${short(got.heat.uranium / 1e12, 'TW')}, ${short(got.luminosity.uranium)} antineutrinos/s`,
      ],
      [
        'thorium',
        `${short(masses.thorium, 'kg')}, ${short(got.heat.thorium / 1e12, 'TW')}, ${short(got.luminosity.thorium)} antineutrinos/s`,
      ],
      ['heat', `${short(got.heat.both / 1e12, 'TW')} (KamLAND 2011 from both: 20.0 +8.8 -8.6 TW, from memory)`],
      [
        'events',
        `${short(eventsPerYear(signal, mass))} per year in ${short(ton, 't')} at ${short(signal, 'TNU')}${options.signal === undefined ? ' (typical; --signal says another)' : ''}`,
      ],
      [
        'from these masses',
        `${short(central, 'TNU')} and ${short(eventsPerYear(central, 1000))} per tonne and year if all were in the Earth's centre: an order of magnitude, a real site has more (survival ${FOLDED.survival}, cross-section from memory)`,
      ],
    ],
  };
}

function weighed(options: Options, ratio: number): Masses {
  const uranium = taken(options, 'uranium', 'mass', '9.98e16kg');
  return { uranium, thorium: options.thorium === undefined ? uranium * ratio : taken(options, 'thorium', 'mass', '3.89e17kg', true) };
}
