/** In what two lists of lines differ. */

export interface ListDiff {
  readonly a: number;
  readonly b: number;
  readonly same: boolean;
  /** Lines that only one has, in its order. Where there are none and it is not the same, the order is another. */
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
}

/** Lines as often as they are there. */
export function listDiff(a: readonly string[], b: readonly string[]): ListDiff {
  const same = a.length === b.length && a.every((one, i) => one === b[i]);
  return { a: a.length, b: b.length, same, onlyA: same ? [] : without(a, b), onlyB: same ? [] : without(b, a) };
}

/** Of each line as many as the other list does not have. */
function without(all: readonly string[], other: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const one of other) counts.set(one, (counts.get(one) ?? 0) + 1);
  return all.filter((one) => {
    const n = counts.get(one) ?? 0;
    if (n > 0) counts.set(one, n - 1);
    return n === 0;
  });
}

const LONGEST = 3000; // lines that are held against one another; rigs have hundreds

/** Lines only in one, in the order of the text, by the longest common sequence. */
export function lineDiff(a: readonly string[], b: readonly string[]): readonly string[] {
  let begin = 0;
  while (begin < a.length && begin < b.length && a[begin] === b[begin]) begin++;
  let [endA, endB] = [a.length, b.length];
  while (endA > begin && endB > begin && a[endA - 1] === b[endB - 1]) [endA, endB] = [endA - 1, endB - 1];
  const [left, right] = [a.slice(begin, endA), b.slice(begin, endB)];
  if (left.length > LONGEST || right.length > LONGEST) return [...left.map((line) => `- ${line}`), ...right.map((line) => `+ ${line}`)];
  const width = right.length + 1;
  const common = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--)
    for (let j = right.length - 1; j >= 0; j--)
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) [i, j] = [i + 1, j + 1];
    else if (i < left.length && (j >= right.length || at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${left[i++]}`);
    else lines.push(`+ ${right[j++]}`);
  }
  return lines;
}
