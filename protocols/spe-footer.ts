/** SPE 3.0 (LightField): the XML footer says where everything is. Source: SPE 3.0 File Format Specification, Princeton Instruments. */
import {
  HEADER,
  isoMicroseconds,
  PIXEL_BYTES,
  type PixelType,
  pixels,
  type Spe,
  SpeFault,
  type SpeFrame,
  type SpeRegion,
} from './spe-form.ts';
import type { Header } from './spe-header.ts';
import { all, child, type Element, numeric, parseXml } from './spe-xml.ts';

const PIXEL_FORMATS: Readonly<Record<string, PixelType>> = {
  MonochromeUnsigned16: 'u16',
  MonochromeUnsigned32: 'u32',
  MonochromeFloating32: 'f32',
};
const NANO = 1e9;

/** What may stand before the root: blanks, declarations, comments. */
const PROLOGUE = /^(?:\s|<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<![A-Z][^>]*>)*/;
const ROOT = /^<(?:[\w.-]+:)?SpeFormat[\s/>]/;

/** The XML's root, or 'none' when what stands there is no XML, or a sentence when it breaks off. */
export function readFooter(bytes: Uint8Array, from: number): Element | 'none' | string {
  const text = new TextDecoder().decode(bytes.subarray(from));
  if (!/^\s*</.test(text)) return 'none';
  const start = PROLOGUE.exec(text)?.[0].length ?? 0;
  const first = text.slice(start, start + 1000);
  if (/^<\w/.test(first) && first.length === 1000 && !ROOT.test(first)) return 'none';
  const root = parseXml(text);
  return typeof root === 'string' || root.name === 'SpeFormat' ? root : 'none';
}

interface Layout {
  readonly type: PixelType;
  readonly count: number;
  readonly size: number;
  readonly stride: number;
  readonly regions: readonly SpeRegion[];
  /** Where each region begins inside a frame. */
  readonly offsets: readonly number[];
  readonly fields: readonly Field[];
}

/** One per-frame metadata field, in the order of the file. */
interface Field {
  readonly name: string;
  readonly kind: 'stamp' | 'gate' | 'plain';
  readonly real: boolean;
  readonly bytes: number;
  /** Ticks per second of a time stamp, and the moment of its tick 0. */
  readonly resolution: number;
  readonly zero: number | undefined;
}

/** Reads a 3.0 file by its footer. The header's own width, height and type are not trusted. */
export function readVersion3(header: Header, root: Element, bytes: Uint8Array): Spe | SpeFault {
  const layout = layoutOf(root);
  if (typeof layout === 'string') return new SpeFault('PROTO_SPE_DAMAGED', layout, bytes);
  const room = header.footer - HEADER;
  const last = (layout.count - 1) * layout.stride + layout.size;
  if (last > room) {
    const whole = Math.floor((room - layout.size) / layout.stride) + 1;
    return new SpeFault('PROTO_SPE_DAMAGED', `frame ${Math.max(whole, 0) + 1} of ${layout.count} is missing before the footer`, bytes);
  }
  const settings = settingsOf(root);
  const accumulations = Number(settings.accumulations ?? 1);
  const frames = Array.from({ length: layout.count }, (_, f) =>
    frameOf(layout, header.view, bytes, HEADER + f * layout.stride, accumulations),
  );
  const recordedText = all(root, 'Origin')[0]?.attributes.created;
  const recorded = isoMicroseconds(recordedText);
  const exposure = exposureOf(root, settings);
  const saturation = saturationOf(layout.type, settings);
  return {
    version: Math.max(3, Number(header.version.toPrecision(3))),
    pixel: layout.type,
    regions: layout.regions,
    frames,
    ...(exposure === undefined ? {} : { exposure }),
    ...(recorded === undefined ? {} : { recorded }),
    ...(recordedText === undefined ? {} : { recordedText }),
    ...(saturation === undefined ? {} : { saturation }),
    settings,
  };
}

function layoutOf(root: Element): Layout | string {
  const frame = child(root, 'DataFormat', 'DataBlock');
  if (!frame) return 'the footer has no DataFormat with a DataBlock';
  const type = PIXEL_FORMATS[frame.attributes.pixelFormat ?? ''];
  if (!type) return `the pixel format "${frame.attributes.pixelFormat}" is not known; known are ${Object.keys(PIXEL_FORMATS).join(', ')}`;
  const blocks = frame.children.filter((c) => c.name === 'DataBlock');
  if (blocks.length === 0) return 'the footer names no region';
  const regions: SpeRegion[] = [];
  const offsets: number[] = [];
  let end = 0;
  for (const block of blocks) {
    const [rows, columns] = [numeric(block.attributes.height), numeric(block.attributes.width)];
    if (!positive(rows) || !positive(columns)) return `region ${regions.length + 1} has height ${rows} and width ${columns}`;
    const needed = rows * columns * PIXEL_BYTES[type];
    const stride = numeric(block.attributes.stride ?? block.attributes.size ?? String(needed));
    if (!positive(stride) || stride < needed) return `region ${regions.length + 1} needs ${needed} bytes and has ${stride}`;
    offsets.push(end);
    end += stride;
    regions.push(regionOf(root, frame, block, rows, columns));
  }
  const count = numeric(frame.attributes.count ?? '1');
  const size = Math.max(numeric(frame.attributes.size ?? String(end)), end);
  const stride = numeric(frame.attributes.stride ?? String(size));
  if (!positive(count) || !positive(size) || !positive(stride) || stride < size) {
    return `count ${count}, size ${size} and stride ${stride} of the frames do not fit together`;
  }
  const fields = fieldsOf(root, frame);
  const tracked = fields.reduce((sum, f) => sum + f.bytes, 0);
  return { type, count, size, stride, regions, offsets, fields: size + tracked <= stride ? fields : [] };
}

const positive = (n: number): boolean => Number.isSafeInteger(n) && n > 0;

function regionOf(root: Element, frame: Element, block: Element, rows: number, columns: number): SpeRegion {
  const ids = `${block.attributes.calibrations ?? ''},${frame.attributes.calibrations ?? ''}`.split(',').map((id) => id.trim());
  const calibrations = child(root, 'Calibrations')?.children ?? [];
  const named = (name: string): Element | undefined => calibrations.find((c) => c.name === name && ids.includes(c.attributes.id ?? ''));
  const sensor = named('SensorMapping');
  const whole = (name: string, otherwise: number): number => {
    const n = numeric(sensor?.attributes[name]);
    return Number.isInteger(n) && n >= 0 ? n : otherwise;
  };
  const region = {
    shape: [rows, columns] as const,
    x: whole('x', 0),
    y: whole('y', 0),
    binning: [Math.max(1, whole('xBinning', 1)), Math.max(1, whole('yBinning', 1))] as const,
  };
  const mapping = named('WavelengthMapping') ?? calibrations.find((c) => c.name === 'WavelengthMapping');
  const wavelength = cut(wavelengthsOf(mapping), region);
  return wavelength ? { ...region, wavelength } : region;
}

/** In nm. With an error estimate the list is "wavelength,error" pairs parted by blanks. */
function wavelengthsOf(mapping: Element | undefined): readonly number[] {
  const plain = child(mapping, 'Wavelength');
  if (plain) return plain.text.split(',').map(numeric);
  const pairs = child(mapping, 'WavelengthError');
  return pairs ? pairs.text.trim().split(/\s+/).map((pair) => numeric(pair.split(',', 1)[0])) : []; // biome-ignore format: one thought
}

/** The axis of the sensor cut to the region and averaged over binned columns; an axis as long as the region (glued files) is whole. */
function cut(axis: readonly number[], { shape: [, columns], x, binning: [bin] }: SpeRegion): Float64Array | undefined {
  const glued = axis.length === columns;
  if (!glued && x + columns * bin > axis.length) return undefined;
  const out = new Float64Array(columns);
  for (let i = 0; i < columns; i++) {
    if (glued) out[i] = (axis[i] ?? Number.NaN) / NANO;
    else {
      const from = x + i * bin;
      const group = axis.slice(from, from + bin);
      out[i] = group.reduce((sum, w) => sum + w, 0) / bin / NANO;
    }
  }
  return out.every((w) => Number.isFinite(w) && w > 0) ? out : undefined;
}

function fieldsOf(root: Element, frame: Element): Field[] {
  const id = frame.attributes.metaFormat;
  const blocks = child(root, 'MetaFormat')?.children.filter((c) => c.name === 'MetaBlock') ?? [];
  const block = id === undefined ? undefined : blocks.find((b) => b.attributes.id === id.trim());
  return (block?.children ?? []).map(({ name, attributes }) => {
    const bits = numeric(attributes.bitDepth);
    return {
      name: `${name}${attributes.event ?? attributes.component ?? ''}`,
      kind: name === 'TimeStamp' ? 'stamp' : name === 'GateTracking' ? 'gate' : 'plain',
      real: attributes.type === 'Double',
      bytes: bits === 32 ? 4 : 8,
      resolution: numeric(attributes.resolution) || 1e6,
      zero: isoMicroseconds(attributes.absoluteTime),
    };
  });
}

const TRACKED: Readonly<Record<string, string>> = {
  FrameTrackingNumber: 'frame',
  GateTrackingDelay: 'gate_delay',
  GateTrackingWidth: 'gate_width',
  ModulationTrackingPhase: 'phase',
  TimeStampExposureStarted: 'exposure_started',
  TimeStampExposureEnded: 'exposure_ended',
};

function frameOf(layout: Layout, view: DataView, bytes: Uint8Array, at: number, accumulations: number): SpeFrame {
  const data = layout.regions.map(({ shape: [rows, columns] }, r) =>
    pixels(layout.type, bytes, at + (layout.offsets[r] ?? 0), rows * columns),
  );
  const tracked: Record<string, number> = {};
  const times: { begin?: number; end?: number } = {};
  let from = at + layout.size;
  for (const field of layout.fields) {
    const raw = trackedValue(view, from, field);
    from += field.bytes;
    const scale = field.kind === 'stamp' ? field.resolution : field.kind === 'gate' ? NANO : 1;
    const name = TRACKED[field.name] ?? field.name;
    tracked[name] = raw / scale;
    if (field.kind === 'stamp' && field.zero !== undefined) {
      times[name === 'exposure_ended' ? 'end' : 'begin'] = field.zero + Math.round((raw / scale) * 1e6);
    }
  }
  const gate = tracked.gate_width;
  return { data, ...times, ...(gate !== undefined && gate > 0 ? { exposure: gate * accumulations } : {}), tracked };
}

function trackedValue(view: DataView, at: number, { real, bytes }: Field): number {
  if (real) return bytes === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true);
  return bytes === 4 ? view.getInt32(at, true) : Number(view.getBigInt64(at, true));
}

/** Camera and spectrometer settings of the experiment; names as in Spe.settings. */
function settingsOf(root: Element): Record<string, number | string> {
  const settings: Record<string, number | string> = {};
  const experiment = child(root, 'DataHistories', 'DataHistory', 'Origin', 'Experiment') ?? root;
  const put = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '' && !Number.isNaN(value)) settings[name] = value;
  };
  const camera = child(experiment, 'Devices', 'Cameras', 'Camera');
  const grating = child(experiment, 'Devices', 'Spectrometers', 'Spectrometer', 'Grating');
  put('camera', all(child(experiment, 'System'), 'Camera')[0]?.attributes.model);
  put('grating', /\[([^\]]*)\]/.exec(child(grating, 'Selected')?.text ?? '')?.[1]);
  put('centre_wavelength', numeric(child(grating, 'CenterWavelength')?.text) / NANO);
  put(
    'slit',
    numeric(all(child(experiment, 'Devices', 'Spectrometers', 'Spectrometer', 'OpticalPort', 'Entrance'), 'Width')[0]?.text) / 1e6,
  );
  put('adc_gain', child(camera, 'Adc', 'AnalogGain')?.text);
  put('adc_bits', numeric(child(camera, 'Adc', 'BitDepth')?.text));
  put('accumulations', numeric(child(camera, 'ReadoutControl', 'Accumulations')?.text));
  const combination = child(camera, 'Experiment', 'OnlineProcessing', 'FrameCombination');
  const combined = numeric(child(combination, 'FramesCombined')?.text);
  if (combined > 1) {
    put('frames_combined', combined);
    put('combined_by', child(combination, 'Method')?.text);
  }
  const corrections = child(camera, 'Experiment', 'OnlineCorrections');
  const on = (name: string): boolean => child(corrections, name, 'Enabled')?.text === 'True';
  if (on('BackgroundCorrection')) put('background_corrected', 'yes');
  if (on('FlatfieldCorrection')) put('flat_field_corrected', 'yes');
  if (on('CosmicRayCorrection')) put('cosmic_corrected', 'yes');
  return settings;
}

const summed = (settings: Readonly<Record<string, number | string>>): number =>
  settings.combined_by === 'Sum' ? Number(settings.frames_combined ?? 1) : 1;

/** Shutter time (ms); without one the gate (ns) times accumulations; in converted WinSpec files the legacy entry. */
function exposureOf(root: Element, settings: Readonly<Record<string, number | string>>): number | undefined {
  const frames = summed(settings);
  const shutter = numeric(child(all(root, 'ShutterTiming')[0], 'ExposureTime')?.text) / 1e3;
  if (shutter > 0) return shutter * frames;
  const gating = all(root, 'Gating')[0];
  const sequential = child(gating, 'Mode')?.text === 'Sequential';
  const pulse = sequential ? child(gating, 'Sequential', 'StartingGate', 'Pulse') : child(gating, 'RepetitiveGate', 'Pulse');
  const gate = numeric(pulse?.attributes.width) / NANO;
  if (gate > 0) return gate * Number(settings.accumulations ?? 1) * frames;
  const legacy = all(all(root, 'LegacyExperiment')[0], 'Exposure')[0]?.attributes.value;
  const [, size, unit = 's'] = /^\s*([\d.eE+-]+)\s*([a-zµ]*)/.exec(legacy ?? '') ?? [];
  const seconds = numeric(size) * ({ s: 1, sec: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9, min: 60 }[unit || 's'] ?? Number.NaN);
  return seconds > 0 ? seconds : undefined;
}

/** From the pixel type, tightened by the converter's bits; processed types need the bits. */
function saturationOf(type: PixelType, settings: Readonly<Record<string, number | string>>): number | undefined {
  const bits = Number(settings.adc_bits ?? Number.NaN);
  const converter = bits >= 8 && bits <= 24 ? (2 ** bits - 1) * summed(settings) : undefined;
  if (type === 'u16') return Math.min(65535, converter ?? 65535);
  return converter;
}
