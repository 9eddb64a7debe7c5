/** What a fast stream's bytes may be: each format's source by name, with the settings that its driver has checked, as plain data. */
import type { WaveformLayout } from '../../protocols/waveform-layout.ts';
import { type EasirocSourceOptions, easirocSource } from '../derive/easiroc-source.ts';
import type { HitSource } from '../derive/hits.ts';
import { type WaveformSettings, waveformSource } from '../derive/waveform-source.ts';

type Crc32 = (bytes: Uint8Array, seed?: number) => number;
type Settings = Readonly<Record<string, unknown>>;

const FORMATS: Readonly<Record<string, (settings: Settings, crc32: Crc32) => HitSource>> = {
  waveforms: ({ layout, ...settings }, crc32) => waveformSource(layout as WaveformLayout, settings as WaveformSettings, crc32), // made by a driver
  easiroc: (settings) => easirocSource(settings as EasirocSourceOptions), // made by a driver of these
};

/** The source of a plan; a sentence where there is none. */
export function sourceOf({ format, ...settings }: { readonly format: string } & Settings, crc32: Crc32): HitSource | string {
  const make = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (!make) return `there is no format "${format}" of a stream; known are ${Object.keys(FORMATS).join(', ')}`;
  try {
    return make(settings, crc32);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
