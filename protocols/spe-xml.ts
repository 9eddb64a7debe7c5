/** The footer of an SPE 3.0 file as a tree. Only what such footers use: elements, attributes, text, CDATA, comments, entities. */

export interface Element {
  /** Without its namespace prefix. */
  readonly name: string;
  /** Attribute names keep their prefix, so that "type" and "r:type" stay apart. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** The text directly inside, joined. */
  readonly text: string;
}

const MAX_DEPTH = 200;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const TAG = /<(?:!--[\s\S]*?-->|\?[\s\S]*?\?>|!\[CDATA\[([\s\S]*?)\]\]>|!DOCTYPE[^>]*>|(\/?)([\w:.-]+)((?:[^>"']|"[^"]*"|'[^']*')*)>)/y;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

interface Open {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

/** The root element, or a sentence that says where the text stops making sense. Never throws. */
export function parseXml(xml: string): Element | string {
  const top: Open = { name: '', attributes: {}, children: [], text: '' };
  const open: Open[] = [top];
  let at = 0;
  while (at < xml.length) {
    const next = xml.indexOf('<', at);
    const here = open[open.length - 1] ?? top;
    if (next !== at) here.text += decode(xml.slice(at, next < 0 ? xml.length : next));
    if (next < 0) break;
    TAG.lastIndex = next;
    const tag = TAG.exec(xml);
    if (!tag) return `the text breaks off inside the tag at character ${next}`;
    at = TAG.lastIndex;
    const [, cdata, slash, qualified, rest = ''] = tag;
    if (cdata !== undefined) here.text += cdata;
    if (qualified === undefined) continue;
    const name = qualified.slice(qualified.indexOf(':') + 1);
    if (slash) {
      if (open.length < 2 || here.name !== name) return `</${name}> at character ${next} closes nothing that is open`;
      close(open);
    } else {
      if (open.length > MAX_DEPTH) return `more than ${MAX_DEPTH} elements inside one another at character ${next}`;
      open.push({ name, attributes: attributes(rest), children: [], text: '' });
      if (rest.endsWith('/')) close(open);
    }
    if (open.length === 1 && top.children.length > 0) break; // what follows the root is padding
  }
  const last = open[open.length - 1] ?? top;
  if (open.length > 1) return `<${last.name}> is never closed`;
  return top.children[0] ?? 'there is no element in it';
}

function close(open: Open[]): void {
  const done = open.pop();
  if (done) open[open.length - 1]?.children.push(done);
}

function attributes(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) found[name] = decode(double ?? single ?? '');
  return found;
}

function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#x[\da-fA-F]{1,6}|#\d{1,7}|\w+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** The first element reached by these names, each a child of the one before. */
export function child(from: Element | undefined, ...names: readonly string[]): Element | undefined {
  let here = from;
  for (const name of names) here = here?.children.find((c) => c.name === name);
  return here;
}

/** Every element of that name below this one, in the order of the document. */
export function all(from: Element | undefined, name: string): readonly Element[] {
  const found: Element[] = [];
  const look = (e: Element): void => {
    for (const c of e.children) {
      if (c.name === name) found.push(c);
      look(c);
    }
  };
  if (from) look(from);
  return found;
}

/** A number from an attribute or text; NaN where there is none. */
export function numeric(text: string | undefined): number {
  return text === undefined || text.trim() === '' ? Number.NaN : Number(text);
}
