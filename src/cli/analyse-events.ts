/** Event lists in CSV: prompt-delayed pairs of a stream, and the direction of pairs with their places. Names of the JSON carry their units. */
import { type Coincidences, type PairOptions, pairFinder } from '../derive/coincidence.ts';
import { type Arrow, type Direction, direction } from '../derive/direction.ts';
import { addDisplacement, displacements } from '../derive/direction-sums.ts';
import { show } from '../units.ts';
import { eventCuts } from './analyse-cuts.ts';
import { CSV_COLUMNS, type DetectorFile } from './analyse-file.ts';
import { numberOf, timeOf } from './analyse-options.ts';
import { readTable, type TableCounts } from './analyse-table.ts';
import { type Parsed, Usage } from './command.ts';
import { columns } from './table.ts';

export interface EventResult {
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const PAIRS = 1000; // of them are in the JSON
const LATE = 0.5; // of a run without an event at its beginning
export const degrees = (radians: number): number => (radians * 180) / Math.PI;
export const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
export const digits = (value: number, n = 5): string => (Number.isFinite(value) ? String(Number(value.toPrecision(n))) : '-');
export const bar = (value: number, sigma: number): string => `${digits(value, 6)} ± ${digits(sigma, 3)}`;

/** A sentence where the file has no event. Throws Usage for cuts that cannot be. */
export function analyseEvents(file: DetectorFile, parsed: Parsed): Promise<EventResult | string> {
  return file.format === 'coincidence-csv' ? pairsOf(file, parsed) : directionOf(file, parsed);
}

function tableWarnings({ path, size }: DetectorFile, t: TableCounts): readonly string[] {
  const said: string[] = [];
  if (t.unreadable > 0)
    said.push(`${path}: ${plural(t.unreadable, 'line')} left out that hold no row of numbers, the first is line ${t.firstUnreadable}`);
  if (t.cutOff > 0)
    said.push(`${path} ends in the middle of a line: its last ${plural(t.cutOff, 'byte')}, from byte ${size - t.cutOff} on, were left out`);
  if (t.openEnd) said.push(`${path}: its last line has no end; should it be cut, its last number is too`);
  return said;
}
/** A sentence where the table has no row that can be taken. */
function rowless({ path }: DetectorFile, t: TableCounts, what: string): string | undefined {
  if (t.missing.length > 0) return `${path} has no column ${t.missing.join(', ')}; its first line must name it`;
  if (t.rows > 0) return undefined;
  if (t.unreadable === 0 && t.cutOff === 0) return `${path} has no ${what} below its first line`;
  const lines = t.unreadable + Number(t.cutOff > 0);
  return `${path} has no ${what}: ${lines === 1 ? 'its one line below the first is no row' : `none of its ${lines} lines below the first is a row`} of numbers`;
}
export const warned = (warnings: readonly string[]): string =>
  warnings.length === 0 ? '' : `\n${warnings.map((w) => `! ${w}\n`).join('')}`;

async function pairsOf(file: DetectorFile, parsed: Parsed): Promise<EventResult | string> {
  const { cuts, duration, window } = eventCuts(parsed);
  const options: PairOptions = window === undefined ? {} : { disorder: window };
  const finder = pairFinder(cuts, options);
  const shown: (readonly [number, number])[] = [];
  let [first, last, before, backward, largest, negative] = [Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0, 0, 0];
  const keep = (p: { readonly count: number; readonly tPrompt: Float64Array; readonly tDelayed: Float64Array }): void => {
    for (let i = 0; i < p.count && shown.length < PAIRS; i++) shown.push([p.tPrompt[i] ?? 0, p.tDelayed[i] ?? 0]);
  };
  const counts = await readTable(file.path, CSV_COLUMNS['coincidence-csv'], ([t, energy, psd], count) => {
    if (!t || !energy || !psd) return;
    for (let i = 0; i < count; i++) {
      const at = t[i] ?? 0;
      if (at < before) {
        backward++;
        largest = Math.max(largest, before - at);
      }
      before = at;
      if (at < 0) negative++;
      first = Math.min(first, at);
      last = Math.max(last, at);
    }
    finder.take({ count, t, energy, psd }, keep);
  });
  const empty = rowless(file, counts, 'event');
  if (empty !== undefined) return empty;
  if (duration !== undefined && duration < last)
    throw new Usage(`--duration ${duration / 1e9} s is shorter than the run: its last event is at ${last / 1e9} s`);
  const c = finder.end(duration ?? last, keep);
  const warnings = [
    ...tableWarnings(file, counts),
    ...(cuts.off.count === 0
      ? ['without off-time windows accidentals are not known, and the capture time is fitted as if there were none']
      : []),
    ...(duration === undefined ? ['without --duration the run ends with its last event, and the live time with it'] : []),
    ...(negative > 0
      ? [`${plural(negative, 'event')} before 0 s, where the run begins: ${negative === 1 ? 'it is' : 'they are'} in no live time`]
      : []),
    ...(first > LATE * last
      ? [`the first event is at ${show(first / 1e9, 's')}, and the run, with its live time and rates, begins at 0 s: is that so?`]
      : []),
    ...(last > Number.MAX_SAFE_INTEGER ? ['times beyond 2^53 ns (104 days) are not exact: take a nearer zero'] : []),
    ...(c.doubled > 0 ? [`${plural(c.doubled, 'event')} stood there twice and counted once`] : []),
    ...(c.late > 0
      ? [`${plural(c.late, 'event')} came later than the window and were left out; a longer --window would take them in`]
      : []),
    ...(c.agreement.word === 'disagree' ? [c.agreement.why] : []),
  ];
  const json = {
    ...{ file: file.path, format: file.format, events: counts.rows, cut_off_bytes: counts.cutOff, unreadable_lines: counts.unreadable },
    ...{ backward_steps: backward, largest_backward_step: largest / 1e9, late: c.late, doubled: c.doubled },
    ...coincidenceJson(c),
    pairs_ns: shown,
    warnings,
  };
  return { json, text: `${coincidenceText(c, counts.rows)}${warned(warnings)}` };
}

export function coincidenceJson(c: Coincidences): Readonly<Record<string, unknown>> {
  const { cuts } = c;
  return {
    duration_s: (c.run[1] - c.run[0]) / 1e9,
    cuts: {
      muon_E_min: cuts.muon,
      veto_after_muon_us: cuts.veto / 1e3,
      prompt_E: cuts.prompt,
      prompt_psd_max: cuts.promptShape,
      delayed_E: cuts.delayed,
      delayed_psd_min: cuts.delayedShape,
      dt_us: cuts.window.map((t) => t / 1e3),
      off_windows: { first_us: cuts.off.first / 1e3, step_us: cuts.off.step / 1e3, count: cuts.off.count },
      isolation_us: cuts.isolation.time / 1e3,
      isolation_E: [cuts.isolation.low, cuts.isolation.high],
    },
    muons: c.muons,
    veto_time_s: c.vetoed / 1e9,
    live_time_s: c.live / 1e9,
    prompt_candidates: c.prompts,
    delayed_candidates: c.delayeds,
    on_time_pairs: c.pairs,
    off_window_counts: c.off,
    accidental_estimate: c.accidentals.value,
    accidental_error: c.accidentals.sigma,
    signal_estimate: c.signal.value,
    signal_error: c.signal.sigma,
    accidental_from_singles_product: c.singles.value,
    accidentals_agree: { word: c.agreement.word, sigmas: c.agreement.sigmas },
    pairs_after_isolation: c.isolated,
    multiplicity: c.multiplicity,
    mean_dt_us: c.meanTime / 1e3,
    capture_time_fit: 'none' in c.capture ? { none: c.capture.none } : { tau_us: c.capture.tau / 1e3, sigma_us: c.capture.sigma / 1e3 },
  };
}

/** `more` are rows below those of the pairs. */
export function coincidenceText(c: Coincidences, events: number, more: readonly (readonly string[])[] = []): string {
  const duration = (c.run[1] - c.run[0]) / 1e9;
  return columns([
    ['events', `${events} in ${digits(duration, 9)} s`],
    ['muons', `${c.muons}, ${digits(c.vetoed / 1e9, 9)} s vetoed, ${digits(c.live / 1e9, 11)} s live`],
    ['candidates', `${c.prompts} prompt, ${c.delayeds} delayed`],
    ['pairs', `${c.pairs} on time, ${c.isolated} of them isolated`],
    [
      'accidentals',
      `${bar(c.accidentals.value, c.accidentals.sigma)} by ${c.off.length} off-time windows, ${digits(c.singles.value, 4)} by the rates (${c.agreement.word})`,
    ],
    ['signal', bar(c.signal.value, c.signal.sigma)],
    ['capture time', 'none' in c.capture ? c.capture.none : `${bar(c.capture.tau / 1e3, c.capture.sigma / 1e3)} µs`],
    ...more,
  ]);
}

const MAX_DT = 100e3; // ns, and the next in cm: the cuts of the golden list
const MAX_DISTANCE = 25;

async function directionOf(file: DetectorFile, { options }: Parsed): Promise<EventResult | string> {
  const maxDt = timeOf(options['max-dt'], 'max-dt', '100 us') ?? MAX_DT;
  const maxDistance = options['max-distance'] === undefined ? MAX_DISTANCE : numberOf(options['max-distance']);
  if (!(maxDistance > 0)) throw new Usage(`--max-distance is in cm and above zero, not "${options['max-distance']}"`);
  const [all, near] = [displacements(), displacements()];
  const names = [...CSV_COLUMNS['direction-csv'], 'dt_us'];
  const counts = await readTable(file.path, names, ([px, py, pz, dx, dy, dz, dt], count) => {
    if (!px || !py || !pz || !dx || !dy || !dz || !dt) return;
    for (let i = 0; i < count; i++) {
      const [x, y, z] = [(dx[i] ?? 0) - (px[i] ?? 0), (dy[i] ?? 0) - (py[i] ?? 0), (dz[i] ?? 0) - (pz[i] ?? 0)];
      addDisplacement(all, x, y, z);
      if ((dt[i] ?? 0) * 1e3 < maxDt && Math.hypot(x, y, z) < maxDistance) addDisplacement(near, x, y, z);
    }
  });
  const empty = rowless(file, counts, 'pair');
  if (empty !== undefined) return empty;
  const warnings = tableWarnings(file, counts);
  const [whole, cut] = [direction(all), direction(near)];
  const json = {
    ...{ file: file.path, format: file.format, events: counts.rows, cut_off_bytes: counts.cutOff, unreadable_lines: counts.unreadable },
    all: directionJson(whole),
    cuts: { max_dt_us: maxDt / 1e3, max_distance_cm: maxDistance },
    cut: directionJson(cut),
    warnings,
  };
  const text = columns([
    DIRECTION_HEAD,
    directionRow('all', whole),
    directionRow(`< ${digits(maxDt / 1e3)} µs, < ${digits(maxDistance)} cm`, cut),
  ]);
  const none = [whole, cut].flatMap((d) => ('none' in d.stated ? [d.stated.none] : []));
  return { json, text: `${text}${none.length > 0 ? `\n${none.join('\n')}\n` : ''}${warned(warnings)}` };
}

export const DIRECTION_HEAD = ['', 'pairs', 'mean displacement', 'theta', 'phi', '68 % cone', 'against none'];

const arrowJson = (a: Arrow): object => ({
  unit: a.unit,
  theta_deg: degrees(a.theta),
  phi_deg: degrees(a.phi),
  sigma_theta_deg: degrees(a.sigmaTheta),
  sigma_phi_times_sin_theta_deg: degrees(a.sigmaArc),
  sigma_phi_deg: degrees(a.sigmaPhi),
  cov_theta_phisin_deg2: a.covariance * (180 / Math.PI) ** 2,
  cone_68_deg: degrees(a.cone),
});

/** The direction itself stands in `stated`, or why there is none; beside it what leads there. */
export function directionJson(d: Direction): object {
  return {
    n: d.pairs,
    mean_displacement_cm: d.mean,
    length_cm: d.length,
    length_noise_corrected_cm: d.lengthCorrected,
    sd_per_axis_cm: d.spread,
    cov_of_mean: d.covariance,
    ...(d.arrow ? arrowJson(d.arrow) : {}),
    stated: 'none' in d.stated ? d.stated : true,
    chi2_no_direction: d.chi2,
    p_value_3dof: d.p,
    p_value_hotelling: d.pFew,
    isotropic_formula: {
      sigma_component_deg: degrees(d.isotropic.component),
      cone_68_deg: degrees(d.isotropic.cone),
      cone_68_exact_atan: degrees(d.isotropic.coneAtan),
    },
    unit_vector_estimator: {
      R_bar: d.units.resultant,
      kappa_vMF: d.units.kappa,
      unit: d.units.unit,
      angle_to_mean_displacement_deg: degrees(d.units.off),
    },
  };
}

export function directionRow(name: string, d: Direction): readonly string[] {
  const stated = d.stated;
  // By Hotelling: what decides.
  const few = d.pFew > 1.2 * d.p && d.pFew > 1e-6 ? `, for so few ${digits(d.pFew, 2)}` : '';
  const at =
    'none' in stated
      ? ['no direction', '', '']
      : [
          `${bar(degrees(stated.theta), degrees(stated.sigmaTheta))}°`,
          `${bar(degrees(stated.phi), degrees(stated.sigmaPhi))}°`,
          `${digits(degrees(stated.cone), 4)}°`,
        ];
  return [name, String(d.pairs), `${digits(d.length, 4)} cm`, ...at, `chi2 ${digits(d.chi2, 4)}, p ${digits(d.p, 3)}${few}`];
}
