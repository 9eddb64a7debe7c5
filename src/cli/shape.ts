/** What an instrument has, as rows for people and as data for programs. */
import type { Command as Order } from '../instrument.ts';
import { range } from '../rig-check.ts';
import type { Shape } from '../rig-shape.ts';
import { show } from '../units.ts';

export const kindShown = (kind: string): string => (kind === '1' ? 'number' : kind);

/** "30 min" where whole hours or minutes fit, else as any time. */
export function lasting(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds >= 60 && seconds % 60 === 0) return `${seconds / 60} min`;
  return show(seconds, 's');
}

/** Name, kind, and how often it comes. */
export function channelRows(shape: Shape, every: Readonly<Record<string, number>> = {}): string[][] {
  return Object.entries(shape.channels).map(([name, kind]) => {
    const poll = shape.polls.find((p) => p.channels.includes(name));
    const wanted = poll?.channels.flatMap((c) => every[c] ?? []) ?? [];
    const interval = wanted.length > 0 ? Math.min(...wanted) : poll?.every;
    return [name, kindShown(kind), interval === undefined ? 'comes by itself' : `every ${lasting(interval)}`];
  });
}

/** Name, what it takes with its limits, hazardous or not, and what it does. */
export function commandRows(shape: Shape, limits: Readonly<Record<string, readonly [number, number]>> = {}): string[][] {
  return Object.entries(shape.commands).map(([name, command]) => {
    const narrow = limits[name];
    const order = narrow ? { ...command, limits: narrow } : command;
    const indexed = command.count === undefined ? name : `${name}[0..${command.count - 1}]`;
    return [indexed, takes(order), command.safe === undefined ? '' : 'hazardous', command.about ?? ''];
  });
}

function takes(command: Order): string {
  if (command.takes === 'nothing') return '';
  if (command.takes === 'flag') return 'on | off';
  if (command.takes === 'state') return command.words?.join(' | ') ?? 'a word';
  const limits = range(command);
  return limits === '' ? kindShown(command.takes) : limits;
}

/** The same as plain data. */
export function shapeData(shape: Shape): Readonly<Record<string, unknown>> {
  return {
    state: shape.state,
    channels: Object.fromEntries(
      Object.entries(shape.channels).map(([name, kind]) => [
        name,
        { kind, every: shape.polls.find((p) => p.channels.includes(name))?.every ?? null },
      ]),
    ),
    commands: Object.fromEntries(
      Object.entries(shape.commands).map(([name, { takes: kind, limits, words, count, safe, about }]) => [
        name,
        { takes: kind, limits, words, count, hazardous: safe !== undefined, safe, about },
      ]),
    ),
    tunnel: shape.tunnel,
  };
}
