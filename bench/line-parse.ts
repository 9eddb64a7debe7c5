/** Reads line protocol back the way influxd 1.6 does (models/points.go), for comparing what two writers wrote. */

export interface Point {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  /** 0n.. for integers, numbers for floats. */
  readonly fields: Readonly<Record<string, number | bigint | boolean | string>>;
  readonly time: bigint;
}

/** Lines end at a newline outside a quoted field; an escaped character is passed over. */
export function splitLines(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  let [quoted, fields, equals, commas] = [false, false, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '\\' && i + 2 < text.length) i++;
    else if (c === undefined || (c === '\n' && !quoted)) {
      if (i > start) lines.push(text.slice(start, i));
      start = i + 1;
      [quoted, fields, equals, commas] = [false, false, 0, 0];
    } else if (c === ' ') fields = true;
    else if (fields && !quoted && c === '=') equals++;
    else if (fields && !quoted && c === ',') commas++;
    else if (fields && c === '"' && equals > commas) quoted = !quoted;
  }
  return lines;
}

/** Up to the first `stop` that has no backslash before it. */
function upTo(text: string, from: number, stop: RegExp): number {
  for (let i = from; i < text.length; i++) if (stop.test(text[i] ?? '') && text[i - 1] !== '\\') return i;
  return text.length;
}

const bare = (text: string): string => text.replace(/\\([,= ])/g, '$1');

/** One point; throws with the line where the line is none. */
export function parseLine(line: string): Point {
  const end = upTo(line, 0, / /);
  const parts: string[] = [];
  for (let i = 0; i < end; ) {
    const stop = Math.min(end, upTo(line, i, /,/));
    parts.push(line.slice(i, stop));
    i = stop + 1;
  }
  const [name = '', ...pairs] = parts;
  const tags: Record<string, string> = {};
  for (const pair of pairs) {
    const at = upTo(pair, 0, /=/);
    if (at === 0 || at >= pair.length - 1) throw new Error(`missing tag value: ${line}`);
    tags[bare(pair.slice(0, at))] = bare(pair.slice(at + 1));
  }
  const fields: Record<string, number | bigint | boolean | string> = {};
  let at = end + 1;
  for (;;) {
    const equals = upTo(line, at, /=/);
    const key = bare(line.slice(at, equals));
    let stop = equals + 1;
    if (line[stop] === '"') {
      for (stop++; line[stop] !== '"'; stop++) {
        if (line[stop] === undefined) throw new Error(`unbalanced quotes: ${line}`);
        if (line[stop] === '\\') stop++;
      }
      stop++;
      fields[key] = line.slice(equals + 2, stop - 1).replace(/\\(["\\])/g, '$1');
    } else {
      stop = upTo(line, stop, /[, ]/);
      fields[key] = scalar(line.slice(equals + 1, stop), line);
    }
    if (line[stop] === ' ') return { measurement: bare(name), tags, fields, time: BigInt(line.slice(stop + 1)) };
    if (line[stop] !== ',') throw new Error(`no time: ${line}`);
    at = stop + 1;
  }
}

function scalar(text: string, line: string): number | bigint | boolean {
  if (/^(t|T|true|True|TRUE)$/.test(text)) return true;
  if (/^(f|F|false|False|FALSE)$/.test(text)) return false;
  if (/^-?\d+i$/.test(text)) return BigInt(text.slice(0, -1));
  if (/^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  throw new Error(`no number "${text}": ${line}`);
}

export const parseLines = (text: string): Point[] => splitLines(text).map(parseLine);
