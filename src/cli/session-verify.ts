/** `bridgman verify`: whether a session is whole, and if not, what is damaged or missing and where. */
import { readFile } from 'node:fs/promises';
import { type Counts, countsOf } from '../recorder/session-count.ts';
import { type Verdict, verifySession } from '../recorder/verify.ts';
import { type Command, EXIT, parse, Usage } from './command.ts';
import { oneSession, overSession, plain, plural, size, wantSession } from './session-words.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman verify rigs/demo/sessions/2026-11-22T12-56-50Z
  bridgman verify rigs/demo/sessions/2026-11-22T12-56-50Z --summary last.json     also against what "run --summary" wrote
  bridgman verify rigs/demo/sessions/2026-11-22T12-56-50Z --files-only --json

bridgman verify SESSION [--summary FILE] [--files-only] [--json]

Says \`whole\` or \`damaged\` as a word of its own, and what is damaged or missing: checksums of every chunk, index and file, parts that are not
there, cut ends, numbers that are missing in a topic or a channel, traces without their numbers, and counts below what the session says at
its end. Of a whole session it says too whether its readings come out again from what was recorded of the wires, as "bridgman replay" does
(which says in what they differ): they may differ in a whole session that another version of the program wrote. Nothing is changed.

Options:
  --summary FILE    what the run wrote with --summary: counts of everything, which the session must reach
  --files-only      without the replay
  --json            the same as JSON

Exit codes: 0 whole, and no reading comes out otherwise; 1 damaged, or readings come out otherwise, or there is no session; 2 wrong arguments.
`;

export const verify: Command = {
  name: 'verify',
  summary: 'says whether a session is whole, and what of it is damaged or missing',
  help: HELP,
  run: (args, io) =>
    overSession('verify', io, async () => {
      const { options, flags, rest } = parse(args, { json: 'boolean', summary: 'string', 'files-only': 'boolean' });
      const path = oneSession('verify', rest);
      await wantSession(path);
      const verdict = await verifySession(path, options.summary === undefined ? {} : { summary: await summaryOf(options.summary) });
      const derived = verdict.whole && !flags.has('files-only') ? await again(path) : undefined;
      if (flags.has('json'))
        io.out(`${JSON.stringify({ verdict: verdict.whole ? 'whole' : 'damaged', ...verdict, derived: derived ?? null }, null, 2)}\n`);
      else io.out(asText(verdict, derived));
      return verdict.whole && derived !== 'differs' ? EXIT.ok : EXIT.failed;
    }),
};

/** `identical`, `differs`, or why it could not be looked at: what a replay of the session says. */
async function again(session: string): Promise<string> {
  const { replayCommand } = await import('./replay.ts');
  const said: string[] = [];
  await replayCommand.run([session, '--json'], { out: (text) => void said.push(text), err: (text) => void said.push(text) });
  try {
    const { verdict, failed } = JSON.parse(said.join('')) as { readonly verdict?: unknown; readonly failed?: unknown }; // of our own command
    if (typeof verdict === 'string') return verdict;
    return `not looked at: ${typeof failed === 'string' ? failed : 'the replay does not say'}`;
  } catch {
    return `not looked at: ${said.join('').trim()}`;
  }
}

async function summaryOf(path: string): Promise<Counts> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Usage(`--summary ${path}: ${error instanceof Error ? error.message : error}`);
  });
  try {
    const counts = countsOf(JSON.parse(text));
    if (Object.keys(counts).length > 0) return counts;
  } catch {
    // said below
  }
  throw new Usage(`--summary ${path}: this is not what "bridgman run --summary" writes`);
}

function asText({ session, whole, parts, chunks, messages, bytes, findings, more }: Verdict, derived: string | undefined): string {
  return [
    `${session}: ${plural(parts, 'part')}, ${plural(chunks, 'chunk')}, ${plural(messages, 'message')}, ${size(bytes)}\n`,
    columns(
      findings.map(({ kind, where, text }) => [kind, plain(where), plain(text)]),
      '  ',
    ),
    more > 0 ? `  ... and ${more} more\n` : '',
    derived === undefined ? '' : `readings from the wires again: ${derived}\n`,
    `${whole ? 'whole' : 'damaged'}\n`,
  ].join('');
}
