/** CRC-32 of IEEE 802.3 (that of zlib, Ethernet and PNG) where zlib cannot be had: reflected polynomial 0xedb88320. */

const POLYNOMIAL = 0xedb88320;

/** Eight tables of 256: the n-th moves a byte on by n bytes more (M. Kounavis and F. Berry, 2005: slicing by 8). */
const TABLE = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = (c >>> 1) ^ (c & 1 ? POLYNOMIAL : 0);
  TABLE[byte] = c;
}
for (let at = 256; at < TABLE.length; at++) {
  const before = TABLE[at - 256];
  TABLE[at] = (before >>> 8) ^ TABLE[before & 0xff];
}

/** The CRC of the bytes, going on from that of the bytes before them: zlib's own signature, and its numbers. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const t = TABLE;
  let c = ~before;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = c ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    c =
      t[1792 + (low & 0xff)] ^
      t[1536 + ((low >>> 8) & 0xff)] ^
      t[1280 + ((low >>> 16) & 0xff)] ^
      t[1024 + (low >>> 24)] ^
      t[768 + bytes[at + 4]] ^
      t[512 + bytes[at + 5]] ^
      t[256 + bytes[at + 6]] ^
      t[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) c = (c >>> 8) ^ t[(c ^ bytes[at]) & 0xff];
  return ~c >>> 0;
}

/** From the CRC of a head and that of a body of `length` bytes, the CRC of both in a row, without their bytes. */
export function crc32Joiner(length: number): (head: number, body: number) => number {
  // What each bit of the head's CRC has become after so many bytes of nothing; CRCs are linear but for a constant.
  const nothing = new Uint8Array(length);
  const none = crc32(nothing);
  const columns = Int32Array.from({ length: 32 }, (_, bit) => crc32(nothing, (1 << bit) >>> 0) ^ none);
  return (head, body) => {
    let joined = body;
    for (let bit = 0; bit < 32; bit++) if ((head >>> bit) & 1) joined ^= columns[bit];
    return joined >>> 0;
  };
}
