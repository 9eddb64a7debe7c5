/** Microseconds since 1970 as ISO 8601 in UTC. */

const DAY = 86_400_000_000;
const pad = (n: number, width: number): string => String(n).padStart(width, '0');

/** "2026-11-22T23:48:14.329017Z"; "" for what is no time between the years 0 and 9999. */
export function iso(t: number): string {
  const micros = Math.floor(t);
  const day = Math.floor(micros / DAY);
  if (!(day >= -719_528 && day < 2_932_897)) return '';
  const rest = micros - day * DAY;
  const [year, month, date] = civil(day);
  const seconds = Math.floor(rest / 1e6);
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((n) => pad(n, 2)).join(':');
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(date, 2)}T${clock}.${pad(rest % 1e6, 6)}Z`;
}

let last: readonly [number, readonly [number, number, number]] = [0, [1970, 1, 1]];

/** Days since 1970 as year, month, day of the Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms, 2013). */
function civil(day: number): readonly [number, number, number] {
  if (last[0] === day) return last[1];
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365);
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  const date = [yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - Math.floor((153 * mp + 2) / 5) + 1] as const;
  last = [day, date];
  return date;
}
