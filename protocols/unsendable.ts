/** A message that its wire cannot carry: a mistake of the program, found before a byte is sent. */
export class Unsendable extends Error {
  readonly code = 'PROTO_UNSENDABLE';
  constructor(why: string) {
    super(why);
    this.name = 'Unsendable';
  }
}

/** The value itself when it is a whole number from `low` to `high`; else Unsendable, which names it. NaN fails. */
export function whole(name: string, value: number, high: number, low = 0): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new Unsendable(`${name} is ${value}, but must be a whole number from ${low} to ${high}`);
}
