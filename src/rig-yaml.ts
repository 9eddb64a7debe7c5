/** Reads a rig's YAML so that every message can say where: file, line and column of the offending key or value. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';

export interface Message {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** FILE:LINE:COLUMN: text */
export const printed = (m: Message): string => `${m.file}:${m.line}:${m.column}: ${m.text}`;

export type Path = readonly (string | number)[];

/** One YAML file: its plain value, and messages placed by the path of what they speak of. */
export interface Sheet {
  readonly file: string;
  readonly text: string;
  /** Plain data; undefined when the file could not be read as YAML. */
  readonly value: unknown;
  readonly errors: Message[];
  readonly warnings: Message[];
  /** What a path says; undefined where there is nothing. */
  at(path: Path): unknown;
  /** An error at a value, or at its key; where the path does not exist, at what is nearest above it. */
  say(path: Path, text: string, part?: 'key' | 'value'): void;
  warn(path: Path, text: string, part?: 'key' | 'value'): void;
}

const LARGEST = 1 << 20; // characters: a rig is written by hand
const DEEPEST = 64;

/** Never throws for what the file says: what is wrong is in `errors`. */
export function readSheet(file: string, bytes: Uint8Array): Sheet {
  const errors: Message[] = [];
  const warnings: Message[] = [];
  const lines = new LineCounter();
  const refused = (text: string): Sheet => {
    errors.push({ file, line: 1, column: 1, text });
    return { file, text: '', value: undefined, errors, warnings, at: () => undefined, say: () => {}, warn: () => {} };
  };
  if (bytes.length > LARGEST) return refused(`the file has ${bytes.length} bytes; a rig has ${LARGEST} at most`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refused('the file is not UTF-8 text; save it as UTF-8');
  }
  if (tooDeep(text)) return refused(`brackets or lists are nested deeper than ${DEEPEST}`);
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const place = (offset: number): { readonly line: number; readonly column: number } => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const told = new Set<number>(); // lines
  for (const e of [...doc.errors, ...doc.warnings]) {
    const { line, column } = place(opened(e, doc) ?? e.pos[0]);
    if (e.code !== 'DUPLICATE_KEY' && told.has(line)) continue; // one slip makes several complaints in its line
    told.add(line);
    errors.push({ file, line, column, text: inOurWords(e, text) });
  }
  let broken = [...doc.errors, ...doc.warnings].some((e) => e.code !== 'DUPLICATE_KEY');
  visit(doc, {
    Alias(_, alias) {
      const target = alias.resolve(doc);
      const start = alias.range?.[0] ?? 0;
      if (target && !(target.range && target.range[0] <= start && start < target.range[2])) return;
      broken = true;
      const why = target
        ? `*${alias.source} stands inside of its own anchor`
        : `there is no anchor &${alias.source} before *${alias.source}`;
      errors.push({ file, ...place(start), text: why });
    },
  });
  let value: unknown;
  try {
    if (!broken) value = doc.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    errors.push({
      file,
      line: 1,
      column: 1,
      text: `the aliases (*NAME) cannot be filled in: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  if (value === null) value = undefined;
  if (value === undefined && errors.length === 0)
    errors.push({ file, line: 1, column: 1, text: 'the file is empty; a rig begins with "rig: NAME"' });

  const find = (path: Path, part: 'key' | 'value'): { readonly line: number; readonly column: number } => {
    let node: unknown = doc.contents;
    let key: unknown;
    for (const step of path) {
      const [nextKey, next] = child(isAlias(node) ? node.resolve(doc) : node, step);
      if (nextKey === undefined && next === undefined) return place(start(key) ?? start(node) ?? 0);
      key = nextKey ?? next;
      node = next;
    }
    const inline = isScalar(node)
      ? node.value !== null || node.source !== ''
      : isAlias(node) || ((isMap(node) || isSeq(node)) && node.flow === true);
    const offset = part === 'value' && inline ? start(node) : (start(key) ?? start(node));
    return place(offset ?? 0);
  };
  const add = (to: Message[], path: Path, said: string, part: 'key' | 'value'): void => {
    const message = { file, ...find(path, part), text: said };
    if (!to.some((m) => m.line === message.line && m.column === message.column && m.text === said)) to.push(message);
  };
  return {
    file,
    text,
    value,
    errors,
    warnings,
    at: (path) =>
      path.reduce<unknown>(
        (v, step) =>
          v !== null && typeof v === 'object' && Object.hasOwn(v, step) ? (v as Record<string | number, unknown>)[step] : undefined, // an own key, checked
        value,
      ),
    say: (path, said, part = 'value') => add(errors, path, said, part),
    warn: (path, said, part = 'value') => add(warnings, path, said, part),
  };
}

export const inOrder = (messages: readonly Message[]): Message[] =>
  [...messages].sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1));

const start = (node: unknown): number | undefined =>
  node !== null && typeof node === 'object' && 'range' in node && Array.isArray(node.range) ? Number(node.range[0]) : undefined;

/** Key and value of one step down; of a key that is there twice, the last, as it is the one that counts. */
function child(node: unknown, step: string | number): readonly [unknown, unknown] {
  if (isMap(node)) {
    const pair = node.items.findLast((p: Pair) => isScalar(p.key) && String(p.key.value) === String(step));
    return pair ? [pair.key, pair.value ?? undefined] : [undefined, undefined];
  }
  if (isSeq(node) && typeof step === 'number') return [undefined, (node.items[step] as Node | undefined) ?? undefined]; // a sequence read from text holds nodes
  return [undefined, undefined];
}

/** The parser recurses: what would overflow it is refused before. */
function tooDeep(text: string): boolean {
  if (/(?:[-?:][ \t]+){64}/.test(text) || /^ {400}/m.test(text)) return true;
  let depth = 0;
  for (const c of text) {
    if (c === '[' || c === '{') depth++;
    else if (c === ']' || c === '}') depth = Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return false;
}

/** Where the bracket or the quotation mark stands that is not closed: the parser tells where it gave up. */
function opened(e: YAMLError, doc: Document.Parsed): number | undefined {
  const bracket = e.code === 'BAD_INDENT' && /^Flow/.test(e.message);
  if (!bracket && !(e.code === 'MISSING_CHAR' && /quote/.test(e.message))) return undefined;
  let last: number | undefined;
  visit(doc, (_, node) => {
    const open = bracket ? (isMap(node) || isSeq(node)) && node.flow === true : isScalar(node) && String(node.type).startsWith('QUOTE');
    const from = open ? start(node) : undefined;
    if (from !== undefined && from < e.pos[0]) last = Math.max(last ?? 0, from);
  });
  return last;
}

function inOurWords(e: YAMLError, text: string): string {
  const here = /^[^\s:,\]}]*/.exec(text.slice(e.pos[0]))?.[0] ?? '';
  switch (e.code) {
    case 'DUPLICATE_KEY':
      return `the key "${here.replace(/^["']|["']$/g, '')}" is there twice; keep one of them`;
    case 'TAB_AS_INDENT':
      return 'there is a tab at the beginning of the line; indent with spaces';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'there is a second ": " in one line, or the line is indented deeper than the one before allows; put text with a colon in quotes';
    case 'BAD_INDENT':
      return /^Flow/.test(e.message)
        ? 'this bracket is not closed'
        : 'the indentation does not fit the lines before; lines of one level begin in the same column';
    case 'MULTILINE_IMPLICIT_KEY':
      return 'a "name: value" must stand in one line; a colon may be missing here';
    case 'MISSING_CHAR':
      return /quote/.test(e.message)
        ? 'this quotation mark is not closed'
        : /values/.test(e.message)
          ? `there is no ": " after "${here}"`
          : `${e.message} (a comma, bracket or colon is missing)`;
    case 'BAD_SCALAR_START':
      return `text cannot begin with "${here.slice(0, 1)}"; put it in quotes`;
    case 'BAD_DQ_ESCAPE':
      return `"${here}" means nothing between double quotes; write \\\\ for a backslash, or use single quotes`;
    case 'MULTIPLE_DOCS':
      return 'a rig is one document: remove the line "---"';
    case 'TAG_RESOLVE_FAILED':
      return `the tag "${here}" is not known; leave it out`;
    case 'MULTIPLE_ANCHORS':
      return 'one value can have one anchor only';
    default:
      return `this is not valid YAML: ${e.message}`;
  }
}
