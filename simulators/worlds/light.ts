/**
 * The light that leaves the cell and what of it arrives on a beam: one truth for every detector. Spectral radiance in W m^-3 sr^-1,
 * wavelengths in metre. A filter that moves during an exposure gives the mixed spectrum of all its places.
 */
import { EXACT } from '../../src/derive/radiance.ts';
import { NEON } from './light-neon.ts';
import { profile, rubyLight } from './light-ruby.ts';
import type { Beam, OpticsState } from './optics.ts';
import { band, diamondEdge, normal } from './raman.ts';

/** K, of the calibration lamp: a black body. */
export const LAMP_TEMPERATURE = 2255;

/** Where a detector may look from. */
export type View = Exclude<Beam, 'laser'>;

/** All that decides on the light, as it is between two ticks of the world. */
export interface Moment {
  /** K, of each side's surface. */
  readonly up: number;
  readonly down: number;
  /** Of both. */
  readonly emissivity: number;
  /** Pa, K: where ruby and culet are. */
  readonly gaugePressure: number;
  readonly gaugeTemperature: number;
  readonly optics: OpticsState;
  /** Nothing reaches any detector. */
  readonly blind: boolean;
}

/** A detector's way of seeing: its pixels and, on the beam 'gauge', the laser that excites ruby and diamond. */
export interface Sight {
  readonly view: View;
  readonly wavelength: Float64Array;
  /** Metre, of the laser that excites; 532 nm when absent. */
  readonly laser?: number;
  /** True: it always shines. Otherwise a lamp or LED in the beam says, and where there is none, false says never. */
  readonly excited?: boolean;
}

/** Under one state of the optics the light is that of the mean conditions, as long as the sample is no more than this part hotter or colder. */
const STEADY = 0.15;

type Conditions = Pick<Moment, 'up' | 'down' | 'emissivity' | 'gaugePressure' | 'gaugeTemperature'>;
type Mean = { -readonly [N in keyof Conditions]: number } & { readonly optics: OpticsState; seconds: number };

/** The light of one exposure: mean conditions for each state of the optics that it has seen, and for each time that the sample was another. */
export class Gathered {
  seconds = 0;
  private readonly means: Mean[] = [];

  add(moment: Moment, seconds: number): void {
    if (!(seconds > 0)) return;
    this.seconds += seconds;
    if (moment.blind) return;
    const { up, down, emissivity, gaugePressure, gaugeTemperature, optics } = moment;
    const known = this.means.find((m) => m.optics === optics && Math.abs(up - m.up) < STEADY * m.up);
    if (!known) {
      this.means.push({ up, down, emissivity, gaugePressure, gaugeTemperature, optics, seconds });
      return;
    }
    known.seconds += seconds;
    const part = seconds / known.seconds;
    known.up += part * (up - known.up);
    known.down += part * (down - known.down);
    known.emissivity += part * (emissivity - known.emissivity);
    known.gaugePressure += part * (gaugePressure - known.gaugePressure);
    known.gaugeTemperature += part * (gaugeTemperature - known.gaugeTemperature);
  }

  /** Radiance times time (W s m^-3 sr^-1) at each pixel, after the optics. */
  radiance(sight: Sight): Float64Array {
    const { view, wavelength } = sight;
    const total = new Float64Array(wavelength.length);
    for (const mean of this.means) {
      const light = arriving(sight, mean);
      for (let i = 0; i < total.length; i++) total[i] += mean.seconds * light[i] * mean.optics.transmission(view, wavelength[i]);
    }
    return total;
  }

  /** What has shone is no setting of a device. */
  toJSON(): undefined {
    return undefined;
  }
}

/** Radiance before filters and shutters. */
function arriving(sight: Sight, now: Mean): Float64Array {
  const { view, wavelength } = sight;
  const { sample, lamp } = now.optics.sees(view);
  const out = new Float64Array(wavelength.length);
  if (sample > 0) {
    if (view === 'gauge') addGauge(out, sight, now);
    else {
      addBlackBody(out, wavelength, now[view], now.emissivity);
      addStray(out, wavelength, now.optics.source(view, 'led') ?? 0);
    }
    if (sample !== 1) for (let i = 0; i < out.length; i++) out[i] *= sample;
  }
  // On the beam of the gauge a lamp is what excites; on the others it is the one that a mirror shows, which burns where nobody switches it.
  const burns = view === 'gauge' ? 1 : (now.optics.source(view, 'lamp') ?? 1);
  addBlackBody(out, wavelength, LAMP_TEMPERATURE, lamp * burns);
  addNeon(out, wavelength, now.optics.neon(view));
  return out;
}

/** Below it a body has no light that any of these detectors could see (K). */
const DARK = 450;

/** Per pixel, the parts of Planck's law that do not depend on T; an axis is made once and used for ever. */
const axes = new WeakMap<Float64Array, { readonly first: Float64Array; readonly second: Float64Array }>();
function axisOf(wavelength: Float64Array) {
  let known = axes.get(wavelength);
  if (!known) {
    known = { first: wavelength.map((l) => EXACT.c1 / l ** 5), second: wavelength.map((l) => EXACT.c2 / l) };
    axes.set(wavelength, known);
  }
  return known;
}

function addBlackBody(out: Float64Array, wavelength: Float64Array, temperature: number, emissivity: number): void {
  if (!(temperature > DARK && emissivity > 0)) return;
  const { first, second } = axisOf(wavelength);
  for (let i = 0; i < out.length; i++) out[i] += (emissivity * first[i]) / Math.expm1(second[i] / temperature);
}

/** Of a white LED that lights the sample for the eye, the tail of its phosphor. */
const LED = { radiance: 2e9, centre: 590e-9, width: 55e-9 } as const;
function addStray(out: Float64Array, wavelength: Float64Array, shines: number): void {
  if (!(shines > 0)) return;
  for (let i = 0; i < out.length; i++) {
    out[i] += LED.radiance * shines * Math.exp(-0.5 * ((wavelength[i] - LED.centre) / LED.width) ** 2);
  }
}

/** Radiance times metre of the strongest line; the image of the slit (one sigma) in pixels, and of the lamp's own lines in metre. */
const LINE = 5;
const SLIT = 0.85;
const SHARP = 0.03e-9;

function addNeon(out: Float64Array, wavelength: Float64Array, shines: number): void {
  if (!(shines > 0)) return;
  for (let i = 0; i < out.length; i++) {
    const width = pixelWidth(wavelength, i);
    const sigma = Math.hypot(SLIT * width, SHARP);
    for (const [nm, strength] of NEON) {
      const off = wavelength[i] - nm * 1e-9;
      if (Math.abs(off) > 8 * sigma) continue;
      const part = normal((off + width / 2) / sigma) - normal((off - width / 2) / sigma);
      out[i] += (shines * LINE * strength * part) / width;
    }
  }
}

/** A pixel is as wide as its neighbours are apart. */
function pixelWidth(wavelength: Float64Array, i: number): number {
  const [a, b] = [Math.max(0, i - 1), Math.min(wavelength.length - 1, i + 1)];
  return b > a ? (wavelength[b] - wavelength[a]) / (b - a) : 1e-12;
}

/** Radiance times metre of the ruby's lines; radiance of the anvil's band and of its fluorescence at 700 nm, which falls by a third per 100 nm. */
const RUBY = 15;
const BAND = 4e9;
const FLUORESCENCE = { radiance: 3e8, slope: -1 / 300e-9 } as const;
const EXCITED_BELOW = 690e-9;
/** What comes along of the hot sample's light, beside which the gauge lies. */
const GLARE = 0.003;
const GREEN = 532e-9;

function addGauge(out: Float64Array, sight: Sight, now: Mean): void {
  const { wavelength, laser = GREEN } = sight;
  addBlackBody(out, wavelength, now.up, GLARE * now.emissivity);
  const shines = sight.excited ? 1 : (now.optics.source('gauge', 'lamp', 'led') ?? (sight.excited === undefined ? 1 : 0));
  if (!(shines > 0)) return;
  const ruby = laser < EXCITED_BELOW ? rubyLight(now.gaugePressure, now.gaugeTemperature) : undefined;
  const edge = diamondEdge(now.gaugePressure);
  for (let i = 0; i < out.length; i++) {
    const l = wavelength[i];
    if (l <= laser) continue; // the edge filter of the excitation
    const lines = ruby ? RUBY * ruby.strength * overPixel(wavelength, i, (at) => linesAt(ruby, at)) : 0;
    const raman = BAND * band(1 / laser - 1 / l, edge);
    const broad = FLUORESCENCE.radiance * Math.max(0, 1 + FLUORESCENCE.slope * (l - 700e-9));
    out[i] += shines * (lines + raman + broad);
  }
}

const linesAt = ({ lines }: ReturnType<typeof rubyLight>, at: number): number =>
  lines.reduce((sum, { centre, hwhm, lorentz, share }) => sum + share * profile(hwhm, lorentz, at - centre), 0);

/** The mean over a pixel: Gauss and Legendre with three points. */
function overPixel(wavelength: Float64Array, i: number, of: (at: number) => number): number {
  const off = pixelWidth(wavelength, i) * Math.sqrt(3 / 20);
  const l = wavelength[i];
  return (5 * of(l - off) + 8 * of(l) + 5 * of(l + off)) / 18;
}
