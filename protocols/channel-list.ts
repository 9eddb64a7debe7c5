/** SCPI channel lists of switches: "(@1,4)", "(@1:3)", with card and channel "(@1!4)", or card, row and column "(@1!2!3)". */

const CHANNEL = /^\d{1,3}(?:!\d{1,3}){0,2}$/;
const MOST = 400; // the channels of the largest switch here

/** Whether a text names one channel. */
export const isChannel = (text: string): boolean => CHANNEL.test(text);

/** "(@1,4)" of channels. */
export const channelList = (channels: readonly string[]): string => `(@${channels.join(',')})`;

const plain = (channel: string): string => channel.split('!').map(Number).join('!');

/** Channels in rising order, each once; undefined where the text is no list. "(@)" is a list of none, and so is an empty text. */
export function channelsOf(text: string): readonly string[] | undefined {
  const inner = /^\s*\(?\s*@?([^()@]*)\)?\s*$/.exec(text)?.[1];
  if (inner === undefined) return undefined;
  const all: string[] = [];
  for (const part of inner.split(',').map((p) => p.replace(/\s+/g, ''))) {
    if (part === '') continue;
    const [from = '', to, ...more] = part.split(':');
    if (!isChannel(from) || (to !== undefined && !isChannel(to)) || more.length > 0) return undefined;
    const range = to === undefined ? [plain(from)] : between(plain(from), plain(to));
    if (!range) return undefined;
    all.push(...range);
    if (all.length > MOST) return undefined;
  }
  return sorted(all);
}

/** From one channel to another of the same card (and row). */
function between(from: string, to: string): readonly string[] | undefined {
  const [a, b] = [from.split('!'), to.split('!')];
  const [first, last] = [Number(a.at(-1)), Number(b.at(-1))];
  if (a.length !== b.length || a.slice(0, -1).join() !== b.slice(0, -1).join() || last < first) return undefined;
  const head = a.slice(0, -1);
  return Array.from({ length: last - first + 1 }, (_, i) => [...head, String(first + i)].join('!'));
}

const sorted = (all: readonly string[]): readonly string[] =>
  [...new Set(all)].sort((x, y) => {
    const [a, b] = [x.split('!').map(Number), y.split('!').map(Number)];
    const at = a.findIndex((n, i) => n !== b[i]);
    return at < 0 ? a.length - b.length : a[at] - (b[at] ?? 0);
  });
