/** `bridgman replay`: a session through today's drivers and derivations, compared with what was recorded. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Catalogue, catalogue } from '../catalogue.ts';
import { realClock } from '../clock.ts';
import { nodesOf } from '../methods.ts';
import { influxTarget } from '../recorder/influx-http.ts';
import { parsePartName } from '../recorder/part-name.ts';
import { SessionError } from '../recorder/session-error.ts';
import { replay } from '../replay/replay.ts';
import { rigIn } from '../replay/session-rig.ts';
import { highestRevision, pointWriter, rebuild, type Sent } from '../replay/to-influx.ts';
import type { Rig } from '../rig.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { failure, type Outcome, ready } from './replay-ready.ts';
import { AGAINST, type Rehearsing, rehearsed, rehearsing } from './replay-rehearsed.ts';
import { AS, served, serves } from './replay-served.ts';
import { onScreen } from './replay-show.ts';
import { replayWords, sentWords } from './replay-words.ts';

const HELP = `Examples:
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z --rig rigs/demo      with the rig as it is now
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z --calibration 3f9a0c1d22e4b567
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z --influx http://localhost:8086/lab --rebuild
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z --against simulators
  bridgman replay rigs/demo/sessions/2026-11-22T12-56-50Z --as instruments --write /tmp/last-night.yaml
  bridgman replay --all rigs/demo/sessions                                     a regression test of every session

bridgman replay SESSION [--rig RIG] [--calibration ID] [--speed 1|10|max] [--influx URL [--rebuild]] [--json]
bridgman replay SESSION --against simulators [--rig RIG] [--tolerance PART] [--seed N] [--json]
bridgman replay SESSION --as instruments [--rig RIG] [--strict] [--speed 1|10] [--repeat] [--link NAME,...] [--write FILE] [--json]
bridgman replay --all FOLDER [the options of the first two]

Takes what was recorded of the wires through today's drivers and derivations, without asking any instrument, and compares every reading
with the recorded one, to the last bit. Says "identical" or "differs", and then each channel that has changed: how many readings, when, by
how much. What cannot be made again, and what is lost in a damaged session, is named.

With --against simulators the recorded questions and orders go to the simulators of the rig, at their times, and their answers are compared
with the recorded ones: says "as the instruments" or "differs", and names what a simulator does not know, answers in another form, or with
another physics. With --as instruments the recording itself is served until Ctrl-C, to anybody's software.

Options:
  --rig RIG          through this rig instead of the one in the session
  --calibration ID   with this calibration instead of all others of its kind and channel
  --influx URL       write what is derived anew as revision n + 1
  --rebuild          with --influx: write the points as they were measured (revision 0), from the session alone
  --all FOLDER       every session in the folder
  --speed 1|10|max   as fast as it was, ten times as fast (both on the screen), or as fast as it goes (max, unless given)
  --json             the same as JSON: times in microseconds since 1970, values in SI
 against simulators:
  --tolerance PART   by which part of the larger one two values may differ beside their noise (0.05, or "5 %")
  --seed N           of the simulated world (1)
 as instruments:
  --strict           questions must come in the recorded order; otherwise each gets the reply that it had at that time
  --repeat           begins anew at its end
  --link NAME,...    only these links or instruments
  --pty DIRECTORY    where pseudo-terminals of serial links are made (a temporary one)
  --folder DIRECTORY where files of folder links are written (a temporary one)
  --as-written       the rig's own TCP and UDP ports, on this machine
  --one-client       a TCP port takes one client at a time
  --write FILE       a copy of the rig whose links lead to the served recording

Exit codes: 0 identical, as the instruments, ended with Ctrl-C, or everything is in InfluxDB again; 1 it differs, or a session cannot be
read or served; 2 wrong arguments; 4 the rig is wrong.
`;

interface Wanted {
  readonly rig?: string;
  readonly calibration?: string;
  readonly influx?: string;
  readonly rebuild: boolean;
  readonly json: boolean;
  /** How many times as fast as it was; as fast as it goes unless given. */
  readonly speed?: number;
  readonly against?: Rehearsing;
}

const SPEEDS = ['1', '10', 'max'];

export const replayCommand: Command = {
  name: 'replay',
  summary: "takes a session through today's drivers, and says what comes out otherwise",
  help: HELP,
  run: (args, io) =>
    guarded('replay', io, async () => {
      const parsed = parse(args, {
        json: 'boolean',
        rebuild: 'boolean',
        rig: 'string',
        calibration: 'string',
        influx: 'string',
        speed: 'string',
        all: 'string',
        ...AGAINST,
        ...AS,
      });
      const { options, flags, rest } = parsed;
      const { rig, calibration, influx, speed = 'max', all } = options;
      const against = rehearsing(parsed);
      if (serves(parsed)) return served(parsed, io);
      const wanted: Wanted = {
        ...(rig === undefined ? {} : { rig }),
        ...(calibration === undefined ? {} : { calibration }),
        ...(influx === undefined ? {} : { influx }),
        rebuild: flags.has('rebuild'),
        json: flags.has('json'),
        ...(speed === 'max' ? {} : { speed: Number(speed) }),
        ...(against === undefined ? {} : { against }),
      };
      if (!SPEEDS.includes(speed)) throw new Usage(`--speed is one of ${SPEEDS.join(', ')}, not "${speed}"`);
      if (speed !== 'max' && (wanted.rebuild || wanted.json || all !== undefined))
        throw new Usage(`--speed ${speed} shows one session: leave out --rebuild, --json and --all`);
      if (wanted.rebuild && influx === undefined) throw new Usage('--rebuild needs --influx URL: where the points are to be');
      if (wanted.rebuild && (rig !== undefined || calibration !== undefined))
        throw new Usage('--rebuild writes what was measured: leave out --rig and --calibration, or leave out --rebuild');
      if (influx !== undefined) {
        const target = influxTarget(influx);
        if (typeof target === 'string') throw new Usage(target);
      }
      const [path, ...others] = rest;
      if (all !== undefined && path !== undefined) throw new Usage(`either --all ${all} or one session, not also ${path}`);
      if (all !== undefined) return everyOne(all, wanted, io);
      if (path === undefined) throw new Usage('a session is wanted: bridgman replay SESSION');
      if (others.length > 0) throw new Usage(`one session at a time, not also ${others.join(' ')}; or --all FOLDER`);
      const { code, words, data } = await one(path, wanted, await catalogue());
      if (wanted.json) io.out(`${JSON.stringify(data, null, 2)}\n`);
      else if ('failed' in data) io.err(words);
      else io.out(words);
      return code;
    }),
};

const isSession = async (folder: string): Promise<boolean> => (await readdir(folder)).some((name) => parsePartName(name) !== undefined);

async function everyOne(folder: string, wanted: Wanted, io: Io): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  const names = (entries ?? []).filter((e) => !e.isFile()).map((e) => e.name);
  const are = await Promise.all(names.map((name) => isSession(join(folder, name)).catch(() => false)));
  const sessions = names.filter((_, i) => are[i]).sort();
  if (sessions.length === 0) {
    io.err(`bridgman replay: ${entries ? `${folder} holds no session` : `there is no folder ${folder}`}\n`);
    return EXIT.failed;
  }
  const known = await catalogue();
  const outcomes: Outcome[] = [];
  for (const name of sessions) {
    const outcome = await one(join(folder, name), wanted, known);
    outcomes.push(outcome);
    if (!wanted.json)
      io.out(outcome.code === EXIT.ok ? `${name}: ${String(outcome.data.verdict ?? 'done')}\n` : `${name}: ${outcome.words}`);
  }
  const bad = outcomes.filter(({ code }) => code !== EXIT.ok);
  const verdict = bad.length > 0 ? 'differs' : wanted.against === undefined ? 'identical' : 'as the instruments';
  if (wanted.json) io.out(`${JSON.stringify({ verdict, sessions: outcomes.map(({ data }) => data) }, null, 2)}\n`);
  else io.out(`\nsessions: ${sessions.length}; not as they were: ${bad.length}\n${verdict}\n`);
  return bad.length === 0 ? EXIT.ok : EXIT.failed;
}

async function one(path: string, wanted: Wanted, known: Catalogue): Promise<Outcome> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return failure(path, `there is no folder ${path}; a session is a folder, such as rigs/demo/sessions/2026-11-22T12-56-50Z`);
  if (!found.isDirectory())
    return failure(path, `${path} is a file; a session is the folder that it lies in: bridgman replay ${resolve(path, '..')}`);
  try {
    if (!(await isSession(path)))
      return failure(path, `${path} is no session: it has no parts such as slow-0001.mcap; all in a folder: --all ${path}`);
    return await replayed(path, wanted, known);
  } catch (error) {
    if (!(error instanceof SessionError || (error instanceof Error && 'code' in error))) throw error;
    return failure(path, error.message);
  }
}

async function replayed(session: string, wanted: Wanted, known: Catalogue): Promise<Outcome> {
  const shown = wanted.influx === undefined ? '' : shownTarget(wanted.influx);
  if (wanted.rebuild && wanted.influx !== undefined) {
    const name = (await rigIn(session))?.said.name;
    if (name === undefined) return failure(session, `${session}: its beginning is missing, and with it the name of the rig`);
    const sent = await rebuild(session, wanted.influx, name);
    return { code: codeOf(sent), words: `${session}: rig ${name}\n${sentWords(sent, shown)}`, data: { session, rig: name, influx: sent } };
  }
  const set = await ready(session, wanted, known, wanted.against === undefined ? 'through' : 'against the simulators of');
  if ('code' in set) return set;
  const { rig, learns, head } = set;
  if (wanted.against !== undefined) return rehearsed(session, { rig, known: set.known, head }, wanted.against);
  const options = { folder: session, rig, nodes: nodesOf(rig), catalogue: set.known, learns };
  const began = performance.now();
  const shownAt = wanted.speed === undefined ? undefined : onScreen(rig, session, wanted.speed, process.stdout, realClock());
  const result = await replay(shownAt ? { ...options, see: shownAt.see } : options).finally(() => shownAt?.close());
  const seconds = (performance.now() - began) / 1000;
  if (result.readings.recorded === 0) return failure(session, `${session} has no readings that can be read`);
  const sent = wanted.influx !== undefined && result.verdict === 'differs' ? await anew(options, rig, wanted.influx) : undefined;
  if (typeof sent === 'string') return failure(session, sent);
  const failed = sent && codeOf(sent) !== EXIT.ok;
  return {
    code: result.verdict === 'identical' && !failed ? EXIT.ok : EXIT.failed,
    words: replayWords(head, result, seconds) + (sent ? sentWords(sent, shown) : ''),
    data: { session, rig: rig.name, ...result, seconds, ...(sent ? { influx: sent } : {}) },
  };
}

/** What is derived, and what reads otherwise, as the revision after the last. */
async function anew(options: Parameters<typeof replay>[0], rig: Rig, url: string): Promise<Sent | string> {
  const last = await highestRevision(url, rig.name);
  if (typeof last === 'string') return last;
  const writer = pointWriter(url, rig.name, Math.max(0, last) + 1);
  await replay({ ...options, see: (reading, fresh) => (fresh ? writer.write(reading) : undefined) });
  return writer.end();
}

const codeOf = ({ failed, rejected }: Sent): number => (failed === undefined && rejected.length === 0 ? EXIT.ok : EXIT.failed);

/** Without its password. */
function shownTarget(url: string): string {
  const target = influxTarget(url);
  return typeof target === 'string' ? url : target.shown;
}
