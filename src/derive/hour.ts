/** Of microseconds since 1970: hours, minutes and seconds of UTC, for sentences. */
export function hourOf(t: number): string {
  const seconds = Math.floor(t / 1e6) % 86_400;
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} UTC`;
}
