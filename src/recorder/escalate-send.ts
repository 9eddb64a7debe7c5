/** One attempt to tell somebody of an alarm. Whatever happens comes out as words. */
import { type ChildProcess, spawn } from 'node:child_process';
import { PLACES } from '../alarm-state.ts';
import type { Clock } from '../clock.ts';
import type { AlarmState } from '../entry.ts';
import type { RigEscalation } from '../rig.ts';
import { failure } from './influx-http.ts';

export interface Outcome {
  readonly ok: boolean;
  readonly text: string;
}

const COMMAND_WITHIN = 30; // s
const WEBHOOK_WITHIN = 10; // s
const LAST_WORDS = 0.5; // s for the output of a command that has ended: what it has started may keep the pipe open
const MOST_WORDS = 300; // characters

/** Where it comes from. */
export interface Sender {
  readonly rig: string;
  readonly simulated: boolean;
}

/** `end` is called once, also after the function that it gives has cut the attempt. */
export function deliver(
  rule: RigEscalation,
  state: AlarmState,
  from: Sender,
  clock: Pick<Clock, 'after'>,
  end: (outcome: Outcome) => void,
): () => void {
  const said = from.simulated ? { ...state, text: `SIMULATED: ${state.text}` } : state;
  if (rule.command) return run(rule.command, said, from.rig, clock, end);
  if (rule.webhook !== undefined) return post(rule.webhook, said, from, clock, end);
  throw new Error('an escalation without command and webhook; the check of the rig lets none pass');
}

const filled = (text: string, state: AlarmState, rig: string): string =>
  text
    .replace(/\{(\w+)\}/g, (whole, place: string) => {
      const values: Record<(typeof PLACES)[number], string> = { ...state, rig, guidance: state.guidance ?? '' };
      return PLACES.some((p) => p === place) ? values[place as (typeof PLACES)[number]] : whole; // one of them
    })
    .replaceAll('\0', ' '); // no argument can hold it

/** Without a shell: what an alarm says is never run. */
function run(
  command: readonly string[],
  state: AlarmState,
  rig: string,
  clock: Pick<Clock, 'after'>,
  end: (outcome: Outcome) => void,
): () => void {
  const [program = '', ...args] = command;
  let ended = false;
  let said = '';
  const cancels: (() => void)[] = [];
  const settle = (ok: boolean, text: string): void => {
    if (ended) return;
    ended = true;
    for (const cancel of cancels) cancel();
    end({ ok, text });
  };
  // A group of its own: what a script has started ends with it.
  let child: ChildProcess;
  try {
    const given = args.map((arg) => filled(arg, state, rig));
    child = spawn(program, given, { stdio: ['ignore', 'ignore', 'pipe'], detached: true, shell: false });
  } catch (error) {
    queueMicrotask(() => settle(false, `${program} could not be started (${error instanceof Error ? error.message : error})`));
    return () => settle(false, `${program} was not started`);
  }
  const kill = (): void => {
    child.stderr?.destroy();
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  };
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (part: string) => {
    if (said.length < MOST_WORDS) said += part;
  });
  child.stderr?.on('error', () => {});
  child.on('error', (error) => settle(false, `${program} could not be started (${error.message})`));
  cancels.push(
    clock.after(COMMAND_WITHIN, () => {
      kill();
      settle(false, `${program} did not end within ${COMMAND_WITHIN} s and was ended`);
    }),
  );
  const words = (): string => {
    const line =
      said
        .trim()
        .split('\n')[0]
        ?.replace(/\p{Cc}+/gu, ' ')
        .slice(0, MOST_WORDS) ?? '';
    return line === '' ? '' : `: ${line}`;
  };
  const over = (code: number | null, signal: string | null): void => {
    if (code === 0) settle(true, `told by ${program}`);
    else settle(false, `${program} ended with ${code === null ? String(signal) : `code ${code}`}${words()}`);
  };
  child.on('close', over);
  child.on('exit', (code, signal) => {
    cancels.push(
      clock.after(LAST_WORDS, () => {
        child.stderr?.destroy();
        over(code, signal);
      }),
    );
  });
  return () => {
    kill();
    settle(false, `${program} was ended`);
  };
}

function post(
  address: string,
  state: AlarmState,
  { rig, simulated }: Sender,
  clock: Pick<Clock, 'after'>,
  end: (outcome: Outcome) => void,
): () => void {
  const url = new URL(address);
  // A path or a query may be the password of a webhook.
  const shown = `the webhook at ${url.host}`;
  const login: Readonly<Record<string, string>> =
    url.username === ''
      ? {}
      : { Authorization: `Basic ${Buffer.from(decodeURIComponent(`${url.username}:${url.password}`)).toString('base64')}` };
  url.username = '';
  url.password = '';
  const abort = new AbortController();
  let ended = false;
  const settle = (ok: boolean, text: string): void => {
    if (ended) return;
    ended = true;
    cancel();
    end({ ok, text });
  };
  const cancel = clock.after(WEBHOOK_WITHIN, () => {
    settle(false, `${shown}: no answer within ${WEBHOOK_WITHIN} s`);
    abort.abort();
  });
  const { name, severity, text, guidance, since, now } = state;
  const body = {
    rig,
    name,
    severity,
    text,
    ...(guidance === undefined ? {} : { guidance }),
    since: new Date(since / 1000).toISOString(),
    active: now !== undefined,
    simulated,
  };
  fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...login },
    body: JSON.stringify(body),
    redirect: 'manual', // would become a GET without the words
    signal: abort.signal,
  }).then(
    (answer) => {
      settle(
        answer.status >= 200 && answer.status < 300,
        answer.ok ? `told to ${shown}` : `${shown} answered ${answer.status} ${answer.statusText}`.trim(),
      );
      answer.body?.cancel().catch(() => {});
    },
    (error: unknown) => settle(false, `${shown}: ${reason(error)}`),
  );
  return () => {
    settle(false, `${shown}: cut`);
    abort.abort();
  };
}

/** fetch says "fetch failed" and hides why. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? failure(cause).why : String(cause);
}
