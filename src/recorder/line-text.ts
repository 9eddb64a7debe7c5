/** Text in InfluxDB 1.x line protocol: tags, field keys and string fields as its parser (influxd 1.6) takes them apart. */
import { type Grow, grow } from './line-number.ts';

/** The longest string field, in bytes of UTF-8 before escaping; more is cut and ends in CUT. */
export const MAX_STRING = 65_536;
export const CUT = ' … [cut]';

/**
 * A tag value. Comma, equals sign and blank are escaped. A newline would end the line whatever is before it, so it is
 * written as backslash and n. A backslash at the end would escape the comma behind it, and one before a blank is read in
 * two ways (as the end of the tags, too), so an underscore takes the place of the end or the blank.
 */
export const tagValue = (text: string): string =>
  text
    .replaceAll('\n', '\\n')
    .replace(/\\( |$)/g, '\\_')
    .replace(/[,= ]/g, '\\$&');

/** A field key; a backslash, which the parser reads in two different ways, becomes a slash, and a newline a blank. */
export const fieldKey = (text: string): string => text.replaceAll('\\', '/').replaceAll('\n', ' ').replace(/[,= ]/g, '\\$&');

const encoder = new TextEncoder();
const scratch = new Uint8Array(MAX_STRING);

function cut(text: string): string {
  const room = scratch.subarray(0, MAX_STRING - encoder.encode(CUT).length);
  return text.slice(0, encoder.encodeInto(text, room).read) + CUT; // encodeInto ends at a whole character
}

/** Writes a quoted string field as UTF-8; half a surrogate pair becomes U+FFFD. */
export function stringBytes(out: Grow, whole: string): void {
  const text = whole.length * 3 > MAX_STRING && Buffer.byteLength(whole) > MAX_STRING ? cut(whole) : whole;
  const length = text.length;
  if (out.at + length * 3 + 2 > out.bytes.length) grow(out, length * 3 + 2); // three bytes a unit also covers an escaped one
  const { bytes } = out;
  let at = out.at;
  bytes[at++] = 0x22;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      if (unit === 0x22 || unit === 0x5c) bytes[at++] = 0x5c;
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 63);
    } else if (unit >= 0xd800 && unit < 0xe000) {
      const point = text.codePointAt(i) ?? 0xfffd;
      if (point > 0xffff) {
        i++;
        bytes[at++] = 0xf0 | (point >> 18);
        bytes[at++] = 0x80 | ((point >> 12) & 63);
        bytes[at++] = 0x80 | ((point >> 6) & 63);
        bytes[at++] = 0x80 | (point & 63);
      } else {
        bytes[at++] = 0xef;
        bytes[at++] = 0xbf;
        bytes[at++] = 0xbd;
      }
    } else {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 63);
      bytes[at++] = 0x80 | (unit & 63);
    }
  }
  bytes[at++] = 0x22;
  out.at = at;
}
