/** Spectra and tables from the bytes of files: SPE 2.x, SPE 3.0, or text in columns. No input or output here. */
import { readSpe, type Spe, SpeFault } from '../../protocols/spe.ts';
import { averageFrames, type SpectralFrame, type Table } from './calibration.ts';

/** What is compared between a spectrum and its calibration: all of these shape the response. */
export const PATH = ['camera', 'grating', 'centre_wavelength', 'slit', 'filter', 'iris', 'magnification'] as const;

/** The frames of a spectrum file, first region; or a sentence that says what is wrong with it. */
export function spectraOf(bytes: Uint8Array): readonly SpectralFrame[] | string {
  if (bytes.length === 0) return 'the file is empty';
  if (looksLikeText(bytes)) {
    const table = tableOf(bytes);
    if (typeof table === 'string') return table;
    const columns = table.wavelength.length;
    return [{ wavelength: table.wavelength, counts: table.value, rows: 1, columns, counted: false }];
  }
  const read = readSpe(bytes);
  return read instanceof SpeFault ? `${read.fault}: ${read.why}` : framesOf(read);
}

/** One exposure from a file: the frame asked for (from 0), or the mean of all. */
export function spectrumOf(bytes: Uint8Array, frame: number | 'mean'): SpectralFrame | string {
  const frames = spectraOf(bytes);
  if (typeof frames === 'string') return frames;
  const one = frame === 'mean' ? averageFrames(frames) : frames[frame];
  return one ?? `there is no frame ${frame}: the file has frames 0 to ${frames.length - 1}`;
}

function framesOf(spe: Spe): readonly SpectralFrame[] | string {
  const [region] = spe.regions;
  if (!region?.wavelength) return 'the file has no wavelength axis: calibrate the spectrometer before recording';
  const [rows, columns] = region.shape;
  const path: Record<string, number | string> = {};
  for (const name of PATH) {
    const value = spe.settings[name];
    if (value !== undefined) path[name] = value;
  }
  const common = {
    wavelength: region.wavelength,
    rows,
    columns,
    path,
    ...(spe.saturation === undefined ? {} : { saturation: spe.saturation }),
  };
  return spe.frames.map((frame) => {
    const exposure = frame.exposure ?? spe.exposure;
    return { ...common, counts: frame.data[0] ?? new Float32Array(0), ...(exposure === undefined ? {} : { exposure }) };
  });
}

/** A NUL or a control character that no text has says that the bytes are no text. */
function looksLikeText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 4096);
  return head.every((b) => b >= 0x20 || b === 0x09 || b === 0x0a || b === 0x0d);
}

const SPLIT = /[\s,;]+/;
const COMMENT = /^\s*(#|%|\/\/|!|")/;

/** "600,5;1,2e3": decimal commas, where something else parts the columns. */
const DECIMAL_COMMA = /^(?=.*[\s;])(?:[^,.]|\d,(?=\d))*$/;
const fields = (line: string): readonly string[] => (DECIMAL_COMMA.test(line) ? line.replaceAll(',', '.').split(SPLIT) : line.split(SPLIT));

/**
 * Two columns, wavelength in nm and a value, parted by tabs, blanks, commas or semicolons, with decimal points, or with decimal commas
 * where no comma parts the columns; comment lines, empty lines and one line of
 * headings are passed over. Sorted by wavelength. More columns are ignored.
 */
export function tableOf(bytes: Uint8Array): Table | string {
  if (!looksLikeText(bytes)) return 'this is no text: two columns are wanted, wavelength in nm and a value';
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
  const rows: (readonly [number, number])[] = [];
  let heading = true;
  for (const [n, line] of lines.entries()) {
    if (line.trim() === '' || COMMENT.test(line)) continue;
    const [first = '', second = ''] = fields(line.trim());
    const [nm, value] = [Number(first), Number(second)];
    const sound = first !== '' && second !== '' && Number.isFinite(nm) && Number.isFinite(value);
    if (!sound && heading && Number.isNaN(nm)) {
      heading = false;
      continue;
    }
    heading = false;
    if (!sound) return `line ${n + 1} is no pair of numbers (nm and a value): "${line.trim().slice(0, 60)}"`;
    if (!(nm > 0)) return `line ${n + 1} has the wavelength ${first} nm`;
    rows.push([nm, value]);
  }
  if (rows.length < 2) return `a table of wavelength (nm) and value needs two lines or more; ${rows.length} found`;
  rows.sort(([a], [b]) => a - b);
  const twice = rows.find(([nm], i) => nm === rows[i + 1]?.[0]);
  if (twice) return `the wavelength ${twice[0]} nm is there twice`;
  return { wavelength: Float64Array.from(rows, ([nm]) => nm / 1e9), value: Float64Array.from(rows, ([, value]) => value) };
}
