/** `bridgman export`: a session as NeXus, CSV or line protocol. */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ExportOptions, exportSession, FORMS, type Form, type Report, Unexported } from '../export/export.ts';
import { SessionError } from '../recorder/session-error.ts';
import { listParts } from '../recorder/session-read.ts';
import { type Command, EXIT, guarded, type Io, parse, suggestion, Usage } from './command.ts';
import { between } from './session-words.ts';

const HELP = `Examples:
  bridgman export rigs/demo/sessions/2026-11-22T12-56-50Z --to nexus run.nxs
  bridgman export rigs/demo/sessions/2026-11-22T12-56-50Z --to csv run --channel up.temperature --channel "laser.*"
  bridgman export rigs/demo/sessions/2026-11-22T12-56-50Z --to line run.txt --from 12:57:00 --until 13:05:00

bridgman export SESSION --to nexus|csv|line FILE_OR_FOLDER [--channel PATTERN ...] [--from TIME] [--until TIME] [--json]

Writes a session as files that other programs open (docs/export.md):
  nexus   one HDF5 file as NeXus has it: h5py, silx, PyMca, NeXpy, Igor, MATLAB ...; "default" leads to a plot
  csv     a folder with one file a channel: a row of names, a row of units, time as ISO 8601 and in seconds
  line    one file of InfluxDB 1.x line protocol, the bytes that the program would have sent
Nothing of the session is changed. What is cut, damaged or missing in it is named; all that can be read is written.

Options:
  --to FORM          nexus, csv or line
  --channel PATTERN  only these: laser.output_power, "laser.*", "*.temperature", laser (all of it); may be given several times
  --from TIME        not before: 2026-11-22T12:57:00Z, 12:57:00 (UTC, of the day of its beginning), or +90s after the beginning
  --until TIME       before this time, written alike
  --force            replaces the file, or files of the same names in the folder, where they are there already
  --json             what was written, as JSON

Exit codes: 0 written, whatever is damaged in the session; 1 there is no session, or it cannot be written; 2 wrong arguments.
`;

export const exportCommand: Command = {
  name: 'export',
  summary: 'writes a session as NeXus (HDF5), CSV or line protocol',
  help: HELP,
  run: (args, io) =>
    guarded('export', io, async () => {
      const { channels, rest: others } = withoutChannels(args);
      const { options, flags, rest } = parse(others, {
        to: 'string',
        channel: 'string',
        from: 'string',
        until: 'string',
        force: 'boolean',
        json: 'boolean',
      });
      const [session, target, ...more] = rest;
      if (session === undefined || target === undefined)
        throw new Usage('a session and a target are wanted: bridgman export SESSION --to nexus FILE');
      if (more.length > 0) throw new Usage(`one session and one target, not also ${more.join(' ')}`);
      const form = formOf(options.to);
      try {
        await look(session);
        const range = await between(options, session);
        const asked: ExportOptions = {
          session,
          form,
          target,
          channels,
          force: flags.has('force'),
          ...range,
        };
        tell(await exportSession(asked), flags.has('json'), io);
        return EXIT.ok;
      } catch (error) {
        if (error instanceof Unexported) throw new Usage(error.message);
        if (error instanceof Usage || !(error instanceof SessionError || (error instanceof Error && 'code' in error))) throw error;
        io.err(`bridgman export: ${error.message}\n`);
        return EXIT.failed;
      }
    }),
};

/** --channel may be given several times, unlike other options. */
function withoutChannels(args: readonly string[]): { readonly channels: readonly string[]; readonly rest: readonly string[] } {
  const channels: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg.startsWith('--channel=')) channels.push(arg.slice('--channel='.length));
    else if (arg === '--channel') {
      const value = args[++i];
      if (value === undefined || value.startsWith('--')) throw new Usage('--channel needs a value');
      channels.push(value);
    } else rest.push(arg);
  }
  const all = channels.flatMap((text) => text.split(',')).map((text) => text.trim());
  if (all.includes('')) throw new Usage('--channel needs a value');
  return { channels: all, rest };
}

function formOf(text: string | undefined): Form {
  if (text === undefined) throw new Usage(`--to is wanted: ${FORMS.join(', ')}`);
  const form = FORMS.find((one) => one === text);
  if (!form) throw new Usage(`--to takes ${FORMS.join(', ')}, not "${text}"${suggestion(text, FORMS, '')}`);
  return form;
}

/** Throws a SessionError where there is no session. */
async function look(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new SessionError(
      'SESSION_NO_FOLDER',
      `there is no folder ${path}; a session is a folder, such as rigs/demo/sessions/2026-11-22T12-56-50Z`,
    );
  if (!found.isDirectory())
    throw new SessionError('SESSION_NO_FOLDER', `${path} is a file; a session is the folder that it lies in: ${dirname(path)}`);
  if ((await listParts(path)).length === 0)
    throw new SessionError('SESSION_NO_FOLDER', `${path} is no session: it has no parts such as slow-0001.mcap`);
}

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function tell(report: Report, json: boolean, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const names = Object.keys(report.channels);
  const readings = Object.values(report.channels).reduce((n, one) => n + one, 0);
  io.out(
    `${report.target}: ${plural(readings, 'reading')} of ${plural(names.length, 'channel')}${report.hits > 0 ? `, ${plural(report.hits, 'hit')}` : ''}, ${report.bytes} bytes\n`,
  );
  for (const line of lostIn(report)) io.err(`bridgman export: ${line}\n`);
}

/** Everything that is not in the target, in words. */
function lostIn({ trouble, lost, left, strange, empty, channels, hits }: Report): readonly string[] {
  return [
    ...(Object.keys(channels).length === 0 && hits === 0 ? ['no readings in this choice of channels and time'] : []),
    ...trouble.map(({ part, kind, why, bytes, offset }) =>
      kind === 'missing' ? `lost: ${why}` : `lost: ${part}: ${plural(bytes, 'byte')} from byte ${offset}: ${why}`,
    ),
    ...Object.entries(lost).map(([lane, n]) => `lost: ${plural(n, 'message')} of ${lane}`),
    ...(empty > 0 ? [`lost: the numbers of ${plural(empty, 'trace')}`] : []),
    ...(strange > 0 ? [`${plural(strange, 'message')} that cannot be understood`] : []),
    ...Object.entries(left).map(([word, n]) => `${n} left out: ${word}`),
  ];
}
