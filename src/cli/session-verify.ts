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
  bridgman verify rigs/demo/sessions/2026-11-22T12-56-50Z --json

bridgman verify SESSION [--summary FILE] [--json]

Says \`whole\` or \`damaged\` as a word of its own, and what is damaged or missing: checksums of every chunk, index and file, parts that are not
there, cut ends, numbers that are missing in a topic or a channel, traces without their numbers, and counts below what the session says at
its end. Nothing is changed. Whether the derived values come out the same again is what "bridgman replay" says.

Options:
  --summary FILE    what the run wrote with --summary: counts of everything, which the session must reach
  --json            the same as JSON

Exit codes: 0 whole; 1 damaged, or there is no session; 2 wrong arguments.
`;

export const verify: Command = {
  name: 'verify',
  summary: 'says whether a session is whole, and what of it is damaged or missing',
  help: HELP,
  run: (args, io) =>
    overSession('verify', io, async () => {
      const { options, flags, rest } = parse(args, { json: 'boolean', summary: 'string' });
      const path = oneSession('verify', rest);
      await wantSession(path);
      const verdict = await verifySession(path, options.summary === undefined ? {} : { summary: await summaryOf(options.summary) });
      if (flags.has('json')) io.out(`${JSON.stringify({ verdict: verdict.whole ? 'whole' : 'damaged', ...verdict }, null, 2)}\n`);
      else io.out(asText(verdict));
      return verdict.whole ? EXIT.ok : EXIT.failed;
    }),
};

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

function asText({ session, whole, parts, chunks, messages, bytes, findings, more }: Verdict): string {
  return [
    `${session}: ${plural(parts, 'part')}, ${plural(chunks, 'chunk')}, ${plural(messages, 'message')}, ${size(bytes)}\n`,
    columns(
      findings.map(({ kind, where, text }) => [kind, plain(where), plain(text)]),
      '  ',
    ),
    more > 0 ? `  ... and ${more} more\n` : '',
    `${whole ? 'whole' : 'damaged'}\n`,
  ].join('');
}
