/** Which files can say of themselves whether they are whole. */
import { complete } from '../../protocols/spe.ts';

/** SPE files by their content; of others it is known only that they have stopped growing, and for how long. */
export function wholeFile(bytes: Uint8Array, name: string): boolean | 'damaged' | 'unknown' {
  if (!/\.spe$/i.test(name)) return bytes.length > 0 ? 'unknown' : false;
  const is = complete(bytes);
  return is === 'damaged' ? is : is === 'complete';
}
