/** Alarms and interlocks of a running rig: shown, acknowledged, shelved. */
import { rank } from '../alarm-state.ts';
import type { AlarmState, InterlockStatus, Status } from '../entry.ts';
import { askLocal, type Local, LocalError, type LocalReply, socketOf, theRig, user } from '../local.ts';
import { quantity } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { columns } from './table.ts';

const LONGEST = 86_400; // s; the host has the same limit

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

/** Says what came of a request; true when it was done. */
function told(answer: LocalReply, done: string, io: Io): boolean {
  if (answer.ok) io.out(`${done}\n`);
  else io.err(`bridgman: ${answer.why}\n`);
  return answer.ok;
}

export const alarms: Command = {
  name: 'alarms',
  summary: 'shows what is not normal in a running rig: alarms, interlocks, and who waits for whom',
  help: `Examples:
  bridgman alarms
  bridgman alarms --rig cell7 --json

One line for each alarm that is raised, waits to be acknowledged or is shelved, the worst first; "!" marks those that wait. Then the
interlocks: whether each holds, and what breaks it.

Options:
  --rig NAME    where several rigs are running
  --json        the same as JSON

Exit codes: 0 shown; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('alarms', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', json: 'boolean' });
      if (rest.length > 1) throw new Usage(`one rig at a time, not ${rest.join(' ')}`);
      const answer = await ask(options.rig ?? rest[0], { do: 'status' }, io);
      if (!answer) return EXIT.host;
      if (!answer.ok || !('status' in answer)) {
        io.err(`bridgman: ${answer.ok ? 'the rig gives no status' : answer.why}\n`);
        return EXIT.host;
      }
      const status = answer.status as Partial<Status>; // the host's own
      const { latched } = status;
      const found = {
        alarms: inOrder(status.alarms ?? []),
        interlocks: status.interlocks ?? [],
        ...(latched === undefined ? {} : { latched }),
      };
      io.out(flags.has('json') ? `${JSON.stringify(found)}\n` : shown(found, status.t ?? 0));
      return EXIT.ok;
    }),
};

export const acknowledge: Command = {
  name: 'acknowledge',
  summary: 'says that an alarm, or a trip of an interlock, has been seen',
  help: `Examples:
  bridgman acknowledge                     the only one that waits
  bridgman acknowledge cell-hot
  bridgman acknowledge "silence laser" "link tcp:10.0.0.5:10001"
  bridgman acknowledge record              what the last run has left behind
  bridgman acknowledge --all

Names are those of "bridgman alarms". Each alarm has one cause: acknowledging one acknowledges no other. What has tripped stays forbidden
until its interlock holds again and its name has been acknowledged.

Options:
  --all         all that wait
  --rig NAME    where several rigs are running

Exit codes: 0 acknowledged; 3 refused, with the reason; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('acknowledge', io, async () => {
      const { options, flags, rest } = parse(args, { rig: 'string', all: 'boolean' });
      if (flags.has('all') && rest.length > 0) throw new Usage('either names, or --all');
      const by = user();
      const requests: (readonly [Local, string])[] =
        rest.length > 0
          ? [...new Set(rest)].map((name) => [{ do: 'acknowledge', by, name }, `acknowledged: ${name}`] as const)
          : [[{ do: 'acknowledge', by, ...(flags.has('all') ? { all: true } : {}) }, 'acknowledged']];
      let refused = false;
      for (const [request, done] of requests) {
        const answer = await ask(options.rig, request, io);
        if (!answer) return EXIT.host;
        if (!told(answer, done, io)) refused = true;
      }
      return refused ? EXIT.refused : EXIT.ok;
    }),
};

export const shelve: Command = {
  name: 'shelve',
  summary: 'puts an alarm aside for a time, with a reason',
  help: `Examples:
  bridgman shelve cell-hot --for 30min --because "heater is being mended"
  bridgman shelve "silence camera.spectrum" --for 2h --because "no sample"
  bridgman shelve cell-hot --end           back before its time

A shelved alarm is shown and recorded, but nobody is told of it. When the time is over it is raised again by itself if its cause is still
there. At most 24 h.

Options:
  --for TIME        how long: 30min, 2h, 90s
  --because TEXT    why, for whoever sees it
  --end             ends the shelf now
  --rig NAME        where several rigs are running

Exit codes: 0 shelved; 3 refused, with the reason; 5 no rig answers.
`,
  run: (args, io) =>
    guarded('shelve', io, async () => {
      const { options, flags, rest } = parse(args, { for: 'string', because: 'string', end: 'boolean', rig: 'string' });
      const [name, ...more] = rest;
      if (name === undefined) throw new Usage('which alarm? bridgman shelve NAME --for 30min --because "TEXT"');
      if (more.length > 0) throw new Usage(`one alarm at a time, not ${rest.join(' ')}; a name with spaces stands in quotes`);
      const by = user();
      if (flags.has('end')) {
        if (options.for !== undefined) throw new Usage('either --for, or --end');
        const answer = await ask(options.rig, { do: 'shelve', by, name, seconds: 0, why: options.because ?? 'ended' }, io);
        return !answer ? EXIT.host : told(answer, `no longer shelved: ${name}`, io) ? EXIT.ok : EXIT.refused;
      }
      const seconds = lastingOf(options.for);
      const why = options.because?.trim() ?? '';
      if (why === '') throw new Usage('why? --because "TEXT" is for whoever sees it');
      const answer = await ask(options.rig, { do: 'shelve', by, name, seconds, why }, io);
      return !answer ? EXIT.host : told(answer, `shelved for ${age(seconds)}: ${name}`, io) ? EXIT.ok : EXIT.refused;
    }),
};

function lastingOf(written: string | undefined): number {
  if (written === undefined) throw new Usage('for how long? --for 30min');
  const read = quantity(written);
  if (typeof read === 'string' || read.unit !== 's') throw new Usage(`--for is a time such as 30min, 2h or 90s, not "${written}"`);
  if (!(read.value > 0 && read.value <= LONGEST))
    throw new Usage(`--for is at most ${LONGEST / 3600} h, and more than nothing, not "${written}"`);
  return read.value;
}

/** What waits comes first, then the worst, then the oldest. */
const inOrder = (list: readonly AlarmState[]): readonly AlarmState[] =>
  [...list].sort(
    (a, b) => Number(waits(b)) - Number(waits(a)) || rank(b.now) - rank(a.now) || rank(b.severity) - rank(a.severity) || a.since - b.since,
  );
const waits = (state: AlarmState): boolean => state.unacknowledged && state.shelved === undefined;

function shown(
  found: { readonly alarms: readonly AlarmState[]; readonly interlocks: readonly InterlockStatus[]; readonly latched?: string },
  now: number,
): string {
  const parts = [found.alarms.length === 0 ? 'no alarms\n' : columns(found.alarms.flatMap((one) => alarmRows(one, now)))];
  if (found.latched !== undefined) parts.push(`LATCHED: ${plain(found.latched)}\n`);
  if (found.interlocks.length > 0) parts.push(columns(found.interlocks.flatMap((one) => interlockRows(one, now))));
  return parts.join('\n');
}

function alarmRows(state: AlarmState, now: number): readonly (readonly string[])[] {
  const { name, severity, since, text, guidance, unacknowledged, acknowledged, shelved } = state;
  const is = state.now ?? 'over';
  const notes = [
    ...(rank(severity) > rank(state.now) ? [`was ${severity}`] : []),
    ...(unacknowledged && state.now === undefined ? ['waits to be acknowledged'] : []),
    ...(acknowledged ? [`acknowledged by ${plain(acknowledged.by)} ${age((now - acknowledged.t) / 1e6)} ago`] : []),
    ...(shelved ? [`shelved by ${plain(shelved.by)} for another ${age((shelved.until - now) / 1e6)}: ${plain(shelved.why)}`] : []),
    ...(guidance === undefined ? [] : [plain(guidance)]),
  ];
  return [
    [waits(state) ? '!' : ' ', is === 'critical' ? 'CRITICAL' : is, plain(name), age((now - since) / 1e6), plain(text)],
    ...notes.map((note) => ['', '', '', '', `  ${note}`]),
  ];
}

const LEVELS: Readonly<Record<InterlockStatus['is'], string>> = { holds: 'holds', broken: 'BROKEN', unknown: 'UNKNOWN' };

function interlockRows(one: InterlockStatus, now: number): readonly (readonly string[])[] {
  const notes = [
    ...(one.latched === undefined ? [] : [`LATCHED: ${plain(one.latched)}; when it holds: bridgman acknowledge ${one.name}`]),
    ...(one.is === 'holds' && one.latched === undefined
      ? []
      : [`forbids ${one.forbids.join(', ')}`, ...(one.guidance === undefined ? [] : [plain(one.guidance)])]),
  ];
  return [
    ['interlock', one.name, LEVELS[one.is], age((now - one.since) / 1e6), plain(one.why ?? '')],
    ...notes.map((note) => ['', '', '', '', `  ${note}`]),
  ];
}

/** What others wrote must not move the cursor. */
const plain = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

function age(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 99.5) return `${Math.round(s)} s`;
  if (s < 5970) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Number((s / 3600).toPrecision(3))} h` : `${Math.round(s / 86_400)} d`;
}
