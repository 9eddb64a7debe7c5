/** Hits of a fast stream as NXevent_data. */
import type { Hits } from '../derive/hits.ts';
import type { Hdf5 } from './hdf5.ts';
import { secondsSince, timeAttributes } from './nexus-log.ts';
import { Table } from './table.ts';

const BACK = 1e9; // ns: a clock that goes back by more than this is that of a stream that began anew

/**
 * event_time_offset is a hit's own time, in nanoseconds since its stream began, bit for bit; a "pulse" is one such beginning, whose time
 * (event_time_zero) is known as well as when its first block was written: to about a second.
 */
export class Events {
  readonly path: string;
  readonly #began: number;
  readonly #hits: Table;
  readonly #pulses: Table;
  readonly #blocks: Table;
  #last = Number.POSITIVE_INFINITY;

  constructor(file: Hdf5, path: string, name: string, began: number) {
    this.path = file.group(path, 'NXevent_data', { local_name: name });
    this.#began = began;
    this.#hits = new Table(file, path);
    const number = (type: 'f8' | 'u4' | 'u2', name: string, long: string, units?: string): void =>
      this.#hits.column(name, { type, fill: 0, attributes: { long_name: long, ...(units === undefined ? {} : { units }) } });
    number('u2', 'event_id', 'channel');
    number('f8', 'event_time_offset', 'time since the stream began', 'ns');
    number('f8', 'charge', 'charge of the gate (ADC counts times samples)');
    number('f8', 'tail', 'charge of its late part (ADC counts times samples)');
    number('f8', 'peak', 'height (ADC counts)');
    number('f8', 'baseline', 'baseline (ADC counts)');
    number('f8', 'noise', 'standard deviation of the baseline (ADC counts)');
    number('u4', 'frame', 'frame or event, modulo 2^32');
    number('u2', 'flags', '1 saturated, 2 empty, 4 cut, 8 shapeless, 16 untimed, 32 lost before, 64 pile-up');
    this.#pulses = new Table(file, path);
    const start = timeAttributes(began);
    const about = { ...start, accuracy: 'about 1 s: from when its first hits were recorded' };
    this.#pulses.column('event_time_zero', { type: 'f8', fill: Number.NaN, attributes: about });
    this.#pulses.column('event_index', { type: 'u4', fill: 0, attributes: { long_name: 'the first event of each stream' } });
    this.#blocks = new Table(file, path);
    this.#blocks.column('cue_timestamp_zero', {
      type: 'f8',
      fill: Number.NaN,
      attributes: { ...start, long_name: 'when a block was recorded' },
    });
    this.#blocks.column('cue_index', { type: 'u4', fill: 0, attributes: { long_name: 'the first event of each block' } });
  }

  get count(): number {
    return this.#hits.rows;
  }

  add(block: Hits, t: number): void {
    if (block.count === 0) return;
    const first = block.t[0] ?? 0;
    const end = block.t[block.count - 1] ?? first;
    if (!(first > this.#last - BACK))
      this.#pulses.add({ event_time_zero: secondsSince(this.#began, t) - end / 1e9, event_index: this.#hits.rows });
    this.#last = end;
    this.#blocks.add({ cue_timestamp_zero: secondsSince(this.#began, t), cue_index: this.#hits.rows });
    for (let i = 0; i < block.count; i++)
      this.#hits.add({
        event_id: block.channel[i],
        event_time_offset: block.t[i],
        charge: block.charge[i],
        tail: block.tail[i],
        peak: block.peak[i],
        baseline: block.baseline[i],
        noise: block.noise[i],
        frame: block.frame[i],
        flags: block.flags[i],
      });
  }
}
