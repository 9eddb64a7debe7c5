/** `bridgman calibrate`: takes a lamp, a dark or the wavelengths from the running instruments, or from a session, into the rig's calibrations. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { realClock } from '../clock.ts';
import { tableOf } from '../derive/files.ts';
import { LINE_LISTS, lineList, lineListOf } from '../derive/line-lists.ts';
import { askLocal, LocalError, socketOf, theRig, user } from '../local.ts';
import { SessionError } from '../recorder/session-error.ts';
import { CALIBRATION_FOLDER, type RigCalibration } from '../rig-calibrations.ts';
import { type Followed, follow, heldPath } from './calibrate-follow.ts';
import { type Given, type Made, made } from './calibrate-make.ts';
import { type Wanted, wantedOf } from './calibrate-options.ts';
import { channelFault, readRig, viewOf } from './calibrate-rig.ts';
import { writeNew } from './calibrate-write.ts';
import { type Command, EXIT, guarded, type Io, Usage } from './command.ts';

const help = `Examples:
  bridgman calibrate dark us.spectrum --frames 20
  bridgman calibrate lamp us.spectrum --temperature "2255 K +- 10 K"
  bridgman calibrate lamp us.spectrum --radiance 15A_lamp.txt --valid 7d --note "new bulb"
  bridgman calibrate wavelength us.spectrum --lines neon
  bridgman calibrate lamp us.spectrum --temperature 2255K --session rigs/laser-heating/sessions/2026-11-22T10-11-12Z

  bridgman calibrate lamp|dark|wavelength INSTRUMENT.CHANNEL [options]

Looks at the spectra of a running rig, one after the other, and keeps them as a calibration: data and record in the folder "calibrations" of
the rig. The optical path is that of the derivations with "calibration: auto" on that channel; it must be known and must not change
meanwhile. Only exposures that begin after the command count. Nothing is ordered: put lamp, mirror and shutter where they belong first. The
running rig uses the calibration from the next spectrum on. docs/calibration.md says more.

Options:
  --temperature T   lamp: its temperature, with what it may be off: "2255 K +- 10 K"
  --radiance FILE   lamp: in its place its spectral radiance, two columns: nm and a value of any scale
  --dark ID|none    lamp: the dark that belongs to it; otherwise the newest of the same exposure
  --drift           lamp: takes it although it drifts by more than 1 %
  --lines LIST      wavelength: neon, argon, mercury, several as mercury+argon, or a file of wavelengths in nm (air)
  --order N         wavelength: degree of the polynomial, 1 to 5 (3)
  --off D           wavelength: by how much the present axis may be wrong ("5 nm")
  --frames N        how many exposures (10)
  --path NAME=VALUE what the rig does not tell of the path; several with commas, or given again
  --for NAME        the derivation whose path it is, where several see the channel differently
  --rows A:B        detector rows, from 0, both included, in place of the derivation's
  --valid TIME      how long it holds: 7d; otherwise until there is a newer one
  --note TEXT       kept with it
  --within TIME     how long to wait for a frame (60 s)
  --rig NAME        where several rigs are running
  --session FOLDER  takes the last frames of a session in place of a running rig's; --from TIME: those after it
  --into FOLDER     with --session: the rig's folder, where the session lies elsewhere
  --json            what was taken as JSON

Exit codes: 0 taken; 1 it could not be read or written; 2 wrong arguments; 3 refused: the frames are no such calibration; 4 the rig is
wrong; 5 no rig answers.
`;

/** `sleep` waits between two looks at the session. */
export const calibrateBy = (sleep?: (seconds: number) => Promise<void>): Command => ({
  name: 'calibrate',
  summary: 'takes a lamp, a dark or the wavelengths from the running instruments',
  help,
  run: (args, io) =>
    guarded('calibrate', io, async () => {
      const wanted = wantedOf(args);
      try {
        return await take(wanted, io, sleep);
      } catch (error) {
        if (!(error instanceof LocalError || error instanceof SessionError)) throw error;
        io.err(`bridgman calibrate: ${error.message}\n`);
        return error instanceof LocalError ? EXIT.host : EXIT.failed;
      }
    }),
});

export const calibrate: Command = calibrateBy();

/** Where the frames come from, and where the calibration goes. */
interface Source {
  readonly session: string;
  readonly folder: string;
  /** Of a running rig. */
  readonly rig?: string;
  readonly since?: number;
}

async function take(wanted: Wanted, io: Io, sleep: ((seconds: number) => Promise<void>) | undefined): Promise<number> {
  const failed = (code: number, why: string): number => {
    io.err(`bridgman calibrate: ${why}\n`);
    return code;
  };
  const list = wanted.kind === 'wavelength' ? await linesOf(wanted.lines) : undefined;
  if (typeof list === 'string') throw new Usage(list);
  const radiance = wanted.radiance === undefined ? undefined : await radianceOf(wanted.radiance);
  if (typeof radiance === 'string') throw new Usage(radiance);
  const source = wanted.session === undefined ? await running(wanted) : await finished(wanted.session, wanted);
  if ('why' in source) return failed(source.code, source.why);
  const read = await readRig(source.folder);
  if (!('rig' in read)) {
    for (const message of read) io.err(`${message}\n`);
    return EXIT.rig;
  }
  for (const doubt of read.doubts) io.err(`${doubt}: warning\n`);
  const strange = channelFault(read.rig, wanted.channel);
  if (strange !== undefined) throw new Usage(strange);
  const view = viewOf(read.rig, wanted.channel, wanted.named, wanted.kind === 'dark');
  if (typeof view === 'string') throw new Usage(view);
  const channels = view?.channels ?? {};
  const twice = Object.keys(wanted.path).find((name) => name in channels || (view && name in view.constants));
  if (twice !== undefined) throw new Usage(`--path: the rig itself tells "${twice}" of the path`);
  if (source.rig !== undefined && !wanted.json)
    io.err(`${wanted.frames} frames of ${wanted.channel} are awaited (Ctrl-C: nothing is kept)\n`);
  const followed = await follow({
    folder: source.session,
    channel: wanted.channel,
    path: channels,
    frames: wanted.frames,
    ...(source.since === undefined ? {} : { since: source.since }),
    ended: source.rig === undefined,
    patience: wanted.within,
    ...(sleep ? { sleep } : {}),
  });
  if (typeof followed === 'string') return failed(EXIT.failed, followed);
  const short = source.rig === undefined && followed.shots.length < wanted.frames ? followed.shots.length : undefined;
  if (short !== undefined) io.err(`bridgman calibrate: the session has only ${short} such frames\n`);
  const path = pathOf(followed, wanted, channels, view?.constants ?? {});
  if (typeof path === 'string') return failed(EXIT.refused, `refused: ${path}`);
  const place = join(source.folder, CALIBRATION_FOLDER);
  const given: Given = {
    there: new Set(await readdir(place).catch(() => [])),
    wanted,
    shots: followed.shots,
    path,
    ledger: read.ledger,
    by: user(),
    ...(view ? { view } : {}),
    ...(radiance ? { radiance } : {}),
    ...(list ? { list } : {}),
  };
  const result = made(given);
  if (typeof result === 'string') return failed(EXIT.refused, `refused: ${result}`);
  const twin = read.calibrations.find(({ record }) => record.id === result.record.id);
  if (twin) return failed(EXIT.refused, `refused: this calibration is there already: ${twin.text.path} (${twin.record.id})`);
  const unwritten = await writeNew(place, result.files);
  if (unwritten !== undefined) return failed(EXIT.failed, `${unwritten}; nothing was kept`);
  const notInUse = source.rig === undefined ? undefined : await tell(source.rig, result, read.calibrations);
  say(result, { place, running: source.rig !== undefined, ...(notInUse === undefined ? {} : { notInUse }) }, wanted, io);
  return EXIT.ok;
}

function pathOf(
  followed: Followed,
  wanted: Wanted,
  channels: Parameters<typeof heldPath>[1],
  constants: Given['path'],
): Given['path'] | string {
  const held = heldPath(followed, channels);
  return typeof held === 'string' ? held : { ...constants, ...held, ...wanted.path };
}

async function linesOf(name: string) {
  const known = lineList(name);
  if (known) return known;
  const text = await readFile(name, 'utf8').catch(() => undefined);
  if (text === undefined) return `--lines: there is no list "${name}" and no such file; there are ${LINE_LISTS.join(', ')}`;
  const read = lineListOf(text, basename(name));
  return typeof read === 'string' ? `--lines: ${name}: ${read}` : read;
}

async function radianceOf(path: string): Promise<(Given['radiance'] & {}) | string> {
  const bytes = await readFile(path).catch(() => undefined);
  if (!bytes) return `--radiance: ${path} cannot be read`;
  const table = tableOf(new Uint8Array(bytes));
  return typeof table === 'string' ? `--radiance: ${path}: ${table}` : { bytes: new Uint8Array(bytes), table };
}

interface NoSource {
  readonly why: string;
  readonly code: number;
}

/** The one rig that runs, or the named one: it says where its session and its folder are. */
async function running({ rig }: Wanted): Promise<Source | NoSource> {
  const found = await theRig(rig);
  if (typeof found === 'string') return { why: `${found}; of a finished session: --session FOLDER`, code: EXIT.host };
  const answer = await askLocal(socketOf(found.rig), { do: 'status' });
  if (!answer.ok) return { why: answer.why, code: EXIT.host };
  const { where } = answer as { readonly where?: { readonly session?: string; readonly folder?: string } }; // as the laboratory answers
  if (where?.session === undefined || where.folder === undefined)
    return {
      why: `the rig ${found.rig} was started by another version of the program: it does not say where its session is`,
      code: EXIT.host,
    };
  return { session: where.session, folder: where.folder, rig: found.rig, since: realClock().now() };
}

/** A session in the rig's own folder of sessions, or one for which the rig is named. */
async function finished(session: string, { into, from }: Wanted): Promise<Source | NoSource> {
  const folder = resolve(into ?? dirname(dirname(resolve(session))));
  const there = await readFile(join(folder, 'rig.yaml')).catch(() => undefined);
  if (!there) return { why: `there is no rig.yaml in ${folder}: name the rig's folder with --into`, code: EXIT.failed };
  return { session: resolve(session), folder, ...(from === undefined ? {} : { since: from }) };
}

const LARGEST = 11 << 20; // bytes: with base64 and the record they pass the local socket

/** Tells the running rig; a sentence when it does not take it. */
async function tell(rig: string, { files, text, record: { dark } }: Made, known: readonly RigCalibration[]): Promise<string | undefined> {
  const record = files.at(-1);
  // The dark of a lamp is that of another record: its file is there already.
  const below = dark && known.find((one) => one.record.data?.sha256 === dark.sha256)?.files.data;
  const data = [...files.slice(0, -1), ...(dark && below ? [{ name: dark.file, bytes: below.bytes }] : [])];
  if (!record) return 'there is no record';
  const size = data.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (size > LARGEST) return `its data has ${(size / 2 ** 20).toFixed(1)} MiB, more than a running rig takes`;
  const base64 = Object.fromEntries(data.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('base64')]));
  try {
    const answer = await askLocal(socketOf(rig), { do: 'calibrate', by: user(), name: record.name, text, files: base64 });
    return answer.ok ? undefined : answer.why;
  } catch (error) {
    if (error instanceof LocalError) return error.message;
    throw error;
  }
}

interface Outcome {
  readonly place: string;
  readonly running: boolean;
  readonly notInUse?: string;
}

function say({ record, files, words, doubts, axis }: Made, { place, running: live, notInUse }: Outcome, wanted: Wanted, io: Io): void {
  const file = join(place, files.at(-1)?.name ?? '');
  const inUse = live && notInUse === undefined;
  if (wanted.json) {
    const data = {
      id: record.id,
      file,
      inUse,
      ...(notInUse === undefined ? {} : { why: notInUse }),
      record,
      doubts,
      ...(axis ? { axis } : {}),
    };
    io.out(`${JSON.stringify(data, null, 2)}\n`);
    return;
  }
  for (const doubt of doubts) io.err(`doubt: ${doubt}\n`);
  io.out(`${wanted.kind} calibration ${record.id} of ${record.of}\n`);
  for (const word of words) io.out(`  ${word}\n`);
  io.out(`  ${file}\n`);
  if (inUse) io.out('in use from now on\n');
  else if (notInUse !== undefined) io.err(`the running rig does not take it (${notInUse}): it will be used from the next start\n`);
  else io.out('used from the next start of the rig\n');
}
