/** A replay on the terminal, as fast as it was or faster, marked as one. */
import type { WriteStream } from 'node:tty';
import type { Clock } from '../clock.ts';
import { type Reading, total } from '../reading.ts';
import { type View, view } from '../recorder/view.ts';
import type { Rig } from '../rig.ts';
import { show, UNITS, type Unit } from '../units.ts';

export interface Shown {
  /** Resolves when it is time for what comes after this reading. */
  see(reading: Reading): Promise<void> | undefined;
  close(): void;
}

type Out = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean };

const STEP = 0.02; // seconds: what comes within is shown at once
const isUnit = (kind: string): kind is Unit => (UNITS as readonly string[]).includes(kind);

/** `speed`: seconds of the session in one second of `clock`. */
export function onScreen(rig: Rig, folder: string, speed: number, out: Out, clock: Clock): Shown {
  let screen: View | undefined;
  let began: { readonly t: number; readonly mono: number } | undefined;
  let now = 0;
  const summary = () => ({
    began: began?.t ?? now,
    points: { written: 0, spooled: 0, set_aside: 0 },
    bytes: { recorded: 0, wire: {} },
  });
  const line = (r: Reading): void => {
    const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
    const value =
      r.quality === 'bad'
        ? `bad: ${r.why}`
        : typeof r.value === 'number' && isUnit(r.kind)
          ? show(r.value, r.kind, r.sigma ? total(r.sigma) : undefined)
          : r.kind === 'trace'
            ? 'a trace'
            : String(r.value);
    out.write(`REPLAY ${new Date(r.t / 1000).toISOString()} ${name} ${value}${r.origin === 'simulator' ? ' (simulated)' : ''}\n`);
  };
  return {
    see(r) {
      began ??= { t: r.t, mono: clock.mono() };
      now = Math.max(now, r.t);
      if (out.isTTY) {
        screen ??= view(out as WriteStream, rig, {
          // a terminal, by the line above
          simulated: r.origin === 'simulator',
          replay: `${speed} x`,
          folder,
          key: false,
          clock: { now: () => now, mono: () => clock.mono() },
        });
        screen.see({ kind: 'reading', reading: r });
        screen.draw(summary, undefined);
      } else line(r);
      const early = (now - began.t) / 1e6 / speed - (clock.mono() - began.mono);
      return early < STEP ? undefined : new Promise((done) => clock.after(early, done));
    },
    close() {
      screen?.close();
    },
  };
}
