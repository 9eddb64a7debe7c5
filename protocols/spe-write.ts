/** Writes SPE 3.0, for simulated cameras: what readSpe gives back is what was written. */
import { HEADER, PIXEL_BYTES, type PixelType, type Spe } from './spe-form.ts';

/** LightField knows three pixel formats; others are written as the nearest (integers above 2^24 lose their last bits). */
const FORMATS: Readonly<Record<PixelType, readonly [string, PixelType, number]>> = {
  u16: ['MonochromeUnsigned16', 'u16', 3],
  u8: ['MonochromeUnsigned16', 'u16', 3],
  u32: ['MonochromeUnsigned32', 'u32', 8],
  f32: ['MonochromeFloating32', 'f32', 0],
  f64: ['MonochromeFloating32', 'f32', 0],
  i16: ['MonochromeFloating32', 'f32', 0],
  i32: ['MonochromeFloating32', 'f32', 0],
};

/** Regions, frames, wavelengths, exposure, recorded time, camera, grating and converter bits; per-frame tracking is not written. */
export function encodeSpe(file: Spe): Uint8Array {
  const [format, type, code] = FORMATS[file.pixel];
  const sizes = file.regions.map(({ shape: [rows, columns] }) => rows * columns * PIXEL_BYTES[type]);
  const frame = sizes.reduce((sum, n) => sum + n, 0);
  const footer = HEADER + frame * file.frames.length;
  const xml = utf8(footerOf(file, format, sizes, frame));
  const bytes = new Uint8Array(footer + xml.length);
  const view = new DataView(bytes.buffer);
  const [first] = file.regions;
  view.setUint16(42, first?.shape[1] ?? 0, true);
  view.setUint16(656, first?.shape[0] ?? 0, true);
  view.setInt16(34, -1, true);
  view.setInt32(664, -1, true);
  view.setInt16(108, code, true);
  view.setBigUint64(678, BigInt(footer), true);
  view.setInt32(1446, file.frames.length, true);
  view.setFloat32(1992, 3, true);
  view.setInt32(2996, 0x01234567, true);
  view.setUint16(4098, 0x5555, true);
  let at = HEADER;
  for (const { data } of file.frames) {
    file.regions.forEach(({ shape: [rows, columns] }, r) => {
      for (let i = 0; i < rows * columns; i++) {
        const value = data[r]?.[i] ?? 0;
        if (type === 'u16') view.setUint16(at, value, true);
        else if (type === 'u32') view.setUint32(at, value, true);
        else view.setFloat32(at, value, true);
        at += PIXEL_BYTES[type];
      }
    });
  }
  bytes.set(xml, footer);
  return bytes;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

function footerOf(file: Spe, format: string, sizes: readonly number[], frame: number): string {
  const regions = file.regions.map(({ shape: [rows, columns] }, r) => {
    const size = sizes[r] ?? 0;
    return `<DataBlock type="Region" calibrations="${10 + r},${100 + r}" count="1" width="${columns}" height="${rows}" size="${size}" stride="${size}" />`;
  });
  const calibrations = file.regions.map(({ shape: [rows, columns], x, y, binning: [bx, by], wavelength }, r) => {
    const axis = wavelength ? [...wavelength].map((w) => w * 1e9).join(',') : '';
    const mapping = wavelength
      ? `<WavelengthMapping id="${100 + r}"><Wavelength xml:space="preserve">${axis}</Wavelength></WavelengthMapping>`
      : '';
    const sensor = `<SensorMapping id="${10 + r}" x="${x}" y="${y}" width="${columns * bx}" height="${rows * by}" xBinning="${bx}" yBinning="${by}" />`;
    return mapping + sensor;
  });
  const { settings } = file;
  const text = (name: string): string => escaped(String(settings[name] ?? ''));
  const one = (name: string, value: string): string => (value === '' ? '' : `<${name}>${value}</${name}>`);
  const bits = one('Adc', one('AnalogGain', text('adc_gain')) + one('BitDepth', text('adc_bits')));
  const exposure = file.exposure === undefined ? '' : one('ShutterTiming', one('ExposureTime', String(file.exposure * 1e3)));
  const centre = settings.centre_wavelength === undefined ? '' : String(Number(settings.centre_wavelength) * 1e9);
  const grating = one(
    'Grating',
    one('Selected', settings.grating === undefined ? '' : `[${text('grating')}][1][0]`) + one('CenterWavelength', centre),
  );
  const model = settings.camera === undefined ? '' : `<Camera model="${text('camera')}" />`;
  const created = file.recordedText ?? (file.recorded === undefined ? undefined : iso(file.recorded));
  return (
    '<SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009">' +
    `<DataFormat><DataBlock type="Frame" count="${file.frames.length}" pixelFormat="${format}" size="${frame}" stride="${frame}">${regions.join('')}</DataBlock></DataFormat>` +
    `<Calibrations>${calibrations.join('')}</Calibrations>` +
    `<DataHistories><DataHistory id="1"><Origin${created === undefined ? '' : ` created="${escaped(created)}"`}>` +
    '<Experiment xmlns="http://www.princetoninstruments.com/experiment/2009">' +
    `<System><Cameras>${model}</Cameras></System>` +
    `<Devices><Cameras><Camera>${exposure}${bits}</Camera></Cameras><Spectrometers><Spectrometer>${grating}</Spectrometer></Spectrometers></Devices>` +
    '</Experiment></Origin></DataHistory></DataHistories></SpeFormat>'
  );
}

/** The moment in UTC as LightField writes it. Days to date: inverse of the Gregorian day count from 1970-01-01. */
export function iso(microseconds: number): string {
  const second = Math.floor(microseconds / 1e6);
  const days = Math.floor(second / 86400) + 719468;
  const era = Math.floor(days / 146097);
  const ofEra = days - era * 146097;
  const yearOfEra = Math.floor((ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36524) - Math.floor(ofEra / 146096)) / 365);
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (n: number, width = 2): string => String(n).padStart(width, '0');
  const left = ((second % 86400) + 86400) % 86400;
  const clock = `${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  return `${two(year, 4)}-${two(month)}-${two(day)}T${clock}.${two(Math.round(microseconds - second * 1e6), 6)}Z`;
}
