/** The ramps of a rig's instruments: "ramps: { setpoint: { rate: 5 K/min, band: 5 K, every: 1 s } }". */
import type { Command } from './instrument.ts';
import type { RigInstrument, RigRamp } from './rig.ts';
import { given, isUnit, noCommand } from './rig-check.ts';
import { described, inUnit, seconds, table } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { quantity, show, type Unit } from './units.ts';

const RAMP = '{ rate: 5 K/min, band: 5 K, every: 1 s }';
const TIMES: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const RATE = /^(.*\S)\s*\/\s*(s|min|h)\s*$/s;

/**
 * Command -> its ramp, in SI. What is wrong is said at its place. Where the instrument could not be identified (the shape is not running)
 * all is read and nothing is left out: units, readback and intervals are then not checked.
 */
export function readRamps(sheet: Sheet, placed: RigInstrument, shape: Shape | undefined): Readonly<Record<string, RigRamp>> {
  const path = ['instruments', placed.name, 'ramps'];
  if (sheet.at(path) === undefined || !table(sheet, path, `"ramps: { setpoint: ${RAMP} }"`)) return {};
  const out: Record<string, RigRamp> = {};
  const running = shape?.state.is === 'running' && shape.fault === undefined ? shape : undefined;
  for (const name of given(sheet, path)) {
    const at = [...path, name];
    const command = running && (Object.hasOwn(running.commands, name) ? running.commands[name] : undefined);
    if (running && !(command && canRamp(sheet, at, placed, running, name, command))) {
      if (!command) sheet.say(at, noCommand(placed, running, name), 'key');
      continue;
    }
    const unit = command && isUnit(command.takes) ? command.takes : undefined;
    const ramp = readRamp(sheet, at, unit);
    if (ramp && (!running || !command || fits(sheet, at, placed, running, command, ramp))) out[name] = ramp;
  }
  return out;
}

/** Whether such a command can be ramped at all. */
function canRamp(sheet: Sheet, at: Path, placed: RigInstrument, shape: Shape, name: string, command: Command): boolean {
  const why = ((): string | undefined => {
    if (!isUnit(command.takes))
      return `"${name}" takes ${command.takes === 'nothing' ? 'nothing' : `a ${command.takes}`}: only numbers are ramped`;
    const { readback } = command;
    if (!readback) return `"${name}" has no readback: where its output is cannot be told, and it cannot be ramped`;
    const kind = Object.hasOwn(shape.channels, readback.channel) ? shape.channels[readback.channel] : undefined;
    if (readback.shows || kind !== command.takes)
      return `"${readback.channel}", the readback of "${name}", does not show the value itself: it cannot be ramped`;
    if (!shape.polls.some((poll) => poll.channels.includes(readback.channel)))
      return `"${readback.channel}", the readback of "${name}", is not asked for at intervals: ${placed.name} cannot be followed on a ramp`;
    return undefined;
  })();
  if (why !== undefined) sheet.say(at, why, 'key');
  return why === undefined;
}

function readRamp(sheet: Sheet, at: Path, unit: Unit | undefined): RigRamp | undefined {
  const sample = sampleOf(unit ?? 'K');
  const found = table(sheet, at, RAMP, ['rate', 'band', 'every'], {
    rate: `"rate: ${sample}/min"`,
    band: `"band: ${sample}"`,
    every: '"every: 1 s"',
  });
  if (!found) return undefined;
  const rate = 'rate' in found ? positive(sheet, [...at, 'rate'], rateOf(found.rate, unit)) : undefined;
  const band = 'band' in found ? positive(sheet, [...at, 'band'], stretchOf(found.band, unit)) : undefined;
  const every = 'every' in found ? seconds(sheet, [...at, 'every']) : undefined;
  return rate === undefined || band === undefined || every === undefined ? undefined : { rate, band, every };
}

function positive(sheet: Sheet, at: Path, read: number | string): number | undefined {
  if (typeof read === 'number' && read > 0) return read;
  sheet.say(at, typeof read === 'string' ? read : `"${sheet.at(at)}" must be more than zero; a ramp goes up and down by itself`);
  return undefined;
}

const sampleOf = (unit: Unit): string => (unit === '1' ? '1 %' : unit === 'Pa' ? '1 bar' : `1 ${unit}`);

/** Unit per second, from "5 K/min"; a sentence where it is none. */
function rateOf(value: unknown, unit: Unit | undefined): number | string {
  const like = `a rate is written such as "${sampleOf(unit ?? 'K')}/min" (/s, /min or /h)`;
  if (typeof value !== 'string') return `${like}, not ${described(value)}`;
  const [, amount, time] = RATE.exec(value) ?? [];
  const divisor = time === undefined ? undefined : TIMES[time];
  if (amount === undefined || divisor === undefined) return `${like}, not ${described(value)}`;
  const read = stretchOf(amount, unit);
  return typeof read === 'number' ? read / divisor : `${read}; ${like}`;
}

/** How far apart two values are: 5 °C are 5 K here. */
function stretchOf(value: unknown, unit: Unit | undefined): number | string {
  const plain = typeof value === 'string' ? value.replace(/(?:°C|degC)\s*$/, 'K') : value;
  const read = unit === undefined ? quantityOf(plain) : inUnit(plain, unit);
  if (typeof read === 'string') return read;
  return read.sigma === undefined ? read.value : `"${value}" must be one number, without an uncertainty`;
}

const quantityOf = (value: unknown): ReturnType<typeof quantity> =>
  typeof value === 'string' || typeof value === 'number'
    ? quantity(value)
    : `a quantity such as "5 K" is wanted here, not ${described(value)}`;

/** Whether its steps can be told from what else may move the readback, and be read back one after the other. */
function fits(sheet: Sheet, at: Path, placed: RigInstrument, shape: Shape, command: Command, { rate, band, every }: RigRamp): boolean {
  const { readback, takes } = command;
  if (!readback || !isUnit(takes)) return false;
  let sound = true;
  const least = readback.by + rate * every;
  if (!(band > least)) {
    sheet.say(
      [...at, 'band'],
      `a band of ${show(band, takes)} is too narrow: one step is ${show(rate * every, takes)}, and "${readback.channel}" may differ by ${show(readback.by, takes)}; write more than ${show(least, takes)}`,
    );
    sound = false;
  }
  const poll = shape.polls.find((p) => p.channels.includes(readback.channel));
  const wanted = poll?.channels.flatMap((c) => placed.every[c] ?? []) ?? [];
  const asked = wanted.length > 0 ? Math.min(...wanted) : poll?.every;
  if (asked !== undefined && every < 2 * asked * (1 - 1e-9)) {
    sheet.say(
      [...at, 'every'],
      `a step could not be read back before the next: "${readback.channel}" is read every ${asked} s; write at least ${2 * asked} s, or "every: { ${readback.channel}: ${every / 2} s }"`,
    );
    sound = false;
  }
  return sound;
}
