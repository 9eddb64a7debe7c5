/** Orders that a rig has carried out at its start. */
import { FEEDBACK } from './feedback-spec.ts';
import type { Rig, StartOrder } from './rig.ts';
import { given, isUnit, noCommand, range } from './rig-check.ts';
import { LEASE } from './rig-instruments.ts';
import { described, hint, inUnit, isTable, seconds, text } from './rig-read.ts';
import type { Shape } from './rig-shape.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { show } from './units.ts';
import { givenValue } from './value.ts';

/** An order and the line of the list in which it stands, from 0. */
export interface WrittenOrder {
  readonly at: number;
  readonly order: StartOrder;
}

const KEYS = ['order', 'value', 'after'];
const ORDER = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)(?:\[(\d{1,9})\])?$/;

export function readStart(sheet: Sheet): WrittenOrder[] {
  const list = sheet.at(['start']);
  if (list === undefined) return [];
  if (!Array.isArray(list)) {
    sheet.say(['start'], `"start" is a list of orders such as "- { order: gas.pressure, value: 20 bar }", not ${described(list)}`);
    return [];
  }
  return (list as unknown[]).flatMap((one, at) => {
    const order = readOrder(sheet, ['start', at], one);
    return order ? [{ at, order }] : [];
  });
}

function readOrder(sheet: Sheet, path: Path, one: unknown): StartOrder | undefined {
  if (!isTable(one)) {
    sheet.say(path, `an order is written as "- { order: gas.pressure, value: 20 bar }", not as ${described(one)}`);
    return undefined;
  }
  for (const key of Object.keys(one))
    if (!KEYS.includes(key)) sheet.say([...path, key], `there is no "${key}" in an order${hint(key, KEYS)}`, 'key');
  const after = 'after' in one ? seconds(sheet, [...path, 'after'], true) : 0;
  const order = text(sheet, [...path, 'order'], '"gas.pressure"');
  if (order === undefined) return undefined;
  const [, instrument, command, index] = ORDER.exec(order) ?? [];
  if (instrument === undefined || command === undefined) {
    sheet.say([...path, 'order'], `an order is INSTRUMENT.COMMAND, such as "gas.pressure" or "hv.voltage[3]", not ${described(order)}`);
    return undefined;
  }
  const value = one.value;
  if (value !== undefined && typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    sheet.say([...path, 'value'], `a value is a quantity such as "20 bar", a word, or true or false, not ${described(value)}`);
    return undefined;
  }
  return {
    instrument,
    command,
    ...(index === undefined ? {} : { index: Number(index) }),
    ...(value === undefined ? {} : { value: typeof value === 'boolean' ? value : String(value) }),
    after: after ?? 0,
  };
}

/** Says what would have the order refused; gives it with "on" and "off" as true and false. */
export function checkStart(sheet: Sheet, rig: Rig, shapes: ReadonlyMap<string, Shape>, { at, order }: WrittenOrder): StartOrder {
  const path: Path = ['start', at];
  if (order.instrument === FEEDBACK && sheet.at([FEEDBACK]) !== undefined) {
    checkHold(sheet, rig, at, order);
    return order;
  }
  const placed = rig.instruments.find((one) => one.name === order.instrument);
  const shape = shapes.get(order.instrument);
  if (!placed || !shape) {
    const names = given(sheet, ['instruments']);
    if (!names.includes(order.instrument))
      sheet.say([...path, 'order'], `there is no instrument "${order.instrument}" in this rig${hint(order.instrument, names)}`);
    return order; // else its own fault has been told
  }
  if (shape.state.is !== 'running' || shape.fault !== undefined) return order;
  const command = Object.hasOwn(shape.commands, order.command) ? shape.commands[order.command] : undefined;
  if (!command) {
    sheet.say([...path, 'order'], noCommand(placed, shape, order.command));
    return order;
  }
  const name = `${order.instrument}.${order.command}`;
  if (command.count === undefined && order.index !== undefined) sheet.say([...path, 'order'], `${name} has no index; write "${name}"`);
  if (command.count !== undefined && (order.index === undefined || order.index >= command.count))
    sheet.say([...path, 'order'], `${name} has the indices 0 to ${command.count - 1}; write "${name}[0]"`);
  const place = order.value === undefined ? [...path, 'order'] : [...path, 'value'];
  const said = order.value === undefined ? 'nothing' : described(order.value);
  const asFlag = command.takes === 'flag' ? givenValue('flag', order.value) : {};
  const flag = typeof asFlag === 'object' && typeof asFlag.value === 'boolean' ? asFlag.value : undefined;
  let safe = command.takes === 'nothing' && command.safe === true;
  switch (command.takes) {
    case 'nothing':
      if (order.value !== undefined) sheet.say(place, `${name} takes no value: leave "value" out`);
      break;
    case 'flag':
      if (flag === undefined) sheet.say(place, `${name} is switched on or off: write "value: on" or "value: off", not ${said}`);
      safe = flag === command.safe;
      break;
    case 'state': {
      const word = order.value === undefined ? undefined : String(order.value);
      if (word === undefined || (command.words && !command.words.includes(word)))
        sheet.say(place, `${name} takes ${command.words ? `one of ${command.words.join(', ')}` : 'a word'}, not ${said}`);
      safe = word === command.safe;
      break;
    }
    default: {
      const read = inUnit(order.value, command.takes);
      if (typeof read === 'string') {
        sheet.say(place, `${name}: ${read}`);
        break;
      }
      safe = read.value === command.safe;
      const narrow = placed.limits[order.command];
      for (const [limits, whose] of [
        [command.limits, placed.model],
        [narrow, 'this rig'],
      ] as const) {
        if (safe || !limits || (read.value >= limits[0] && read.value <= limits[1])) continue;
        const unit = isUnit(command.takes) ? command.takes : '1';
        const of = whose === placed.model ? range(command) : `${show(limits[0], unit)} to ${show(limits[1], unit)}`;
        sheet.say(place, `${name}: ${said.replace('the text ', '')} is outside of the limits of ${whose} (${of})`);
        break;
      }
    }
  }
  // Where it is missing altogether, that has been told at the instrument.
  if (
    command.safe !== undefined &&
    !safe &&
    placed.leases[order.command] === undefined &&
    sheet.at(['instruments', placed.name, 'leases', order.command]) !== undefined
  )
    sheet.say([...path, 'order'], `${name} is hazardous and unused in this rig: it would be refused; give it a lease such as ${LEASE}`);
  return flag !== undefined ? { ...order, value: flag } : order;
}

/** "{ order: feedback.heating, value: 3000 K }" begins a loop. */
function checkHold(sheet: Sheet, rig: Rig, at: number, { command, index, value }: StartOrder): void {
  const path: Path = ['start', at];
  const loop = rig.feedback?.find(({ name }) => name === command);
  if (!loop) {
    const names = given(sheet, [FEEDBACK]);
    if (!names.includes(command)) sheet.say([...path, 'order'], `there is no feedback "${command}" in this rig${hint(command, names)}`);
    return; // else its own fault has been told
  }
  if (index !== undefined) sheet.say([...path, 'order'], `feedback.${command} has no index; write "feedback.${command}"`);
  const read = inUnit(value, loop.unit);
  const place = value === undefined ? [...path, 'order'] : [...path, 'value'];
  const [low, high] = loop.limits.setpoint;
  if (typeof read === 'string') sheet.say(place, `feedback.${command}: ${read}`);
  else if (!(read.value >= low && read.value <= high))
    sheet.say(
      place,
      `feedback.${command}: ${described(value).replace('the text ', '')} is outside of its set points (${show(low, loop.unit)} to ${show(high, loop.unit)})`,
    );
}
