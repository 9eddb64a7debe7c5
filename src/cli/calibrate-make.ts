/** From frames to a calibration: what it is worth, its record and its files; or why it is none. No input or output. */

import { nearestColumn, type SpectralFrame, type Table } from '../derive/calibration.ts';
import {
  type CalibrationRecord,
  type CalibrationTaken,
  moment,
  type NamedFile,
  type OpticalPath,
  printRecord,
} from '../derive/calibration-record.ts';
import { fingerprint, type Ledger, type LedgerRecord, select } from '../derive/ledger.ts';
import type { LineList } from '../derive/line-lists.ts';
import { type AxisFit, fitAxis } from '../derive/wavelength-fit.ts';
import { sealed, sha256 } from '../rig-calibrations.ts';
import { show } from '../units.ts';
import type { Shot } from './calibrate-follow.ts';
import { alike, lampFault, lightInDark, lightOf, pedestal, type Region, signed, speOf, summed } from './calibrate-frames.ts';
import type { Wanted } from './calibrate-options.ts';
import type { View } from './calibrate-rig.ts';
import type { NewFile } from './calibrate-write.ts';

export interface Given {
  readonly wanted: Wanted;
  readonly shots: readonly Shot[];
  /** What the rig and --path tell of the path. */
  readonly path: OpticalPath;
  readonly view?: View;
  readonly ledger: Ledger;
  readonly by: string;
  /** Names of the files that are in the folder. */
  readonly there: ReadonlySet<string>;
  /** Of the lamp: its radiance, with its bytes. */
  readonly radiance?: { readonly bytes: Uint8Array; readonly table: Table };
  readonly list?: LineList;
}

export interface Made {
  readonly record: CalibrationRecord;
  /** Data first, the record last. */
  readonly files: readonly NewFile[];
  readonly text: string;
  /** Sentences about it for whoever took it, and doubts. */
  readonly words: readonly string[];
  readonly doubts: readonly string[];
  readonly axis?: AxisFit;
}

/** The calibration, or a sentence that says why there is none and what would be right. */
export function made(given: Given): Made | string {
  const { wanted, shots, view, by } = given;
  const traces = shots.map(({ trace }) => trace);
  const frames = alike(traces);
  if (typeof frames === 'string') return frames;
  const [frame] = frames;
  const [trace] = traces;
  if (!frame || !trace) return 'there are no frames';
  const region = regionOf(given, frame);
  if (typeof region === 'string') return region;
  const begin = Math.min(...traces.map((t) => t.begin));
  const end = Math.max(...traces.map((t) => t.end));
  const simulated = shots.some(({ reading }) => reading.origin === 'simulator');
  const told = fingerprint(trace.settings);
  // What simulators have given never holds for a measured spectrum.
  const origin: OpticalPath = simulated ? { origin: 'simulator' } : {};
  const doubts = shots.flatMap(({ reading }) =>
    reading.quality === 'suspect' ? [`a frame is suspect: ${reading.why ?? 'no reason given'}`] : [],
  );
  const part = given.wanted.kind === 'lamp' ? lamp : given.wanted.kind === 'dark' ? dark : wavelength;
  const own = part(given, { frames, frame, region, told: { ...told, ...origin }, at: end });
  if (typeof own === 'string') return own;
  const stamp = moment(end).replace(/\.\d+/, '').replace(/[-:Z]/g, '').replace('T', '-');
  const base = free(`${wanted.kind}-${wanted.channel.split('.')[0]}-${stamp}`, given.there);
  const data: NewFile = { name: `${base}.spe`, bytes: speOf(frames, traces) };
  const files: NewFile[] = [data, ...(own.files ?? []).map(({ bytes, ending }) => ({ name: `${base}${ending}`, bytes }))];
  const named = (file: NewFile): NamedFile => ({ file: file.name, sha256: sha256(file.bytes) });
  const taken: CalibrationTaken = {
    calibration: wanted.kind,
    of: wanted.channel,
    taken: end,
    valid: { from: begin, ...(wanted.valid === undefined ? {} : { until: begin + wanted.valid * 1e6 }) },
    path: { ...own.path, ...origin },
    region: { ...(own.anyRows ? {} : { rows: region.rows }), columns: frame.columns },
    ...(frame.exposure === undefined ? {} : { exposure: frame.exposure }),
    ...own.more(files.slice(1).map(named)),
    data: named(data),
    by,
    ...(wanted.note === undefined ? {} : { note: wanted.note }),
  };
  const record = sealed(taken);
  const text = printRecord(record);
  const users = view === undefined ? [`no derivation takes it yet: write "calibration: auto" for one of ${wanted.channel}`] : [];
  return {
    record,
    text,
    files: [...files, { name: `${base}.yaml`, bytes: new TextEncoder().encode(text) }],
    words: [
      `${frames.length} frames${frame.exposure === undefined ? '' : ` of ${show(frame.exposure, 's')}`}, ${pathShown(taken.path)}`,
      ...own.words,
    ],
    doubts: [...new Set([...doubts, ...own.doubts, ...users])],
    ...(own.axis ? { axis: own.axis } : {}),
  };
}

/** With a number behind it where another calibration has the name. */
function free(name: string, there: ReadonlySet<string>): string {
  const names = [...there].map((n) => n.split('.')[0]);
  let base = name;
  for (let n = 2; names.includes(base); n++) base = `${name}-${n}`;
  return base;
}

interface Parts {
  readonly frames: readonly SpectralFrame[];
  readonly frame: SpectralFrame;
  readonly region: Region;
  /** What the spectrum tells of its path. */
  readonly told: OpticalPath;
  /** Microseconds: when the last exposure ended. */
  readonly at: number;
}

interface Own {
  readonly path: OpticalPath;
  /** It holds for all rows. */
  readonly anyRows?: boolean;
  readonly files?: readonly { readonly bytes: Uint8Array; readonly ending: string }[];
  readonly more: (files: readonly NamedFile[]) => Partial<CalibrationTaken>;
  readonly words: readonly string[];
  readonly doubts: readonly string[];
  readonly axis?: AxisFit;
}

const pathShown = (path: OpticalPath): string => {
  const entries = Object.entries(path).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`);
  return entries.length === 0 ? 'of no special path' : entries.join(', ');
};

/** Rows of the derivation or as asked for; the window's columns. */
function regionOf({ wanted, view }: Given, frame: SpectralFrame): Region | string {
  const rows = wanted.rows ?? view?.rows ?? ([0, frame.rows - 1] as const);
  if (rows[1] >= frame.rows) return `rows ${rows[0]} to ${rows[1]} are not in the frame, which has rows 0 to ${frame.rows - 1}`;
  const ends = wanted.kind === 'lamp' && view?.window ? view.window.map((l) => nearestColumn(frame.wavelength, l)) : [0, frame.columns - 1];
  return { rows, columns: [Math.min(...ends), Math.max(...ends)] };
}

function lamp({ wanted, path, ledger, radiance, shots }: Given, { frames, frame, region, told, at }: Parts): Own | string {
  const whole = { ...path, ...told, ...path }; // what the rig tells comes first
  const doubts: string[] = [];
  const found = darkFor(wanted, ledger, { path: whole, frame, region, at });
  if (typeof found === 'string') return found;
  if (found.doubt !== undefined) doubts.push(found.doubt);
  const below = found.dark?.frame;
  const darkPixels = Number(shots[0]?.trace.settings.dark ?? Number.NaN);
  const light = lightOf(frames, region, below ?? pedestal(frames, region, darkPixels));
  const fault = lampFault(light, frame.exposure, wanted.drift);
  if (fault !== undefined) return found.dark ? fault : `${fault} (without a dark, the level of the darkest pixels counts as none)`;
  if (light.saturated > 0)
    doubts.push(`${(100 * light.saturated).toFixed(1)} % of the columns in the window are saturated: they are left out`);
  const level = `signal over noise ${light.ratio.toFixed(0)}${light.fill === undefined ? '' : `, ${(100 * light.fill).toFixed(0)} % of full scale`}`;
  const words = [`${level}, drift ${signed(light.drift)}`, found.dark ? `dark ${found.dark.record.id}` : 'no dark subtracted'];
  const darkData = found.dark?.record.data;
  return {
    path: whole,
    ...(radiance ? { files: [{ bytes: radiance.bytes, ending: '.radiance.txt' }] } : {}),
    more: ([table]) => ({
      lamp: table
        ? { radiance: table }
        : {
            temperature: wanted.temperature?.value ?? Number.NaN,
            ...(wanted.temperature?.sigma === undefined ? {} : { sigma: wanted.temperature.sigma }),
          },
      ...(darkData ? { dark: darkData } : {}),
    }),
    words,
    doubts,
  };
}

interface Found {
  readonly dark?: LedgerRecord;
  readonly doubt?: string;
}

/** The dark that belongs to a lamp: the named one, or the newest that holds. */
function darkFor(
  { dark, channel }: Wanted,
  ledger: Ledger,
  { path, frame, region, at }: { readonly path: OpticalPath; readonly frame: SpectralFrame; readonly region: Region; readonly at: number },
): Found | string {
  if (dark === 'none') return {};
  if (dark !== undefined) {
    const all = ledger.records.filter(({ record }) => record.calibration === 'dark' && record.id.startsWith(dark.toLowerCase()));
    const [one, ...more] = all;
    if (!one) return `--dark: there is no dark ${dark} in the rig's calibrations`;
    if (more.length > 0) return `--dark: ${dark} is the beginning of ${all.length} ids: write more of it`;
    const wrong = unfit(one, frame);
    return wrong === undefined ? { dark: one } : `--dark: ${one.record.id} ${wrong}`;
  }
  const wantedDark = {
    of: channel,
    t: at,
    path,
    told: path,
    rows: region.rows,
    columns: frame.columns,
    ...(frame.exposure === undefined ? {} : { exposure: frame.exposure }),
  };
  const one = select(ledger, 'dark', wantedDark);
  if ('refused' in one) return { doubt: `no dark is subtracted: ${one.refused}` };
  const wrong = unfit(one, frame);
  return wrong === undefined ? { dark: one } : { doubt: `no dark is subtracted: ${one.record.id} ${wrong}` };
}

const NEAR = 1e-3;
function unfit({ record, frame: dark }: LedgerRecord, frame: SpectralFrame): string | undefined {
  const theirs = record.exposure ?? dark?.exposure;
  if (dark === undefined || dark.rows !== frame.rows || dark.columns !== frame.columns)
    return `has ${dark?.rows ?? 0} x ${dark?.columns ?? 0} pixels, and the lamp ${frame.rows} x ${frame.columns}`;
  if (theirs !== undefined && frame.exposure !== undefined && Math.abs(theirs - frame.exposure) > NEAR * frame.exposure)
    return `was exposed for ${show(theirs, 's')}, and the lamp for ${show(frame.exposure, 's')}`;
  return undefined;
}

/** What shapes a dark: the detector, whatever light there would have been. */
const DETECTOR = ['camera', 'serial', 'binning', 'origin'];
const only = (path: OpticalPath, wanted: (name: string) => boolean): OpticalPath =>
  Object.fromEntries(Object.entries(path).filter(([name]) => wanted(name)));

function dark({ wanted, path, ledger }: Given, { frames, frame, region, told, at }: Parts): Own | string {
  if (frame.exposure === undefined) return 'the frames do not say how long they were exposed: a dark belongs to an exposure';
  const kept = only({ ...told, ...path }, (name) => DETECTOR.includes(name));
  const before = select(ledger, 'dark', {
    of: wanted.channel,
    t: at,
    path: kept,
    told: kept,
    columns: frame.columns,
    exposure: frame.exposure,
  });
  const earlier = 'refused' in before ? undefined : before.frame;
  const same = earlier && earlier.rows === frame.rows ? earlier : undefined;
  const light = lightInDark(frames, region, same);
  const { signal, noise } = lightOf(frames, region);
  const level = signal.reduce((sum, v) => sum + v, 0) / signal.length;
  return {
    path: kept,
    anyRows: true,
    more: () => ({}),
    words: [`level ${level.toPrecision(4)} counts, ${(noise * Math.sqrt(frames.length)).toPrecision(2)} rms a frame`],
    doubts: light === undefined ? [] : [light],
  };
}

/** What places a wavelength on a pixel; filters and irises do not. */
const AXIS = /grating|centre|center|wavelength|slit|camera|serial|binning/;

function wavelength({ wanted, path, list, view }: Given, { frames, frame, region, told }: Parts): Own | string {
  if (!list) return 'there is no list of lines';
  const spectrum = summed(frames, region);
  const axis = Float64Array.from(frame.wavelength, (l) => l * 1e9);
  const fit = fitAxis({ ...spectrum, axis, list, order: wanted.order, off: wanted.off });
  if ('refused' in fit) return fit.refused;
  const pm = (nm: number): string => `${(nm * 1e3).toFixed(0)} pm`;
  return {
    path: only({ ...told, ...path }, (name) => AXIS.test(name)),
    anyRows: wanted.rows === undefined && view?.rows === undefined,
    more: () => ({
      coefficients: fit.coefficients,
      lines: fit.lines.map((l) => ({
        wavelength: l.nm / 1e9,
        pixel: Number(l.pixel.toFixed(4)),
        residual: Number((l.residual / 1e9).toPrecision(4)),
      })),
    }),
    words: [
      ...fit.lines.map(
        (l) =>
          `${l.of.padEnd(2)} ${l.nm.toFixed(4).padStart(9)} nm  pixel ${l.pixel.toFixed(2).padStart(8)} +- ${l.sigma.toFixed(2)}  off ${pm(l.residual).padStart(7)}`,
      ),
      `${fit.lines.length} lines of ${list.name} (air), ${fit.unused.length} others found; left over ${pm(fit.rms)} rms (${fit.rmsPixels.toFixed(2)} pixels), chi2/dof ${fit.chi2.toFixed(2)}`,
      `${fit.window.map((x) => x.toFixed(2)).join(' to ')} nm; one sigma of the axis ${pm(fit.inside)} between the lines, ${pm(fit.anywhere)} at most; before, it was off by ${pm(fit.moved[0])} to ${pm(fit.moved[1])}`,
      `lines of ${list.source}`,
    ],
    doubts: fit.warnings,
    axis: fit,
  };
}
