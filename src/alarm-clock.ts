/** The computer's clock against our own time, which never steps: somebody who sets the clock must not go unseen, as files carry its time. */

export interface ClockFinding {
  /** Seconds by which the computer's clock is ahead of the session's time stamps. */
  readonly offset: number;
  /** Seconds by which it was set forward since it was looked at last; absent where it was not set. */
  readonly step?: number;
}

/** `date`: the computer's clock, `ours`: the session's time; both in microseconds since 1970. To be asked once a second. */
export function clockWatch(smallest: number): (date: number, ours: number) => ClockFinding {
  let before: number | undefined;
  return (date, ours) => {
    const offset = (date - ours) / 1e6;
    const step = before === undefined ? 0 : offset - before;
    before = offset;
    return Math.abs(step) > smallest ? { offset, step } : { offset };
  };
}
