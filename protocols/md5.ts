/** Shifts of the four rounds, RFC 1321 section 3.4. */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
/** The integer part of 4294967296 |sin(i)|, i in radians from 1 to 64. */
const SINES = Uint32Array.from({ length: 64 }, (_, i) => Math.floor(4294967296 * Math.abs(Math.sin(i + 1))));

/** The message, a 1 bit, zeros to 8 bytes short of whole blocks of 64, and its length in bits. */
function padded(bytes: Uint8Array): DataView {
  const whole = new Uint8Array(64 * Math.ceil((bytes.length + 9) / 64));
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setUint32(whole.length - 8, (bytes.length * 8) >>> 0, true);
  view.setUint32(whole.length - 4, Math.floor(bytes.length / 0x20000000), true);
  return view;
}

/** The 16 bytes of the MD5 digest (RFC 1321): against noise on a wire, never against anybody. */
export function md5(bytes: Uint8Array): Uint8Array {
  const view = padded(bytes);
  const sum = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < view.byteLength; block += 64) {
    let [a, b, c, d] = sum;
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & d) | (c & ~d) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
      const word = [i, 5 * i + 1, 3 * i + 5, 7 * i][round] % 16;
      const x = (a + mixed + SINES[i] + view.getUint32(block + 4 * word, true)) | 0;
      const shift = SHIFTS[round][i % 4];
      [a, d, c, b] = [d, c, b, (b + ((x << shift) | (x >>> (32 - shift)))) | 0];
    }
    sum[0] += a;
    sum[1] += b;
    sum[2] += c;
    sum[3] += d;
  }
  const out = new DataView(new ArrayBuffer(16));
  sum.forEach((word, i) => {
    out.setUint32(4 * i, word, true);
  });
  return new Uint8Array(out.buffer);
}
