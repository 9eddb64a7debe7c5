/** Commands to a running rig, over its local socket: stop, order, note, mark. */
import type { OrderEntry } from '../entry.ts';
import { askLocal, type Local, LocalError, type LocalReply, socketOf, theRig, user } from '../local.ts';
import { show, UNITS } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';

const LONGEST = 86_400; // s: an order that waits longer than a day is a plan

async function ask(rig: string | undefined, request: Local, io: Io, within?: number): Promise<LocalReply | undefined> {
  try {
    const found = await theRig(rig);
    if (typeof found === 'string') {
      io.err(`bridgman: ${found}\n`);
      return undefined;
    }
    return await askLocal(socketOf(found.rig), request, within);
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    io.err(`bridgman: ${error.message}\n`);
    return undefined;
  }
}

export const stop: Command = {
  name: 'stop',
  summary: 'makes every hazardous output of a running rig safe, also when its host hangs',
  help: `Examples:
  bridgman stop
  bridgman stop --rig cell7

Makes every hazardous output safe and waits until it has been read back. Needs no plan, no role and no database, and works when the host
hangs. What cannot be read back is named: use the wall button then. Afterwards hazardous orders are refused until somebody acknowledges
(bridgman order rig acknowledge).

Options:
  --rig NAME    where several rigs are running
  --json        the answer as JSON

Exit codes: 0 safe and read back; 5 no answer, or not read back.
`,
  run: (args, io) =>
    guarded('stop', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', json: 'boolean' });
      if (rest.length > 1) throw new Usage(`one rig at a time, not ${rest.join(' ')}`);
      const answer = await ask(options.rig ?? rest[0], { do: 'stop', by: user() }, io, 20);
      if (!answer) {
        io.err('NO ANSWER: use the wall button\n');
        return EXIT.host;
      }
      if (flags.has('json')) io.out(`${JSON.stringify(answer)}\n`);
      if (!answer.ok || !('stopped' in answer)) {
        io.err(`NO ANSWER: use the wall button${answer.ok ? '' : ` (${answer.why})`}\n`);
        return EXIT.host;
      }
      const { by, unsafe } = answer.stopped;
      for (const { name, why } of unsafe) io.err(`NO ANSWER from ${name} (${why}): use the wall button\n`);
      if (unsafe.length > 0) return EXIT.host;
      if (!flags.has('json')) io.out(`stopped by the ${by}: every hazardous output is safe and read back\n`);
      return EXIT.ok;
    }),
};

export const order: Command = {
  name: 'order',
  summary: 'gives one order to a running rig and says how it ended',
  help: `Examples:
  bridgman order gas pressure "20 bar"
  bridgman order laser current 12%
  bridgman order laser emission on
  bridgman order operator thickness "12 um +- 1 um"
  bridgman order rig acknowledge [NAME]   after a safe action: hazardous orders are allowed again

  bridgman order INSTRUMENT COMMAND [VALUE]

Values are written with their unit. The outcome is one of done (read back), sent (cannot be read back), refused, failed, expired,
unknown (the link was lost between bytes and readback), with the reason.

Options:
  --rig NAME        where several rigs are running
  --index N         for a command with several outputs
  --deadline TIME   seconds after which it must not be carried out any more (30)
  --json            the order and its outcome as JSON

Exit codes: 0 done or sent; 1 failed, expired or unknown; 3 refused; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('order', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', index: 'string', deadline: 'string', json: 'boolean' });
      const [instrument, command, ...value] = rest;
      if (instrument === undefined || command === undefined) throw new Usage('an order is: bridgman order INSTRUMENT COMMAND [VALUE]');
      const index = options.index === undefined ? undefined : Number(options.index);
      const deadline = options.deadline === undefined ? undefined : Number(options.deadline.replace(/\s*s$/, ''));
      if (index !== undefined && !Number.isInteger(index)) throw new Usage(`--index is a whole number, not "${options.index}"`);
      if (deadline !== undefined && !(deadline > 0 && deadline <= LONGEST))
        throw new Usage(`--deadline is a number of seconds up to ${LONGEST}, not "${options.deadline}"`);
      if (instrument === 'rig') {
        if (command !== 'acknowledge') throw new Usage(`"rig" knows the order acknowledge, not "${command}"`);
        const name = value.join(' ');
        const wanted = { do: 'acknowledge', by: user(), ...(name === '' ? {} : { name }) } as const;
        return simple(await ask(options.rig, wanted, io), io, name === '' ? 'acknowledged' : `acknowledged: ${name}`);
      }
      const request = {
        by: user(),
        instrument,
        command,
        ...(index === undefined ? {} : { index }),
        ...(deadline === undefined ? {} : { deadline }),
        ...(value.length === 0 ? {} : { written: value.join(' ') }),
      };
      const answer = await ask(options.rig, { do: 'order', order: request }, io, (deadline ?? 30) + 30);
      if (!answer) return EXIT.host;
      if (!answer.ok || !('order' in answer) || !answer.order) {
        io.err(`bridgman: ${answer.ok ? 'no outcome' : answer.why}\n`);
        return EXIT.host;
      }
      const { outcome, why } = answer.order;
      if (flags.has('json')) io.out(`${JSON.stringify(answer.order)}\n`);
      else io.out(`${outcome}${shown(answer.order)}${why ? `: ${why}` : ''}\n`);
      return outcome === 'done' || outcome === 'sent' ? EXIT.ok : outcome === 'refused' ? EXIT.refused : EXIT.failed;
    }),
};

export const note: Command = {
  name: 'note',
  summary: 'writes a line into the session of a running rig',
  help: `Examples:
  bridgman note "moved the cell by 20 um, new spot"
  bridgman note --rig cell7 gasket looks asymmetric

Options:
  --rig NAME    where several rigs are running
`,
  run: (args, io) =>
    guarded('note', io, async () => {
      const { options, rest } = parse(args, { rig: 'string' });
      const text = rest.join(' ').trim();
      if (text === '') throw new Usage('what is to be noted? bridgman note "TEXT"');
      return simple(await ask(options.rig, { do: 'note', by: user(), text }, io), io, 'noted');
    }),
};

export const mark: Command = {
  name: 'mark',
  summary: 'marks where a run starts and stops in the session',
  help: `Examples:
  bridgman mark run start
  bridgman mark run stop

Options:
  --rig NAME    where several rigs are running
`,
  run: (args, io) =>
    guarded('mark', io, async () => {
      const { options, rest } = parse(args, { rig: 'string' });
      const [run, what] = rest;
      if (run !== 'run' || (what !== 'start' && what !== 'stop') || rest.length > 2)
        throw new Usage('a mark is: bridgman mark run start, or: bridgman mark run stop');
      const answer = await ask(options.rig, { do: 'mark', by: user(), what }, io);
      return simple(answer, io, answer?.ok && 'run' in answer ? `run ${answer.run} ${what}` : what);
    }),
};

/** What went out, in the unit of the command: who wrote "20" sees whether that was 20 Pa or 20 bar. */
function shown({ outcome, value, unit }: OrderEntry): string {
  if ((outcome !== 'done' && outcome !== 'sent') || typeof value !== 'number') return '';
  return ` (${show(value, UNITS.find((u) => u === unit) ?? '')})`;
}

function simple(answer: LocalReply | undefined, io: Io, done: string): number {
  if (!answer) return EXIT.host;
  if (answer.ok) {
    io.out(`${done}\n`);
    return EXIT.ok;
  }
  io.err(`bridgman: ${answer.why}\n`);
  return EXIT.refused;
}
