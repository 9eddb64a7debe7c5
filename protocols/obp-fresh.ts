/** Which spectra of a spectrometer may be believed: none that was exposed before the settings it is shown with. No time, no wire. */
import type { ObpSpectrum } from './obp-spectrum.ts';

/** What a spectrum is exposed with; what the spectrometer says of itself. */
export interface ObpSettings {
  /** Microseconds of one scan. */
  readonly exposure: number;
  readonly trigger: number;
  /** Scans in one spectrum. */
  readonly scans: number;
  /** Power of two. */
  readonly binning: number;
  /** False: it keeps one spectrum, and a question for one waits for it. */
  readonly buffered: boolean;
}

/** By how much the device's clock may run slow against ours: a quartz has less. */
const CLOCKS = 2e-4;

const same = (a: ObpSettings, b: ObpSettings): boolean =>
  a.exposure === b.exposure && a.trigger === b.trigger && a.scans === b.scans && a.binning === b.binning && a.buffered === b.buffered;
const length = (s: ObpSettings): number => s.exposure * s.scans;

export class Freshness {
  /** Grows with each order that changes what is exposed: a frame asked for before it and come after it is none. */
  epoch = 0;
  /** Spectra that were overwritten before they were read, by their numbers. */
  lost = 0;
  /** Microseconds of the longest spectrum that may still be on its way. */
  longest = 0;
  private known: ObpSettings | undefined;
  private stale = 0;
  private count: number | undefined;
  private lag: { readonly least: number; readonly tick: number } | undefined;

  /** The settings may be any until they are asked again. */
  doubt(): void {
    this.epoch++;
    this.known = undefined;
  }

  get doubted(): boolean {
    return this.known === undefined;
  }

  /** From here on the settings are these; `stale` frames are still to come that were exposed before. */
  began(now: ObpSettings, stale: number): void {
    this.longest = Math.max(length(now), this.known ? length(this.known) : this.longest);
    this.known = now;
    this.stale = stale;
    this.lag = undefined;
    this.count = undefined;
  }

  /**
   * What the spectrometer says of its settings. True when they have changed without an order, or were in doubt: then what is in its
   * buffer (`waiting`), or ready, and what it exposes are of before.
   */
  says(now: ObpSettings, waiting: number): boolean {
    if (this.known && same(now, this.known)) return false;
    this.began(now, (now.buffered ? waiting : 1) + 1);
    return true;
  }

  /** Whether the next frame was exposed under these settings, by what it says itself and by the order of things. */
  takes(s: ObpSpectrum, now: ObpSettings): boolean {
    if (s.count !== undefined) {
      if (this.count !== undefined && s.count > this.count) this.lost += s.count - this.count - 1;
      this.count = s.count;
    }
    if (this.stale > 0) {
      this.stale--;
      return false;
    }
    return (s.exposure ?? now.exposure) === now.exposure && (s.trigger ?? now.trigger) === now.trigger;
  }

  /**
   * When an exposure ended, in microseconds of our clock. By the device's clock where it stamps its spectra, so that one that has lain in
   * its buffer for minutes is not taken for a new one: the quickest reply of all tells what lies between the two clocks. Else when it came.
   */
  endOf({ tick }: ObpSpectrum, came: number): number {
    if (tick === undefined) return came;
    const { lag } = this;
    const before = lag && tick >= lag.tick ? lag.least + CLOCKS * (tick - lag.tick) : Number.POSITIVE_INFINITY;
    this.lag = { least: Math.min(came - tick, before), tick };
    return tick + this.lag.least;
  }
}
