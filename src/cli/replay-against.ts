/** A session against simulators, for people: one word on a line of its own, then what was found, what was not compared, and what is lost. */
import type { Against } from '../replay/against.ts';
import type { Class, Example, Finding } from '../replay/against-findings.ts';
import type { Channel } from '../replay/against-values.ts';
import { show } from '../units.ts';
import { count, isUnit, list, lostWords, utc } from './replay-words.ts';
import { lasting } from './shape.ts';

const TITLES: Readonly<Record<Class, string>> = {
  unknown: 'a simulator does not know',
  alone: 'a simulator answers what the instrument did not',
  error: 'errors that are not the same',
  form: 'answers in another form',
  physics: 'another physics',
  identity: 'another identity (that is no difference)',
};
const ORDER: readonly Class[] = ['unknown', 'alone', 'error', 'form', 'physics', 'identity'];

/** `head`: what goes against what; `seconds`: how long it took. */
export function againstWords(head: string, r: Against, seconds: number): string {
  const { exchanges: x } = r;
  const out = [
    `${head}\n`,
    `${count(x.recorded, 'exchange')} of ${lasting(Number(r.duration.toPrecision(6)))}, ${x.asked} asked again of simulators (seed ${r.seed}) in ${seconds.toFixed(2)} s\n\n`,
    `${r.verdict}\n\n`,
    `  ${count(x.compared, 'answer')} and ${count(
      r.channels.reduce((n, one) => n + one.pairs, 0),
      'value',
    )} of ${count(r.channels.length, 'channel')} compared; allowed: noise, a step of the last digit, and ${Number((100 * r.tolerance).toPrecision(3))} %\n`,
  ];
  for (const kind of ORDER) {
    const found = r.findings.filter((one) => one.class === kind);
    if (found.length > 0)
      out.push(
        `\n${TITLES[kind]}: ${found.length}\n`,
        list(found.flatMap((one) => (kind === 'physics' ? physics(one, r.channels) : lines(one)))),
      );
  }
  if (r.without.length > 0)
    out.push(
      '\nwithout a simulator\n',
      list(r.without.map((w) => `  ${w.instrument} (${w.model}): ${count(w.exchanges, 'exchange')} not asked`)),
    );
  if (r.notCompared.length > 0)
    out.push('\nnot compared\n', list(r.notCompared.map(({ of, why, count: times }) => `  ${of}: ${times} x: ${why}`)));
  out.push(lostWords(r));
  return out.join('');
}

const times = ({ count: n, among }: Finding): string => `${n} of ${among}`;
const first = ({ t, question, recorded, simulator }: Example, was?: string, is?: string): string => {
  const asked = question === undefined ? '' : `, asked ${question}`;
  const said = (...parts: readonly (string | undefined)[]): string => parts.filter((part) => part !== undefined).join(' ') || 'nothing';
  return `    first ${utc(t)}${asked}: ${said(recorded, was)} then, the simulator ${said(simulator, is)}`;
};

const lines = (f: Finding): readonly string[] => [`  ${f.instrument}: ${f.of}: ${f.what}; ${times(f)}`, first(f.first)];

function physics(f: Finding, channels: readonly Channel[]): readonly string[] {
  const channel = channels.find((one) => one.channel === f.of);
  const unit = channel && isUnit(channel.kind) ? channel.kind : '';
  const shown = (value: unknown): string => (typeof value === 'number' ? show(value, unit) : JSON.stringify(value));
  const size =
    channel?.largest === undefined || channel.median === undefined
      ? ''
      : `; largest difference ${show(channel.largest, unit)}, median ${show(channel.median, unit)}`;
  const { first: at, shift } = channel ?? {};
  const more = shift === undefined ? '' : `; on average ${show(Math.abs(shift), unit)} ${shift > 0 ? 'more' : 'less'} than was recorded`;
  return [
    `  ${f.of}: ${times(f)} ${channel?.largest === undefined ? 'are not equal' : 'differ by more than is allowed'}${size}${more}`,
    at ? first(f.first, `(${shown(at.was)})`, `(${shown(at.is)})`) : first(f.first),
  ];
}
