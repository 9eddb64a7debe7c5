import fc from 'fast-check';
import { type Decoder, Fault } from '../../protocols/protocol.ts';

/** A message or a Fault in a form that can be compared. */
export type Said<M> = M | { readonly fault: string; readonly bytes: readonly number[] };

export const shown = <M>(said: readonly (M | Fault)[]): Said<M>[] =>
  said.map((m) => (m instanceof Fault ? { fault: m.fault, bytes: [...m.bytes] } : m));

/** What a fresh decoder says of the pieces, one call for each. */
export const decoded = <M>(decoder: () => Decoder<M>, ...pieces: readonly Uint8Array[]): Said<M>[] => {
  const decode = decoder();
  return shown(pieces.flatMap((piece) => [...decode(piece)]));
};

/** The bytes cut at the places, which may come in any order; no piece is empty, as that would mean silence. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((p) => p % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const to of [...at, bytes.length]) {
    if (to > from) pieces.push(bytes.slice(from, to));
    from = Math.max(from, to);
  }
  return pieces;
}

export const places = fc.array(fc.nat(4096), { maxLength: 12 });
export const noise = (maxLength = 300) => fc.uint8Array({ maxLength });
export const hex = (text: string): Uint8Array => Uint8Array.from(text.trim().split(/\s+/), (byte) => Number.parseInt(byte, 16));
export const SILENCE = new Uint8Array(0);
