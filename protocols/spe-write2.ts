/** Writes SPE 2.x as WinSpec does: for simulated cameras of that age, and to read again what must be read. */
import { HEADER, PIXEL_BYTES, type PixelType, type Spe, TYPE_CODES } from './spe-form.ts';
import { Unsendable } from './unsendable.ts';

const COEFFICIENTS = 6;

/**
 * Frames, regions (at most 10), exposure, and the wavelengths of the first region as a polynomial of fifth order through six of them.
 * Offsets: WinX header structure. Throws Unsendable for what version 2 cannot hold.
 */
export function encodeSpe2(file: Spe): Uint8Array {
  const code = Object.entries(TYPE_CODES).find(([, type]) => type === file.pixel)?.[0];
  const { regions, frames, pixel } = file;
  if (code === undefined || regions.length === 0 || regions.length > 10 || frames.length === 0) {
    throw new Unsendable('an SPE 2 file has one frame or more, and one to ten regions');
  }
  const frame = regions.reduce((sum, { shape: [rows, columns] }) => sum + rows * columns * PIXEL_BYTES[pixel], 0);
  const bytes = new Uint8Array(HEADER + frame * frames.length);
  const view = new DataView(bytes.buffer);
  const [first] = regions;
  view.setFloat32(10, file.exposure ?? 0, true);
  view.setInt16(34, -1, true);
  view.setUint16(42, first.shape[1], true);
  view.setInt16(108, Number(code), true);
  view.setUint16(656, first.shape[0], true);
  view.setInt32(664, -1, true);
  view.setInt32(1446, frames.length, true);
  view.setInt16(1510, regions.length, true);
  regions.forEach(({ shape: [rows, columns], x, y, binning: [bx, by] }, r) => {
    // startx, endx, groupx, starty, endy, groupy, counted from 1
    [x + 1, x + columns * bx, bx, y + 1, y + rows * by, by].forEach((n, i) => {
      view.setUint16(1512 + 12 * r + 2 * i, n, true);
    });
  });
  view.setFloat32(1992, 2.5, true);
  view.setInt32(2996, 0x01234567, true);
  if (first.wavelength) {
    view.setUint8(3098 + 3, COEFFICIENTS - 1); // polynom_order of the x calibration
    polynomial(first.wavelength).forEach((c, n) => {
      view.setFloat64(3263 + 8 * n, c, true);
    });
  }
  view.setUint16(4098, 0x5555, true);
  let at = HEADER;
  for (const { data } of frames) {
    regions.forEach((_, r) => {
      for (const value of data[r]) {
        PUT[pixel](view, at, value);
        at += PIXEL_BYTES[pixel];
      }
    });
  }
  return bytes;
}

const PUT: Readonly<Record<PixelType, (view: DataView, at: number, value: number) => void>> = {
  f32: (view, at, value) => view.setFloat32(at, value, true),
  f64: (view, at, value) => view.setFloat64(at, value, true),
  i32: (view, at, value) => view.setInt32(at, value, true),
  i16: (view, at, value) => view.setInt16(at, value, true),
  u16: (view, at, value) => view.setUint16(at, value, true),
  u32: (view, at, value) => view.setUint32(at, value, true),
  u8: (view, at, value) => view.setUint8(at, value),
};

/** Coefficients of nm against the pixel's number from 1, by Newton's divided differences through pixels spread over the axis. */
function polynomial(wavelength: Float64Array): number[] {
  const many = Math.min(COEFFICIENTS, wavelength.length);
  const at = Array.from({ length: many }, (_, k) => (many === 1 ? 0 : Math.round((k * (wavelength.length - 1)) / (many - 1))));
  const x = at.map((i) => i + 1);
  const newton = at.map((i) => wavelength[i] * 1e9);
  for (let order = 1; order < many; order++) {
    for (let k = many - 1; k >= order; k--) newton[k] = (newton[k] - newton[k - 1]) / (x[k] - x[k - order]);
  }
  let sum: number[] = [newton[many - 1]];
  for (let k = many - 2; k >= 0; k--) {
    // sum * (pixel - x[k]) + newton[k]
    const next = [...sum.map((c) => -c * x[k]), 0];
    sum.forEach((c, n) => {
      next[n + 1] += c;
    });
    next[0] += newton[k];
    sum = next;
  }
  return sum;
}
