/** What a rig says of a simulated digitizer: its converter, its run, and what goes wrong on request. */
import { declared, type Field } from '../../src/simulator.ts';
import { CONVERTER, type Converter } from './detector-pulses.ts';

/** Chance of each, from 0 to 1, for every frame. */
export interface FrameFaults {
  /** A frame is numbered and never sent. */
  readonly drop: number;
  /** It is sent twice. */
  readonly duplicate: number;
  /** It is sent after the next one. */
  readonly reorder: number;
  /** One of its bits is wrong. */
  readonly flip: number;
  /** Up to 64 bytes of noise come before it. */
  readonly junk: number;
  /** The board has no room for it, counts that, and says so with the next frame. */
  readonly overflow: number;
}

export interface BoardOptions extends Converter, FrameFaults {
  /** Whether it runs at power-up. */
  readonly running: boolean;
  /** Of every channel at power-up. */
  readonly threshold: number;
  /** Frames after the beginning of a run until their number rolls over; seconds of the world until the time does. */
  readonly frames_to_roll: number | undefined;
  readonly time_to_roll: number | undefined;
  /** Seconds of the world during which nothing comes, and triggers are lost. */
  readonly stalls: readonly [number, number] | undefined;
  /** Prepared frames per second, instead of what the world gives; 0: none. */
  readonly flood: number;
}

const chance = (about: string): Field<number> =>
  declared(`chance of each frame ${about} (0 to 1, otherwise 0)`, (part) => {
    const value = part.number(0);
    return value >= 0 && value <= 1 ? value : part.wrong('must be from 0 to 1');
  });
const amount = (about: string, otherwise: number): Field<number> =>
  declared(`${about} (otherwise ${otherwise})`, (part) => {
    const value = part.number(otherwise);
    return value >= 0 ? value : part.wrong('must be zero or more');
  });
const SECONDS = { written: 's', unit: 's' } as const;

export const boardFields: { readonly [N in keyof BoardOptions]-?: Field<BoardOptions[N]> } = {
  polarity: declared('of the pulses, negative or positive (otherwise negative)', (part) =>
    part.word(['negative', 'positive'] as const, CONVERTER.polarity),
  ),
  bits: declared('of the converter (otherwise 12)', (part) => part.whole(8, 16, CONVERTER.bits)),
  baseline: amount('ADC counts of a channel without light', CONVERTER.baseline),
  photoelectron: amount('ADC counts times samples of a photoelectron', CONVERTER.photoelectron),
  spread: amount('relative sigma of a photoelectron', CONVERTER.spread),
  noise: amount('ADC counts, sigma of a sample', CONVERTER.noise),
  wander: amount('ADC counts, sigma of the baseline from minute to minute', CONVERTER.wander),
  dark: amount('dark counts per second of a channel', CONVERTER.dark),
  afterglow: amount('photoelectrons after each photoelectron', CONVERTER.afterglow),
  sees: declared('channel of the detector that its first one is connected to (otherwise 0)', (part) => part.whole(0, 1023, CONVERTER.sees)),
  running: declared('whether it runs at power-up (otherwise on)', (part) => part.flag(true)),
  threshold: declared('ADC counts at which each channel triggers at power-up, 0: never (otherwise 20)', (part) => part.whole(0, 4095, 20)),
  drop: chance('that it is numbered and never sent'),
  duplicate: chance('that it is sent twice'),
  reorder: chance('that it is sent after the next one'),
  flip: chance('that one of its bits is wrong'),
  junk: chance('that noise comes before it'),
  overflow: chance('that the board has no room for it and says so'),
  frames_to_roll: declared('frames after the beginning of a run until their number rolls over', (part) =>
    part.given ? part.whole(1, 2 ** 32 - 1) : undefined,
  ),
  time_to_roll: declared('seconds of the world until the time of the frames rolls over, such as 5 s', (part) =>
    part.given ? part.seconds() : undefined,
  ),
  stalls: declared('two times of the world between which nothing comes, such as [10 s, 20 s]', (part) =>
    part.given ? part.range(SECONDS) : undefined,
  ),
  flood: declared('prepared frames per second instead of events of the world, for tests of load (otherwise 0)', (part) =>
    part.whole(0, 100_000, 0),
  ),
};
