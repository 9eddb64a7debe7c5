/* The pulse features of src/derive/waveform-block.ts, step by step the same, for comparison of speed.
   stdin: int32 frames, then frames of 64 channels of 256 samples of 16 bits. argv[1]: how often to look at all.
   stdout: one line of seconds of CPU time, then "channel time charge tail peak baseline noise flags" of each hit of the last round. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHANNELS = 64, SAMPLES = 256, BASELINE = 20, BEFORE = 4, AFTER = 80, LATE = 8, DELAY = 2, TOP = 4095 };
enum { SATURATED = 1, CUT = 4, SHAPELESS = 8, UNTIMED = 16 };
static const double FRACTION = 0.3, THRESHOLD = 10, INTERVAL = 4;

typedef struct {
  double *t, *charge, *tail, *peak, *baseline, *noise;
  uint16_t *channel, *flags;
  uint32_t *frame;
  int count;
} hits_t;

static double pairwise(const double *v, int n) {
  if (n < 8) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += v[i];
    return sum;
  }
  double a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6], h = v[7];
  int i = 8;
  for (; i < n - n % 8; i += 8) {
    a += v[i];
    b += v[i + 1];
    c += v[i + 2];
    d += v[i + 3];
    e += v[i + 4];
    f += v[i + 5];
    g += v[i + 6];
    h += v[i + 7];
  }
  double sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
  for (; i < n; i++) sum += v[i];
  return sum;
}

static void look(const uint16_t *frame, double t, uint32_t number, hits_t *into) {
  static double x[SAMPLES], square[BASELINE];
  int row = into->count;
  for (int channel = 0; channel < CHANNELS; channel++) {
    const uint16_t *s = frame + channel * SAMPLES;
    int sum = 0;
    for (int i = 0; i < BASELINE; i++) sum += s[i];
    double baseline = (double)sum / BASELINE;
    uint16_t low = 65535, high = 0;
    for (int i = 0; i < SAMPLES; i++) {
      if (s[i] < low) low = s[i];
      if (s[i] > high) high = s[i];
    }
    double peak = baseline - low;
    if (!(peak >= THRESHOLD && peak > 0)) continue;
    int at = 0;
    while (s[at] != low) at++;
    int flags = low <= 0 || high >= TOP ? SATURATED : 0;
    if (at - BEFORE < BASELINE || at + AFTER > SAMPLES) flags |= CUT;
    int from = at < BEFORE ? 0 : at - BEFORE, to = at + AFTER > SAMPLES ? SAMPLES : at + AFTER;
    int late = at + LATE > to ? to : at + LATE;
    for (int i = 0; i < to; i++) x[i] = baseline - s[i];
    double charge = pairwise(x + from, to - from), tail = pairwise(x + late, to - late);
    if (!(tail >= 0 && tail <= charge && charge > 0)) flags |= SHAPELESS;
    for (int i = 0; i < BASELINE; i++) square[i] = (s[i] - baseline) * (s[i] - baseline);
    double best = FRACTION * x[0], time = -1;
    int top = 0;
    for (int i = 1; i <= at; i++) {
      double c = FRACTION * x[i] - (i < DELAY ? 0 : x[i - DELAY]);
      if (c > best) {
        best = c;
        top = i;
      }
    }
    if (best > 0) {
      double c = best;
      for (int i = top + 1; i < SAMPLES; i++) {
        double next = FRACTION * (baseline - s[i]) - (i < DELAY ? 0 : baseline - s[i - DELAY]);
        if (!(next > 0)) {
          time = i - 1 + c / (c - next);
          break;
        }
        c = next;
      }
    }
    if (time < 0) {
      flags |= UNTIMED;
      time = at;
    }
    into->t[row] = t + INTERVAL * time;
    into->channel[row] = channel;
    into->charge[row] = charge;
    into->tail[row] = tail;
    into->peak[row] = peak;
    into->baseline[row] = baseline;
    into->noise[row] = sqrt(pairwise(square, BASELINE) / (BASELINE - 1));
    into->flags[row] = flags;
    into->frame[row] = number;
    row++;
  }
  into->count = row;
}

int main(int argc, char **argv) {
  int32_t frames;
  if (argc < 2 || fread(&frames, 4, 1, stdin) != 1 || frames < 1) return 2;
  size_t words = (size_t)frames * CHANNELS * SAMPLES;
  uint16_t *samples = malloc(2 * words);
  if (!samples || fread(samples, 2, words, stdin) != words) return 2;
  int capacity = frames * CHANNELS;
  double *columns = malloc(sizeof(double) * 6 * capacity);
  uint16_t *small = malloc(2 * 2 * capacity);
  uint32_t *number = malloc(4 * capacity);
  if (!columns || !small || !number) return 2;
  hits_t hits = {columns, columns + capacity, columns + 2 * capacity, columns + 3 * capacity, columns + 4 * capacity,
                 columns + 5 * capacity, small, small + capacity, number, 0};
  clock_t start = clock();
  for (int round = atoi(argv[1]); round > 0; round--) {
    hits.count = 0;
    for (int f = 0; f < frames; f++) look(samples + (size_t)f * CHANNELS * SAMPLES, 0, f, &hits);
  }
  printf("%.9f\n", (double)(clock() - start) / CLOCKS_PER_SEC);
  for (int i = 0; i < hits.count; i++)
    printf("%d %.17g %.17g %.17g %.17g %.17g %.17g %d\n", hits.channel[i], hits.t[i], hits.charge[i], hits.tail[i], hits.peak[i],
           hits.baseline[i], hits.noise[i], hits.flags[i]);
  return 0;
}
