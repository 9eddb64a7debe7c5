/** The pulse features of the fast plane, as the options and WaveDump's configuration want them. */
import type { WaveDumpConfig } from '../../protocols/wavedump-config.ts';
import type { WaveDumpSettings } from '../derive/wavedump-source.ts';
import { checkPulse, features, PULSE, type PulseSettings } from '../derive/waveform.ts';
import type { WaveformOptions } from './analyse-options.ts';
import { Usage } from './command.ts';

/** Of a converter that is not known: 16 bits, so that only a sample of 0 or 65,535 is out of its range. */
const BITS = 16;

/** One channel's settings: the options go before the configuration, that before the defaults. Times are in samples. */
export function pulseSettings(options: WaveformOptions, config: WaveDumpConfig | undefined, channel: number): PulseSettings {
  return {
    ...PULSE,
    bits: options.bits ?? BITS,
    intervalNs: 1,
    polarity: options.polarity ?? config?.channels.get(channel) ?? config?.polarity ?? PULSE.polarity,
    baseline: options.baseline ?? PULSE.baseline,
    gate: options.gate ?? PULSE.gate,
    tail: options.tail ?? PULSE.tail,
    threshold: options.threshold ?? PULSE.threshold,
  };
}

/** Throws Usage for options that do not go together. `channel` is that of its board: the number modulo `channels`. */
export function pulseOf(options: WaveformOptions, config: WaveDumpConfig | undefined, channels: number): WaveDumpSettings['pulse'] {
  const wrong = checkPulse(pulseSettings(options, config, 0));
  if (wrong !== undefined) throw new Usage(`the waveform's options cannot be: ${wrong}`);
  const settings = Array.from({ length: channels }, (_, channel) => pulseSettings(options, config, channel));
  return (samples, channel) => {
    const f = features(samples, settings[channel % channels]);
    return { baseline: f.baseline, noise: f.noise, peak: f.peak, charge: f.charge, tail: f.tail, time: f.timeNs, flags: f.flags };
  };
}
