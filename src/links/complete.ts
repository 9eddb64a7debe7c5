/** Which files can say of themselves whether they are whole. */
import { complete } from '../../protocols/spe.ts';

/** SPE files by their content; of others it is known only that they have stopped growing. */
export function wholeFile(bytes: Uint8Array, name: string): boolean | 'damaged' {
  if (!/\.spe$/i.test(name)) return bytes.length > 0;
  const is = complete(bytes);
  return is === 'damaged' ? is : is === 'complete';
}
