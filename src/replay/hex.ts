/** Bytes in hexadecimal, as the session holds those of exchanges. */

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const DIGITS = '0123456789abcdef';

/** Whether these are the bytes, without a string of them. */
export function isHex(bytes: Uint8Array, text: string): boolean {
  if (text.length !== 2 * bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) {
    if (text.charCodeAt(2 * i) !== DIGITS.charCodeAt(bytes[i] >> 4)) return false;
    if (text.charCodeAt(2 * i + 1) !== DIGITS.charCodeAt(bytes[i] & 15)) return false;
  }
  return true;
}

/** Text where the bytes are text, else hexadecimal. */
export function shownHex(text: string): string {
  if (!/^([0-9a-f]{2})*$/.test(text)) return text;
  const bytes = unhex(text);
  const plain = [...bytes].every((b) => (b >= 32 && b < 127) || b === 10 || b === 13);
  const shown = plain ? JSON.stringify(Buffer.from(bytes).toString('latin1')) : text;
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}
