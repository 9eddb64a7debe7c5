/** `bridgman replay SESSION --as instruments`: a recording on real sockets, pseudo-terminals and in folders, for anybody's software. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Catalogue } from '../catalogue.ts';
import { realClock } from '../clock.ts';
import { LinkError } from '../links/link-error.ts';
import { seriesOf } from '../recorder/session-json.ts';
import { listParts } from '../recorder/session-read.ts';
import { recordedEvents } from '../replay/recorded-events.ts';
import { indexed, type RecordingIndex } from '../replay/recorded-index.ts';
import { withRecordedFolders } from '../replay/recorded-links.ts';
import { LoosePort } from '../replay/recorded-loose.ts';
import { Play } from '../replay/recorded-play.ts';
import type { RecordedPort, Strange } from '../replay/recorded-port.ts';
import { StrictPort } from '../replay/recorded-strict.ts';
import type { Rig } from '../rig.ts';
import { addressOf } from '../rig-open.ts';
import { isBuilt, type Wire, wires } from '../rig-wires.ts';
import { EXIT, type Io, Usage } from './command.ts';
import { checkCopy, copy } from './rig-copy.ts';
import { nameOf, places, type RigServing, type Scene, say, sayCopy, serveWire, type Way } from './serve-wires.ts';

export interface RecordingServing extends Omit<RigServing, 'timed'> {
  /** The questions must come in the recorded order. */
  readonly strict: boolean;
  /** Seconds of the recording in one second. */
  readonly speed: number;
  /** Begins anew at its end. */
  readonly repeat: boolean;
  /** Only these: names of the rig's links or instruments, or addresses; all where there are none. */
  readonly links?: readonly string[];
  readonly oneClient?: boolean;
  readonly json: boolean;
}

/** The rig of the session (or another one for its wires), and the catalogue with its own drivers. */
export interface Recorded {
  readonly rig: Rig;
  readonly known: Catalogue;
}

/**
 * Serves until `until` resolves, which is called once everything is served; gives an exit code of EXIT, and says at the end what was asked
 * and could not be answered. Throws a Usage where what is wanted makes no sense.
 */
export async function serveRecording(
  session: string,
  { rig: asRead, known }: Recorded,
  wanted: RecordingServing,
  io: Io,
  until: () => Promise<unknown>,
): Promise<number> {
  const own = dirname(dirname(resolve(session)));
  const rig: Rig = { ...(await withRecordedFolders(asRead, session)), folder: own, file: join(own, 'rig.yaml') };
  const { write } = wanted;
  const all = wires(rig, known);
  const plain = chosen(rig, all.wires, wanted.links).filter((wire) => !isBuilt(wire)); // what is built of hits is built where it runs
  if (write !== undefined) {
    checkCopy(rig, known, write);
    await checkFile(write);
  }
  const clock = realClock();
  const stops: (() => void | Promise<void>)[] = [];
  const scene: Scene = { clock, oneClient: wanted.oneClient ?? false, json: wanted.json, io, stops };
  const late = clock.after(PATIENCE, () => io.err(`reading ${session} once, before it is served ...\n`));
  const index = await indexed(session, plain).finally(late);
  if (index.from > index.to) {
    io.err(`bridgman replay: ${session} has nothing that can be read\n`);
    return EXIT.failed;
  }
  for (const { part, why } of index.trouble) io.err(`lost: ${part}: ${why}\n`);
  const ports: RecordedPort[] = [];
  const play = new Play({
    clock,
    ...wanted,
    from: index.from,
    to: index.to,
    ended(again) {
      if (!wanted.strict || again)
        say(
          scene,
          { ended: again ? 'again' : 'last' },
          again ? 'the recording begins anew' : 'the recording has ended; its last replies go on',
        );
    },
  });
  try {
    const place = places(rig, wanted, stops);
    const served = new Map<string, string>();
    const parts = new Set((await listParts(session)).map(({ series }) => series));
    for (const wire of plain) {
      const way = wayOf(wire, index);
      if (!isThere(wire, index, parts)) io.err(`${nameOf(wire)}: nothing was recorded of ${wire.key}; it is served, and silent\n`);
      const port = portOf(session, wire, index, wanted, play, scene);
      ports.push(port);
      stops.push(() => port.close());
      const alone = wire.users.some(({ instrument, role }) => known.simulators.get(instrument.model)?.oneClient.includes(role));
      const at = await serveWire(wire, [port], way, { ...wanted, timed: true }, place, { ...scene, oneClient: scene.oneClient || alone });
      served.set(wire.key, at);
    }
    if (write !== undefined) {
      const what = 'a served recording';
      const code = await copy({ rig, known, served, file: write, what, command: `replay ${session} --as instruments`, files: true }, io);
      if (code !== EXIT.ok) return code;
      sayCopy(scene, write);
    }
    // Who reads a folder does not connect.
    if (plain.every((wire) => wayOf(wire, index) === 'files')) play.start();
    await until();
    account(ports, plain, scene);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof LinkError) && !(error instanceof Error && 'code' in error && !(error instanceof Usage))) throw error;
    io.err(`bridgman replay: ${error.message}\n`);
    return EXIT.failed;
  } finally {
    play.close();
    for (const stop of stops.reverse()) await stop();
  }
}

function portOf(session: string, wire: Wire, index: RecordingIndex, wanted: RecordingServing, play: Play, scene: Scene): RecordedPort {
  const found = index.wires.get(wire.key);
  const options = {
    wire,
    play,
    read: () => recordedEvents(session, [wire]),
    strange: (_: string, strange: Strange): void => told(wire, strange, scene),
    failed: (why: string): void => scene.io.err(`${nameOf(wire)}: ${why}; it is silent from here on\n`),
  };
  // Where nothing was asked, there is no order of questions.
  if (!found || !wanted.strict || found.questions === 0) return new LoosePort({ ...options, first: found?.first });
  return new StrictPort(options);
}

function told(wire: Wire, { asked, expected }: Strange, scene: Scene): void {
  const name = nameOf(wire);
  const why = expected === undefined ? 'was never asked in the recording' : `was asked, and the recording has ${expected}`;
  say(scene, { name, asked, ...(expected === undefined ? {} : { expected }) }, `${name}: ${asked} ${why}: no answer`);
}

/** What was asked in all. */
function account(ports: readonly RecordedPort[], wires: readonly Wire[], scene: Scene): void {
  for (const { account: one } of ports) {
    const { wire, answered, silent, strange, more } = one;
    const of = wires.find(({ key }) => key === wire);
    const name = of ? nameOf(of) : wire;
    if (answered + silent + strange.length === 0) continue;
    const unknown = strange.reduce((n, { count }) => n + count, more);
    const lines = strange.map(
      ({ asked, expected, count }) => `  ${count} x ${asked}${expected === undefined ? '' : ` instead of ${expected}`}`,
    );
    if (scene.json) scene.io.out(`${JSON.stringify({ name, answered, silent, strange })}\n`);
    else
      scene.io.out(
        [`${name}: ${answered} answered, ${silent} silent as then, ${unknown} without an answer in the recording`, ...lines].join('\n') +
          '\n',
      );
  }
}

function isThere({ key, users }: Wire, index: RecordingIndex, parts: ReadonlySet<string>): boolean {
  if (users[0].protocol.readout !== undefined) return parts.has(`${seriesOf(key)}-stream`);
  const { questions = 0, unasked = 0 } = index.wires.get(key) ?? {};
  return questions + unasked > 0;
}

function wayOf({ key, users, address }: Wire, index: RecordingIndex): Way {
  const { protocol } = users[0];
  if (addressOf(address).kind === 'folder') return 'files';
  if (protocol.framing !== 'packets' || protocol.readout !== undefined) return 'stream';
  const found = index.wires.get(key);
  return found && found.questions === 0 && found.named ? 'files' : 'packets';
}

function chosen(rig: Rig, all: readonly Wire[], names: readonly string[] | undefined): readonly Wire[] {
  if (names === undefined || names.length === 0) return all;
  const called = (wire: Wire): readonly string[] => [
    wire.key,
    wire.address,
    ...Object.entries(rig.links).flatMap(([name, link]) => (link.wire === wire.key ? [name] : [])),
    ...wire.users.map(({ instrument }) => instrument.name),
  ];
  for (const name of names)
    if (!all.some((wire) => called(wire).includes(name)))
      throw new Usage(
        `the session's rig has no link or instrument "${name}"; it has ${[...new Set(all.flatMap((wire) => called(wire).slice(2)))].join(', ')}`,
      );
  return all.filter((wire) => called(wire).some((name) => names.includes(name)));
}

const PATIENCE = 3; // seconds in which nobody wonders
const OURS = /^# .* in the place of its instruments \(bridgman (simulate|replay) /;

/** A rig of somebody's is not overwritten. */
async function checkFile(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined && !OURS.test(text)) throw new Usage(`--write ${file} would overwrite what is there; give another name`);
}
