/** `bridgman analyse`: detector files through the same code as the live stream. */
import { compared, comparisonText } from './analyse-compare.ts';
import { CONDITIONS_HELP, conditionsAsked } from './analyse-conditions.ts';
import { CUT_OPTIONS, CUTS_HELP, DIRECTION_OPTIONS } from './analyse-cuts.ts';
import { analyseEvents, warned } from './analyse-events.ts';
import { cannot, type DetectorFile, type DetectorFormat, detectorFile } from './analyse-file.ts';
import { GAINS_HELP } from './analyse-gains.ts';
import { JOIN_HELP, JOIN_OPTIONS } from './analyse-join.ts';
import { ANALYSE_OPTIONS, type AnalyseOptions, analyseOptions } from './analyse-options.ts';
import { PHYSICS_HELP, PHYSICS_OPTIONS } from './analyse-physics.ts';
import { asText } from './analyse-result.ts';
import { analyseHits } from './analyse-run.ts';
import { isSession, openSession } from './analyse-session.ts';
import { analyseSession, type SessionResult } from './analyse-session-run.ts';
import { sureOf } from './analyse-warnings.ts';
import { type Command, EXIT, guarded, type Io, type Parsed, parse, Usage } from './command.ts';
import { only } from './fit-read.ts';

const HELP = `Examples:
  bridgman analyse run1_events.ade
  bridgman analyse wave0.dat wave1.dat --coincidence 0,1 --within 100ns
  bridgman analyse run1_events.ade --split 0.25 --charge 500:20000 --json
  bridgman analyse EVENTS.csv --duration 20s
  bridgman analyse before/ after/ --compare
  bridgman analyse rigs/detector/sessions/2026-03-04T10-00-00Z --coincidence 0,1 --scale 1e-5

bridgman analyse FILE...|SESSION... [--json]

Reads files of CAEN WaveDump (binary, with headers) and ABCD (list mode, .ade) and says what is in them: events, charges and pulse
shapes per channel, coincidences between channels, what was cut off or is suspicious. The kind is known by content, not by name. Several
files of one kind are one run: their hits are merged by time. Files may be larger than the memory.

Reads event lists in CSV too, each by itself. Of t_ns,E_MeVee,psd it finds the prompt-delayed pairs; of the places of pairs,
px_cm,py_cm,pz_cm,dx_cm,dy_cm,dz_cm with dt_us, the direction with its cone, or says that there is none.

Of a recorded session it reads the streams of digitizers and EASIROC boards: the hits as they were found then, or the bytes once more.
Where there is an energy for a charge, it looks for pairs as the readout process does, with the cuts below. Each session is by itself.

Options:
  --json              the same as JSON: times in seconds, charges in the counts of the board
  --compare           several sessions side by side: rates, charges, light yield, capture time, direction, conditions, and how far each is from the first
  --separate          each file by itself, not all of them as one run
  --window T          how far events may stand out of order in time (otherwise 1 s): they are sorted within it
  --coincidence A,B   counts combinations of one hit of each channel; several sets: 0,1/0,2; with several boards BOARD.CHANNEL
  --within T          ... that lie within this time (otherwise 100 ns, closed)
  --split R           parts the pulse shapes tail/charge into two populations, and gives their figure of merit
  --charge LO:HI      charges that count for the pulse shape
  --tick T            of the time stamps: otherwise 8 ns for WaveDump, 2 ns / 1024 for ABCD (of a 500 MHz board; the file does not say)
  --format F          wavedump or abcd, where the content does not show it

Options for waveforms:
  --config FILE       WaveDumpConfig.txt, otherwise the one beside the first file: polarity, and a record length to compare with the headers
  --polarity P        positive or negative, of the pulses (otherwise by the configuration, or negative)
  --bits N            of the converter: samples at its end are saturated (otherwise not looked at)
  --baseline N        samples at the beginning that the baseline is made of (otherwise 20)
  --gate A,B          samples before and after the peak that make the charge (otherwise 4,80)
  --tail N            samples after the peak at which the tail begins (otherwise 8)
  --threshold N       ADC counts: a record that is nowhere above is empty (otherwise 10)
  --sample T          time between two samples: then hits have the time of their pulse, otherwise that of the trigger
  --time-bits N       of the trigger's time (otherwise 31; 32 where the extended time tag is on)
  --sample-bytes N    1 for the 8-bit boards 721 and 731 (otherwise 2)

${CUTS_HELP}
${PHYSICS_HELP}${JOIN_HELP}${CONDITIONS_HELP}${GAINS_HELP}
Exit codes: 0 there are events, whatever is cut off or damaged; 1 a file cannot be read or holds none; 2 wrong arguments.
`;

export const analyse: Command = {
  name: 'analyse',
  summary: 'reads detector files and sessions: counts, charges, pulse shapes, coincidences',
  help: HELP,
  run: (args, io) =>
    guarded('analyse', io, async () => {
      const parsed = parse(args, {
        ...ANALYSE_OPTIONS,
        ...CUT_OPTIONS,
        ...DIRECTION_OPTIONS,
        ...PHYSICS_OPTIONS,
        ...JOIN_OPTIONS,
        from: 'string',
        conditions: 'string',
        compare: 'boolean',
        gains: 'boolean',
      });
      if (parsed.rest.length === 0) throw new Usage('a file is wanted: bridgman analyse FILE...');
      const options = analyseOptions(parsed);
      const which = await Promise.all(parsed.rest.map(isSession));
      if (which.every((is) => is)) return sessions([...new Set(parsed.rest)], options, parsed, io);
      if (which.some((is) => is)) throw new Usage('sessions and files are not analysed together');
      const files: DetectorFile[] = [];
      const failures: string[] = [];
      for (const path of new Set(parsed.rest)) {
        const file = await detectorFile(path, options.format);
        if (typeof file === 'string') failures.push(file);
        else files.push(file);
      }
      for (const why of failures) io.err(`bridgman analyse: ${why}\n`);
      if (failures.length > 0) return EXIT.failed;
      const kinds = new Set(files.map((f) => f.format));
      if (kinds.size > 1) throw new Usage(`one kind of file at a time: ${files.map((f) => `${f.path} is ${f.format}`).join(', ')}`);
      const format = files[0]?.format;
      if (!format) throw new Error('there is a file'); // one was wanted, and none has failed
      only(parsed, NAMES[format], TAKES[format]);
      if (format === 'abcd' || format === 'wavedump') return all(files, options, parsed.flags.has('json'), io);
      return lists(files, parsed, io);
    }),
};

const ALWAYS = ['json', 'help'];
const HITS = [...ALWAYS, 'separate', 'format', 'window', 'coincidence', 'within', 'split', 'charge', 'tick'];
/** The options that each kind of file takes. */
const TAKES: Readonly<Record<DetectorFormat, readonly string[]>> = {
  abcd: HITS,
  wavedump: [...HITS, ...['config', 'polarity', 'bits', 'baseline', 'gate', 'tail', 'threshold', 'sample', 'time-bits', 'sample-bytes']],
  'coincidence-csv': [...ALWAYS, 'separate', 'window', ...Object.keys(CUT_OPTIONS)],
  'direction-csv': [...ALWAYS, 'separate', ...Object.keys(DIRECTION_OPTIONS)],
};
const NAMES: Readonly<Record<DetectorFormat, string>> = {
  abcd: 'ABCD files',
  wavedump: 'WaveDump files',
  'coincidence-csv': 'event lists t_ns,E_MeVee,psd',
  'direction-csv': 'event lists px_cm,...,dz_cm',
};

const SESSION = [
  ...['json', 'help', 'separate', 'window', 'coincidence', 'within', 'split', 'charge', 'from', 'conditions', 'compare', 'gains'],
  ...Object.keys(JOIN_OPTIONS),
  ...Object.keys(PHYSICS_OPTIONS).filter((name) => name !== 'duration'),
];

/** Recorded sessions, each by itself; with --separate each of their streams. */
async function sessions(paths: readonly string[], options: AnalyseOptions, parsed: Parsed, io: Io): Promise<number> {
  only(parsed, 'recorded sessions', SESSION);
  const conditions = conditionsAsked(parsed.options.conditions);
  const compare = parsed.flags.has('compare');
  if (compare && (paths.length < 2 || options.separate))
    throw new Usage('--compare holds two or more sessions against the first, each as a whole');
  const runs: { readonly name: string; readonly measures: SessionResult['measures']; readonly warnings: readonly string[] }[] = [];
  const results: object[] = [];
  let failed = false;
  for (const path of paths) {
    const session = await openSession(path, conditions);
    const parts = typeof session === 'string' ? [] : options.separate ? session.streams.map((one) => [one]) : [session.streams];
    if (typeof session === 'string') {
      io.err(`bridgman analyse: ${session}\n`);
      failed = true;
      continue;
    }
    for (const streams of parts) {
      const result = await analyseSession(session, streams, options, parsed);
      if (typeof result === 'string') {
        io.err(`bridgman analyse: ${result}\n`);
        failed = true;
        continue;
      }
      const several = paths.length > 1 || parts.length > 1;
      runs.push({ name: path, measures: result.measures, warnings: result.json.warnings });
      if (!parsed.flags.has('json') && !compare)
        io.out(
          `${results.length > 0 ? '\n' : ''}${several ? `${path} ${streams.map((one) => one.link).join(', ')}\n` : ''}${asText(result.json, result.channels, false, result.text)}`,
        );
      results.push(result.json);
    }
  }
  const several = paths.length > 1 || options.separate;
  if (compare && runs.length > 1) {
    const all = compared(runs.map((run) => run.measures));
    const names = runs.map((run) => run.name);
    const said = runs.flatMap((run, i) => run.warnings.map((text) => `${i + 1}: ${text}`));
    io.out(
      parsed.flags.has('json')
        ? `${JSON.stringify({ runs: names, comparison: all, sessions: results }, null, 2)}\n`
        : `${comparisonText(names, all)}${warned(said)}`,
    );
    return failed ? EXIT.failed : EXIT.ok;
  }
  if (parsed.flags.has('json') && results.length > 0) io.out(`${JSON.stringify(several ? results : results[0], null, 2)}\n`);
  return failed ? EXIT.failed : EXIT.ok;
}

/** Event lists, each by itself. */
async function lists(files: readonly DetectorFile[], parsed: Parsed, io: Io): Promise<number> {
  const results: object[] = [];
  let failed = false;
  for (const file of files) {
    const result = await analyseEvents(file, parsed).catch((error: unknown) => {
      if (error instanceof Error && 'syscall' in error) return cannot(file.path, error);
      throw error;
    });
    if (typeof result === 'string') {
      io.err(`bridgman analyse: ${result}\n`);
      failed = true;
    } else if (parsed.flags.has('json')) results.push(result.json);
    else io.out(`${files.length > 1 ? `${file.path}\n` : ''}${result.text}`);
  }
  if (results.length > 0) io.out(`${JSON.stringify(files.length > 1 ? results : results[0], null, 2)}\n`);
  return failed ? EXIT.failed : EXIT.ok;
}

async function all(files: readonly DetectorFile[], options: AnalyseOptions, json: boolean, io: Io): Promise<number> {
  const runs = options.separate ? files.map((file) => [file]) : [files];
  const results: object[] = [];
  let failed = false;
  for (const run of runs) {
    const first = run[0];
    if (!first) continue;
    const result = await analyseHits(run, options).catch((error: unknown) => {
      // A file that went away or cannot be read on is said; what is wrong with us goes on.
      if (error instanceof Error && 'syscall' in error) return cannot(first.path, error);
      throw error;
    });
    if (typeof result === 'string') {
      io.err(`bridgman analyse: ${result}\n`);
      failed = true;
      continue;
    }
    const sure = sureOf(first.format, options);
    const whole = sure === undefined ? result.json : { ...result.json, warnings: [...result.json.warnings, sure] };
    if (json) results.push(whole);
    else
      io.out(`${results.length > 0 ? '\n' : ''}${runs.length > 1 ? `${first.path}\n` : ''}${asText(whole, result.channels, result.gates)}`);
    if (!json) results.push({});
  }
  if (json && results.length > 0) io.out(`${JSON.stringify(options.separate && files.length > 1 ? results : results[0], null, 2)}\n`);
  return failed ? EXIT.failed : EXIT.ok;
}
