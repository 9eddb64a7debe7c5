/** Feedback of a running rig: shown, begun, released, switched off. */
import type { FeedbackStatus, Status } from '../entry.ts';
import { FEEDBACK } from '../feedback-spec.ts';
import { askLocal, type Local, LocalError, type LocalReply, socketOf, theRig, user } from '../local.ts';
import { show, UNITS } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { columns } from './table.ts';

export const hold: Command = {
  name: 'hold',
  summary: 'holds a measured quantity of a running rig by an output, and lets go of it',
  help: `Examples:
  bridgman hold                     what is held, what is measured, and where the output is
  bridgman hold heating "3000 K"    holds it there, from the present output on; while it holds, a new set point
  bridgman hold heating release     ends it; the output stays where it is
  bridgman hold heating off         ends it, and gives the output its safe value

The loops are those of the rig (docs/feedback.md). None begins by itself. A loop lets go of its output when somebody else gives an order
for it, when one of its own is refused or fails, and when what it holds is not measured well any more.

Options:
  --rig NAME    where several rigs are running
  --json        the loops, or how the order ended, as JSON

Exit codes: 0 done; 1 failed, expired or unknown; 3 refused; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('hold', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', json: 'boolean' });
      const [loop, ...words] = rest;
      if (loop === undefined) return await list(options.rig, flags.has('json'), io);
      const what = words.join(' ');
      if (what === '') throw new Usage(`what is to be done with ${loop}? A set point such as "3000 K", release or off`);
      const request: Local =
        what === 'release' || what === 'off'
          ? { do: 'hold', by: user(), loop, what }
          : { do: 'order', order: { by: user(), instrument: FEEDBACK, command: loop, written: what } };
      const answer = await ask(options.rig, request, io);
      if (!answer) return EXIT.host;
      if (!answer.ok) {
        io.err(`bridgman: ${answer.why}\n`);
        return EXIT.refused;
      }
      return ended(loop, what, answer, flags.has('json'), io);
    }),
};

function ended(loop: string, what: string, answer: LocalReply, json: boolean, io: Io): number {
  const order = answer.ok && 'order' in answer ? answer.order : undefined;
  if (json) io.out(`${JSON.stringify(order ?? { outcome: 'done' })}\n`);
  const outcome = order?.outcome ?? 'done';
  if (outcome === 'done' || outcome === 'sent') {
    const done =
      what === 'release'
        ? 'released; the output stays where it is'
        : what === 'off'
          ? `released, ${order?.instrument}.${order?.command} is off`
          : `holds ${what}`;
    if (!json) io.out(`${loop}: ${done}\n`);
    return EXIT.ok;
  }
  if (!json) io.err(`bridgman: ${loop}: ${outcome}${order?.why === undefined ? '' : `: ${order.why}`}\n`);
  return outcome === 'refused' ? EXIT.refused : EXIT.failed;
}

async function ask(rig: string | undefined, request: Local, io: Io): Promise<LocalReply | undefined> {
  try {
    const found = await theRig(rig);
    if (typeof found !== 'string') return await askLocal(socketOf(found.rig), request);
    io.err(`bridgman: ${found}\n`);
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    io.err(`bridgman: ${error.message}\n`);
  }
  return undefined;
}

async function list(rig: string | undefined, json: boolean, io: Io): Promise<number> {
  const answer = await ask(rig, { do: 'status' }, io);
  if (!answer) return EXIT.host;
  if (!answer.ok) {
    io.err(`bridgman: ${answer.why}\n`);
    return EXIT.host;
  }
  const status = 'status' in answer ? (answer.status as Partial<Status> | undefined) : undefined; // the host's own
  const all = status?.feedback ?? [];
  if (json) io.out(`${JSON.stringify(all)}\n`);
  else io.out(all.length === 0 ? 'this rig has no feedback\n' : columns(all.map(row)));
  return EXIT.ok;
}

const amount = (value: number | undefined, unit: string, sigma?: number): string =>
  value === undefined ? '' : show(value, UNITS.find((u) => u === unit) ?? '', sigma);

const row = (f: FeedbackStatus): readonly string[] => [
  f.name,
  f.state,
  f.target === undefined ? '' : `${amount(f.target, f.unit)}${f.setpoint === f.target ? '' : ` (now ${amount(f.setpoint, f.unit)})`}`,
  f.measured === undefined ? 'not measured' : `measured ${amount(f.measured, f.unit, f.sigma)}`,
  `${f.output}${f.at === undefined ? '' : ` at ${amount(f.at, f.outputUnit)}`}`,
  f.why ?? (f.limited === undefined ? '' : `limit: ${f.limited}`),
];
