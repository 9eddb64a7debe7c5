/** WaveDumpConfig.txt: what WaveDump was told. The headers of its files say what it did. */

export interface WaveDumpConfig {
  /** Samples an event. */
  readonly recordLength?: number;
  /** Of all channels that have none of their own. */
  readonly polarity?: 'positive' | 'negative';
  readonly channels: ReadonlyMap<number, 'positive' | 'negative'>;
  readonly binary?: boolean;
  readonly headers?: boolean;
}

/**
 * Lines of KEY VALUE below [COMMON] or [channel], # begins a comment, lines between @OFF and @ON are skipped; keys that are not looked
 * for and values that are none are passed over. Never throws.
 */
export function readWaveDumpConfig(text: string): WaveDumpConfig {
  const config: { -readonly [N in keyof Omit<WaveDumpConfig, 'channels'>]: WaveDumpConfig[N] } = {};
  const channels = new Map<number, 'positive' | 'negative'>();
  let off = false;
  let channel: number | undefined;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [key = '', value = ''] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (/^@(ON|OFF)$/.test(key)) off = key === '@OFF';
    if (off) continue;
    const section = /^\[(\w+)\]$/.exec(key);
    if (section) channel = /^\d+$/.test(section[1] ?? '') ? Number(section[1]) : undefined;
    if (key === 'RECORD_LENGTH' && /^\d+$/.test(value)) config.recordLength = Number(value);
    if (key === 'OUTPUT_FILE_FORMAT' && /^(BINARY|ASCII)$/.test(value)) config.binary = value === 'BINARY';
    if (key === 'OUTPUT_FILE_HEADER' && /^(YES|NO)$/.test(value)) config.headers = value === 'YES';
    if (key === 'PULSE_POLARITY' && /^(POSITIVE|NEGATIVE)$/.test(value)) {
      const polarity = value === 'POSITIVE' ? 'positive' : 'negative';
      if (channel === undefined) config.polarity = polarity;
      else channels.set(channel, polarity);
    }
  }
  return { ...config, channels };
}
