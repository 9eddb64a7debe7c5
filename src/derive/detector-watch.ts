/** What is wrong with a detector's channels, and since when, as readings. */
import type { Kinds, Values } from '../reading.ts';
import { type ChannelLook, type ChannelWatchOptions, channelWatch, type Finding } from './channel-watch.ts';
import type { Hits } from './hits.ts';
import { hourOf } from './hour.ts';

export interface DetectorWatchOptions extends ChannelWatchOptions {
  /** Channels are counted from here on; 0 where left out. */
  readonly firstChannel?: number;
}

/** `channels` is a sentence, `channel` a word of CHANNEL_WORDS for each by its number (`absent`: before the first), `levels` rate, charge, baseline and noise of each. */
export const WATCH_GIVES = { channels: 'state', channel: 'state', levels: 'trace' } as const satisfies Kinds;
export const CHANNEL_WORDS = ['well', 'learning', 'dead', 'low', 'high', 'hot', 'silent', 'charge', 'baseline', 'noise', 'absent'] as const;
type Word = (typeof CHANNEL_WORDS)[number];

export interface DetectorWatch {
  take(block: Hits): void;
  /** `live`: seconds of live time since the look before; begin and end in microseconds since 1970. */
  look(live: number, begin: number, end: number): Values;
  /** What is now is right. */
  accept(): void;
}

/** Throws a RangeError for options that make no sense. */
export function detectorWatch({ firstChannel = 0, ...options }: DetectorWatchOptions): DetectorWatch {
  const watch = channelWatch(options);
  const since = new Map<string, number>();
  let shifted = new Uint16Array(0);
  return {
    take(block) {
      if (firstChannel === 0) return watch.take(block);
      if (shifted.length < block.count) shifted = new Uint16Array(block.capacity);
      // Those of channels before the first become the last of 16 bits, which are nobody's.
      for (let i = 0; i < block.count; i++) {
        const c = block.channel[i] as number; // i < count
        shifted[i] = c < firstChannel ? 65_535 : c - firstChannel;
      }
      watch.take({ ...block, channel: shifted });
    },
    look(live, begin, end) {
      const look = watch.look(live, begin, end);
      const keys = new Set(look.findings.map(keyOf));
      for (const key of since.keys()) if (!keys.has(key)) since.delete(key);
      for (const key of keys) if (!since.has(key)) since.set(key, end);
      return {
        channels: sentence(look, firstChannel, (f) => since.get(keyOf(f)) ?? end),
        channel: [...new Array<Word>(firstChannel).fill('absent'), ...words(look, options.channels)],
        levels: { ...look.trace, settings: { ...look.trace.settings, first_channel: firstChannel } },
      };
    },
    accept() {
      watch.accept();
      since.clear();
    },
  };
}

const keyOf = (f: Finding): string => `${f.what} ${f.common ? 'common' : f.channels.join(' ')}`;

function sentence({ findings, silent, learning, trace }: ChannelLook, first: number, since: (f: Finding) => number): string {
  const count = trace.shape[0] ?? 0;
  const said = findings.map((f) => {
    const which = f.common ? `${f.channels.length} together` : `${first + (f.channels[0] ?? 0)}`;
    const numbers = `${f.is.toPrecision(3)} instead of ${f.was.toPrecision(3)}`;
    const what = f.what === 'rate' ? `${f.kind} since ${hourOf(since(f))}` : `${f.what} ${f.kind} since ${hourOf(since(f))}`;
    return `${which} ${what} (${numbers}${f.what === 'rate' ? ' per second' : ''})`;
  });
  if (silent.length > 0) said.push(`${silent.map((c) => first + c).join(', ')} silent from the beginning`);
  if (said.length > 0) return said.join(', ');
  return learning.length === count ? 'learning' : learning.length > 0 ? `${learning.length} learning, the others well` : 'all well';
}

function words({ findings, silent, learning }: ChannelLook, channels: number): readonly Word[] {
  const all = new Array<Word>(channels).fill('well');
  for (const c of learning) all[c] = 'learning';
  for (const c of silent) all[c] = 'silent';
  // Rates last: a dead channel is dead, whatever its baseline was before.
  for (const f of [...findings].sort((a, b) => Number(a.what === 'rate') - Number(b.what === 'rate')))
    for (const c of f.channels) all[c] = f.what === 'rate' ? f.kind : f.what;
  return all;
}
