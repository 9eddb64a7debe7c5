/** Lines of Newport Agilis controllers: orders have no answer, and a question that is refused has none either; TE tells of the line before. */
import { concat, type Decoder, Fault, fromLatin1, type Protocol } from './protocol.ts';
import { text } from './text.ts';

/** One line, such as "1PR-100"; `alone`: without a TE after it. */
export interface AgilisAsk {
  readonly line: string;
  readonly alone?: boolean;
}
/** What came up to the end of the answer to TE: the answer, if any, and the error; no error where the line went alone. */
export interface AgilisTell {
  readonly line?: string;
  readonly error?: number;
}

const TE = /^TE\s*([+-]?\d{1,3})$/;
/** These take up to two minutes, in which the controller hears nothing: their answer is all that comes. */
const SLOW = /^[12](?:MA|PA)\s*\d+$/;

/** Whether a line is answered at all, where it is not refused. */
const isAnswered = (line: string): boolean => /\?$|^(?:[12]?(?:TS|TP|PH|VE|TE|MA)|[12]PA\d+)$/.test(line);

/** What an answer repeats of its line: "1SU+" of "1SU+?". */
const repeats = (line: string): string => /^[12]?[A-Z]{2}[+-]?(?=\?|$)|^[12]?[A-Z]{2}/.exec(line)?.[0] ?? line;

function answers(m: AgilisTell, { line, alone }: AgilisAsk): boolean {
  if (line === 'TE') return m.error !== undefined && m.line === undefined;
  if (alone !== true && m.error === undefined && !SLOW.test(m.line ?? '')) return false;
  if (m.line === undefined) return m.error !== undefined && (m.error !== 0 || !isAnswered(line));
  if (!isAnswered(line)) return false;
  // The answer to VE names the controller in the place of the line.
  const head = line === 'VE' ? 'AG-' : repeats(line);
  return m.line.startsWith(head) || m.line.startsWith(head.replace(/[+-]$/, ''));
}

/**
 * Together: each line goes with a TE after it, so that what is refused is known from its error, and what comes belongs to the line.
 * Apart: a line goes alone, and each line that comes is a message. Faults are those of `text`.
 */
export function agilis(how: 'together' | 'apart' = 'together'): Protocol<AgilisAsk, AgilisTell> {
  const lines = text({ ask: '\r\n', tell: ['\r\n', '\n'] });
  const alone = ({ line, alone: own }: AgilisAsk): boolean => how === 'apart' || own === true || line === 'TE';
  const said = (line: string): AgilisTell => {
    const [, error] = TE.exec(line) ?? [];
    return error === undefined ? { line } : { error: Number(error) + 0 };
  };
  return {
    asks: {
      encode: (q) => (alone(q) ? lines.asks.encode(q.line) : concat(lines.asks.encode(q.line), fromLatin1('TE\r\n'))),
      decoder: () => asked(lines.asks.decoder(), how),
    },
    tells: {
      encode: (m) =>
        concat(
          ...[...(m.line === undefined ? [] : [m.line]), ...(m.error === undefined ? [] : [`TE${m.error}`])].map((one) =>
            lines.tells.encode(one),
          ),
        ),
      decoder() {
        const decode = lines.tells.decoder();
        let held: string | undefined;
        return (bytes) => {
          const out: (AgilisTell | Fault)[] = [];
          for (const line of decode(bytes)) {
            if (line instanceof Fault) out.push(line);
            else if (line.trim() === '') continue;
            else if (how === 'apart' || SLOW.test(line.trim())) out.push(said(line.trim()));
            else {
              const m = said(line.trim());
              if (m.error === undefined) {
                if (held !== undefined) out.push(new Fault('PROTO_UNFINISHED', fromLatin1(held)));
                held = m.line;
              } else {
                out.push(held === undefined ? m : { line: held, ...m });
                held = undefined;
              }
            }
          }
          if (bytes.length === 0 && held !== undefined) {
            out.push(new Fault('PROTO_UNFINISHED', fromLatin1(held)));
            held = undefined;
          }
          return out;
        };
      },
    },
    resync: lines.asks.encode(''),
    fits: (m, q) => (answers(m, how === 'apart' ? { ...q, alone: true } : q) ? 'answer' : 'late'),
  };
}

/** A line and the TE after it are one question. */
function asked(decode: Decoder<string>, how: 'together' | 'apart'): Decoder<AgilisAsk> {
  let held: string | undefined;
  return (bytes) => {
    const out: (AgilisAsk | Fault)[] = [];
    const alone = (): void => {
      if (held !== undefined) out.push({ line: held, alone: true });
      held = undefined;
    };
    for (const line of decode(bytes)) {
      if (line instanceof Fault) out.push(line);
      else if (how === 'apart') out.push({ line });
      else if (line === 'TE') {
        out.push(held === undefined ? { line } : { line: held });
        held = undefined;
      } else {
        alone();
        held = line;
      }
    }
    if (bytes.length === 0) alone();
    return out;
  };
}
