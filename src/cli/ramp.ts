/** Ramps of a running rig: shown, held, resumed, stopped; and what an order says while its output is being ramped. */
import type { Status } from '../entry.ts';
import { askLocal, type Local, LocalError, type LocalReply, socketOf, theRig, user } from '../local.ts';
import type { RampShown } from '../ramp.ts';
import { lasting } from '../ramp-state.ts';
import { show, UNITS } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, suggestion, Usage } from './command.ts';
import { columns } from './table.ts';

const WHATS = ['hold', 'resume', 'stop'] as const;
const DONE = { hold: 'held', resume: 'goes on', stop: 'stopped; the output stays where it is' } as const;

export const ramp: Command = {
  name: 'ramp',
  summary: 'shows the ramps of a running rig, and holds, resumes or stops one',
  help: `Examples:
  bridgman ramp                             what is being ramped, from where to where, and how far it is
  bridgman ramp cell.setpoint hold          keeps the output at its present step
  bridgman ramp cell.setpoint resume        goes on from what the output shows then
  bridgman ramp cell.setpoint stop          ends the ramp; the output stays where it is
  bridgman ramp "bias.voltage[2]" hold

A ramp begins with an order (bridgman order cell setpoint "500 K") of a command that the rig ramps (docs/rigs.md). A new order takes over
from the present output. The safe value is never ramped: it goes at once, and ends the ramp.

Options:
  --rig NAME    where several rigs are running
  --json        the ramps as JSON

Exit codes: 0 done; 3 refused; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('ramp', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', json: 'boolean' });
      const [output, what, ...more] = rest;
      if (more.length > 0) throw new Usage(`one ramp at a time, not ${rest.join(' ')}`);
      if (output === undefined) return await list(options.rig, flags.has('json'), io);
      if (what === undefined) throw new Usage(`what is to be done with the ramp of ${output}? hold, resume or stop`);
      const known = WHATS.find((w) => w === what);
      if (!known) throw new Usage(`a ramp is told hold, resume or stop, not "${what}"${suggestion(what, WHATS, '')}`);
      const answer = await ask(options.rig, { do: 'ramp', by: user(), output, what: known }, io);
      if (!answer) return EXIT.host;
      if (!answer.ok) {
        io.err(`bridgman: ${answer.why}\n`);
        return EXIT.refused;
      }
      io.out(`${output}: ${DONE[known]}\n`);
      return EXIT.ok;
    }),
};

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
  const all = rampsIn(answer);
  if (json) io.out(`${JSON.stringify(all)}\n`);
  else io.out(all.length === 0 ? 'nothing has been ramped in this run\n' : columns(all.map(row)));
  return EXIT.ok;
}

/** The ramps of the answer to a question for the status. */
function rampsIn(answer: LocalReply): readonly RampShown[] {
  const status = answer.ok && 'status' in answer ? (answer.status as Partial<Status> | undefined) : undefined; // the host's own
  return status?.ramps ?? [];
}

/** In the unit of its command. */
export const amount = (value: number, unit: string): string => show(value, UNITS.find((u) => u === unit) ?? '');

const row = ({ output, state, from, at, to, unit, left, why }: RampShown): readonly string[] => [
  output,
  state,
  `at ${amount(at, unit)}`,
  `from ${amount(from, unit)} to ${amount(to, unit)}`,
  left === undefined ? (why ?? '') : `${lasting(left)} left`,
];

/**
 * For the time that an order waits for its end: looks each second whether its output is being ramped, and says so once. Gives a function
 * that ends it. `statusOf` gives the answer to a question for the status, or undefined.
 */
export function sayRamp(output: string, io: Io, statusOf: () => Promise<LocalReply | undefined>, seconds = 1): () => void {
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const answer = await statusOf().catch(() => undefined); // the order itself says when the rig is gone
    if (over) return;
    const found = answer && rampsIn(answer).find((one) => one.output === output && (one.state === 'ramping' || one.state === 'held'));
    if (!found) {
      timer = setTimeout(() => void look(), seconds * 1000);
      return;
    }
    const { unit, from, to, left } = found;
    const time = left === undefined ? 'held' : `about ${lasting(left)} left`;
    io.err(
      `${output} is ramped from ${amount(from, unit)} to ${amount(to, unit)}, ${time}; Ctrl-C leaves the ramp running (bridgman ramp ${output} hold, or stop)\n`,
    );
  };
  timer = setTimeout(() => void look(), seconds * 1000);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
