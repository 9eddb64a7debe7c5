/** The cuts of event lists as options of `bridgman analyse`; what is not given is as in the golden cuts of src/derive/coincidence-cuts.ts. */
import { CUTS, type Cuts, wrongCuts } from '../derive/coincidence-cuts.ts';
import { numberOf, pairOf, timeOf } from './analyse-options.ts';
import { type Parsed, Usage } from './command.ts';

export const CUT_OPTIONS = {
  muon: 'string',
  veto: 'string',
  prompt: 'string',
  'prompt-psd': 'string',
  delayed: 'string',
  'delayed-psd': 'string',
  dt: 'string',
  off: 'string',
  isolation: 'string',
  'isolation-energy': 'string',
  duration: 'string',
} as const;
export const DIRECTION_OPTIONS = { 'max-dt': 'string', 'max-distance': 'string' } as const;

export const CUTS_HELP = `Options for event lists t_ns,E_MeVee,psd (energies in MeVee)
  --muon E            from this energy on an event vetoes (otherwise ${CUTS.muon}), --veto T so long after it (otherwise 1 ms, both ends)
  --prompt LO:HI      energies (otherwise ${CUTS.prompt.join(':')}), --prompt-psd P: below it (otherwise ${CUTS.promptShape})
  --delayed LO:HI     energies (otherwise ${CUTS.delayed.join(':')}), --delayed-psd P: from it on (otherwise ${CUTS.delayedShape})
  --dt LO:HI          delayed after prompt (otherwise 1us:150us, both ends)
  --off FIRST,STEP,N  off-time windows: --dt shifted by FIRST + k STEP, N of them (otherwise 1ms,200us,20)
  --isolation T       no other event so long before the prompt and after the delayed (otherwise 300 us),
  --isolation-energy LO:HI of these energies (otherwise ${CUTS.isolation.low}:${CUTS.isolation.high})
  --duration T        of the run (otherwise to its last event)
  --window T          how far events may stand out of order (otherwise 1 ms)

Options for event lists px_cm,...,dz_cm
  --max-dt T          of the pairs that are taken (otherwise 100 us), --max-distance CM between prompt and delayed (otherwise 25), both excluded
`;

export interface EventCuts {
  readonly cuts: Cuts;
  readonly duration?: number;
  readonly window?: number;
}

/** `base`: what holds where an option is not given. Throws Usage. */
export function eventCuts({ options }: Parsed, base: Cuts = CUTS): EventCuts {
  const at = (name: keyof typeof CUT_OPTIONS, example: string): number | undefined => timeOf(options[name], name, example, true);
  const energy = (name: keyof typeof CUT_OPTIONS): number | undefined => {
    const text = options[name];
    if (text === undefined) return undefined;
    const value = numberOf(text);
    if (!Number.isFinite(value)) throw new Usage(`--${name} is a number, not "${text}"`);
    return value;
  };
  const range = (name: keyof typeof CUT_OPTIONS, form: string): readonly [number, number] | undefined =>
    pairOf(options[name], name, form, ':', numberOf);
  const isolation = range('isolation-energy', 'LO:HI in MeVee, such as 0.38:20');
  const cuts: Cuts = {
    ...base,
    muon: energy('muon') ?? base.muon,
    veto: at('veto', '1 ms') ?? base.veto,
    prompt: range('prompt', 'LO:HI in MeVee, such as 1:8') ?? base.prompt,
    promptShape: energy('prompt-psd') ?? base.promptShape,
    delayed: range('delayed', 'LO:HI in MeVee, such as 0.38:0.68') ?? base.delayed,
    delayedShape: energy('delayed-psd') ?? base.delayedShape,
    window: times(options.dt, 'dt', ':', ['1us', '150us']) ?? base.window,
    off: off(options.off) ?? base.off,
    isolation: {
      time: at('isolation', '300 us') ?? base.isolation.time,
      low: isolation?.[0] ?? base.isolation.low,
      high: isolation?.[1] ?? base.isolation.high,
    },
  };
  const wrong = wrongCuts(cuts);
  if (wrong !== undefined) throw new Usage(`these cuts cannot be: ${wrong}`);
  const duration = timeOf(options.duration, 'duration', '20 s');
  const window = timeOf(options.window, 'window', '1 ms');
  return { cuts, ...(duration === undefined ? {} : { duration }), ...(window === undefined ? {} : { window }) };
}

function times(
  text: string | undefined,
  name: string,
  by: string,
  example: readonly [string, string],
): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const [a, b, ...more] = text.split(by);
  if (a === undefined || b === undefined || more.length > 0)
    throw new Usage(`--${name} is two times, such as ${example.join(by)}, not "${text}"`);
  return [timeOf(a, name, example[0], true) ?? 0, timeOf(b, name, example[1], true) ?? 0];
}

function off(text: string | undefined): Cuts['off'] | undefined {
  if (text === undefined) return undefined;
  const [first, step, count = '', ...more] = text.split(',');
  if (more.length > 0 || !/^\d+$/.test(count.trim())) throw new Usage(`--off is FIRST,STEP,N, such as 1ms,200us,20, not "${text}"`);
  return { first: timeOf(first, 'off', '1ms', true) ?? 0, step: timeOf(step, 'off', '200us', true) ?? 0, count: Number(count) };
}
