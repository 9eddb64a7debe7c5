/** A small assembler of WebAssembly: code is written as nested calls, innermost first on the stack, and put together at start-up. */

/** Instructions that leave one value, or none. */
export type Code = readonly number[];
export type ValueType = 'i32' | 'f64' | 'v128';

const TYPE: Readonly<Record<ValueType, number>> = { i32: 0x7f, f64: 0x7c, v128: 0x7b };

function unsigned(value: number): Code {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
}

function signed(value: number): Code {
  const out: number[] = [];
  let rest = value;
  for (; rest < -64 || rest > 63; rest >>= 7) out.push((rest & 127) | 128);
  return [...out, rest & 127];
}

const plain =
  (code: number) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), code];
const vector =
  (code: number) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(code)];
const lane =
  (code: number) =>
  (v: Code, which: number): Code => [...v, 0xfd, code, which];
/** At an address, and so many bytes behind it. Alignment is a hint that is not given. */
const load =
  (...code: Code) =>
  (address: Code, offset = 0): Code => [...address, ...code, 0, ...unsigned(offset)];
const store =
  (...code: Code) =>
  (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...code, 0, ...unsigned(offset)];

/** WebAssembly core specification 2.0, section 5.4; the names are its own. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load16: load(0x2f),
  store16: store(0x3b),
  equal: plain(0x46),
  less: plain(0x48),
  more: plain(0x4a),
  atMost: plain(0x4c),
  atLeast: plain(0x4e),
  trailingZeros: plain(0x68),
  add: plain(0x6a),
  sub: plain(0x6b),
  and: plain(0x71),
  or: plain(0x72),
  shiftLeft: plain(0x74),
} as const;

export const f64 = {
  const: (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  load: load(0x2b),
  store: store(0x39),
  equal: plain(0x61),
  less: plain(0x63),
  more: plain(0x64),
  atMost: plain(0x65),
  atLeast: plain(0x66),
  sqrt: plain(0x9f),
  add: plain(0xa0),
  sub: plain(0xa1),
  mul: plain(0xa2),
  div: plain(0xa3),
  of: plain(0xb7),
} as const;

export const v128 = {
  load: load(0xfd, 0x00),
  store: store(0xfd, 0x0b),
  anyTrue: vector(0x53),
  /** The bytes so numbered, of 16 (and 16 more of the second). */
  shuffle: (a: Code, b: Code, bytes: readonly number[]): Code => [...a, ...b, 0xfd, 0x0d, ...bytes],
} as const;

export const i16x8 = {
  splat: vector(0x10),
  lane: lane(0x19),
  equal: vector(0x2d),
  bitmask: vector(0x84),
  min: vector(0x97),
  max: vector(0x99),
} as const;

export const f64x2 = {
  splat: vector(0x14),
  lane: lane(0x21),
  equal: vector(0x47),
  add: vector(0xf0),
  sub: vector(0xf1),
  mul: vector(0xf2),
  max: vector(0xf7),
  /** Of the first two of four numbers of 32 bits. */
  ofLow: vector(0xfe),
} as const;

/** Four unsigned numbers of 16 bits as four of 32. */
export const load16x4 = load(0xfd, 0x04);

export const select = (yes: Code, no: Code, condition: Code): Code => [...yes, ...no, ...condition, 0x1b];
export const when = (condition: Code, ...then: readonly Code[]): Code => [...condition, 0x04, 0x40, ...then.flat(), 0x0b];
/** Inside, `leave` goes behind it and `again` to its beginning: both where they stand in no block of their own. */
export const loop = (...body: readonly Code[]): Code => [0x02, 0x40, 0x03, 0x40, ...body.flat(), 0x0c, 0, 0x0b, 0x0b];
export const leaveWhen = (condition: Code): Code => [...condition, 0x0d, 1];
export const againWhen = (condition: Code): Code => [...condition, 0x0d, 0];

export interface Local {
  readonly type: ValueType;
  readonly get: Code;
  set(value: Code): Code;
}

export interface Body {
  readonly parameters: readonly Local[];
  local(type: ValueType): Local;
}

export interface Routine {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType;
  /** Its code; what is left on the stack is the result. */
  code(body: Body): readonly Code[];
}

export const call = (which: number, ...operands: readonly Code[]): Code => [...operands.flat(), 0x10, ...unsigned(which)];

const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => {
  const content = list(items);
  return [id, ...unsigned(content.length), ...content];
};
const name = (text: string): Code => list([...text].map((letter) => [letter.charCodeAt(0)]));

function assembled({ parameters, code }: Routine): Code {
  const types: ValueType[] = [...parameters];
  const local = (type: ValueType): Local => {
    const index = unsigned(types.push(type) - 1);
    return { type, get: [0x20, ...index], set: (value) => [...value, 0x21, ...index] };
  };
  const given = parameters.map((type, i) => ({ type, get: [0x20, i], set: (value: Code) => [...value, 0x21, i] }));
  const body = code({ parameters: given, local }).flat();
  const locals = list(types.slice(parameters.length).map((type) => [1, TYPE[type]]));
  return [...unsigned(locals.length + body.length + 1), ...locals, ...body, 0x0b];
}

/** A module with a memory of so many pages of 64 KiB, exported as `memory`, and the routines as `r0`, `r1` ... */
export function wasm(pages: number, routines: readonly Routine[]): Uint8Array {
  const types = routines.map(({ parameters, result }) => [0x60, ...list(parameters.map((t) => [TYPE[t]])), ...list([[TYPE[result]]])]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(
      3,
      routines.map((_, i) => unsigned(i)),
    ),
    ...section(5, [[0, ...unsigned(pages)]]),
    ...section(7, [[...name('memory'), 2, 0], ...routines.map((_, i) => [...name(`r${i}`), 0, ...unsigned(i)])]),
    ...section(10, routines.map(assembled)),
  ]);
}
