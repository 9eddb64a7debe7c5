/** Princeton Instruments SPE files, 2.x (WinView, WinSpec) and 3.0 (LightField). */
import { Fault, type Protocol } from './protocol.ts';
import { readFooter, readVersion3 } from './spe-footer.ts';
import { HEADER, type Spe, SpeFault } from './spe-form.ts';
import { readHeader, readVersion2 } from './spe-header.ts';
import { encodeSpe } from './spe-write.ts';

export { type Pixels, type PixelType, type Spe, SpeFault, type SpeFaultCode, type SpeFrame, type SpeRegion } from './spe-form.ts';
export { encodeSpe } from './spe-write.ts';

/**
 * Reads a whole file. Anything else comes back as a SpeFault: 'PROTO_SPE_INCOMPLETE' while the file may still be growing,
 * 'PROTO_SPE_DAMAGED' and 'PROTO_NOT_SPE' when waiting will not help. Never throws.
 */
export function readSpe(bytes: Uint8Array): Spe | SpeFault {
  const header = readHeader(bytes);
  if (header instanceof SpeFault) return header;
  const inside = header.footer >= HEADER && header.footer < bytes.length;
  const footer = inside ? readFooter(bytes, header.footer) : 'none';
  if (typeof footer !== 'string') return readVersion3(header, footer, bytes);
  if (header.version < 3) return readVersion2(header, bytes);
  if (!inside) {
    const where = header.footer === 0 ? 'is not announced yet' : `should begin at byte ${header.footer} of ${bytes.length}`;
    return new SpeFault('PROTO_SPE_INCOMPLETE', `the XML footer is missing: it ${where}`, bytes);
  }
  if (footer === 'none') return new SpeFault('PROTO_SPE_DAMAGED', `there is no SpeFormat XML at byte ${header.footer}`, bytes);
  return new SpeFault('PROTO_SPE_INCOMPLETE', `the XML footer is cut: ${footer}`, bytes);
}

/** For who watches a folder: take the file, wait for more, or give it up. */
export function complete(bytes: Uint8Array): 'complete' | 'incomplete' | 'damaged' {
  const read = readSpe(bytes);
  if (!(read instanceof SpeFault)) return 'complete';
  return read.fault === 'PROTO_SPE_INCOMPLETE' ? 'incomplete' : 'damaged';
}

/** One packet is one file. Nothing is ever asked of a folder. */
export function spe(): Protocol<never, Spe> {
  return {
    framing: 'packets',
    asks: {
      encode: (q) => q,
      decoder: () => (bytes) => (bytes.length === 0 ? [] : [new Fault('PROTO_SPE_NOT_ASKED', bytes.slice(0, 64))]),
    },
    tells: { encode: encodeSpe, decoder: () => (bytes) => (bytes.length === 0 ? [] : [readSpe(bytes)]) },
    fits: () => 'unasked',
  };
}
