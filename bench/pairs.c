/* The pair search of src/derive/coincidence.ts on events that are in order: muon veto, candidates, on-time pairs with their isolation, and
   off-time windows. The fixed cuts are CUTS of src/derive/coincidence-cuts.ts.
   stdin: int64 n, then doubles t[n] (ns), energy[n], psd[n]. argv[1]: how often. stdout: one line of seconds of CPU time, then
   "muons vetoed prompts delayeds pairs isolated" and the counts of the off-time windows. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WINDOWS 20
#define LOW 1e3
#define HIGH 150e3
#define QUIET 300e3

typedef struct { long muons, prompts, delayeds, pairs, isolated, off[WINDOWS]; double vetoed; } found_t;

static long from(const double *t, long n, double time) {
  long a = 0, b = n;
  while (a < b) {
    long m = (a + b) / 2;
    if (t[m] < time) a = m + 1;
    else b = m;
  }
  return a;
}
static long after(const double *t, long n, double time) {
  long a = 0, b = n;
  while (a < b) {
    long m = (a + b) / 2;
    if (t[m] <= time) a = m + 1;
    else b = m;
  }
  return a;
}

static found_t search(long n, const double *t, const double *energy, const double *psd, double *prompts, unsigned char *quiet_prompt,
                      double *others, double *pair_p, double *pair_d, unsigned char *pair_mine) {
  found_t f = {0};
  long np = 0, no = 0, pairs = 0, low[WINDOWS + 1] = {0}, high[WINDOWS + 1] = {0};
  double until = -1;
  for (long i = 0; i < n; i++) {
    double now = t[i], e = energy[i];
    if (e >= 20) {
      f.vetoed += now > until ? 1e6 : now + 1e6 - until;
      until = now + 1e6;
      f.muons++;
      continue;
    }
    int quiet = e >= 0.38;
    if (quiet) others[no++] = now;
    if (now <= until) continue;
    if (e >= 1 && e <= 8 && psd[i] < 0.215) {
      quiet_prompt[np] = quiet;
      prompts[np++] = now;
    }
    if (e >= 0.38 && e <= 0.68 && psd[i] >= 0.215) {
      f.delayeds++;
      for (int k = WINDOWS; k >= 0; k--) {
        double by = k == WINDOWS ? 0 : 1e6 + 200e3 * k;
        long a = low[k], b;
        while (a < np && now - prompts[a] > HIGH + by) a++;
        b = high[k] > a ? high[k] : a;
        while (b < np && now - prompts[b] >= LOW + by) b++;
        low[k] = a;
        high[k] = b;
        if (k < WINDOWS) f.off[k] += b - a;
        else
          for (long p = a; p < b; p++) {
            pair_p[pairs] = prompts[p];
            pair_mine[pairs] = quiet_prompt[p] + quiet;
            pair_d[pairs++] = now;
          }
      }
    }
  }
  for (long i = 0; i < pairs; i++) {
    long many = after(others, no, pair_d[i] + QUIET) - from(others, no, pair_p[i] - QUIET);
    if (many <= pair_mine[i]) f.isolated++;
  }
  f.prompts = np;
  f.pairs = pairs;
  return f;
}

int main(int argc, char **argv) {
  int64_t n;
  if (argc < 2 || fread(&n, sizeof n, 1, stdin) != 1) return 2;
  int times = atoi(argv[1]);
  double *data = malloc(3 * n * sizeof(double)), *prompts = malloc(n * sizeof(double)), *others = malloc(n * sizeof(double));
  double *pair_p = malloc(8 * n * sizeof(double)), *pair_d = malloc(8 * n * sizeof(double));
  unsigned char *quiet = malloc(n), *mine = malloc(8 * n);
  if (!data || !prompts || !others || !pair_p || !pair_d || !quiet || !mine) return 2;
  if (fread(data, sizeof(double), 3 * n, stdin) != (size_t)(3 * n)) return 2;
  struct timespec a, b;
  found_t f = {0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (int i = 0; i < times; i++) f = search(n, data, data + n, data + 2 * n, prompts, quiet, others, pair_p, pair_d, mine);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  printf("%.9f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) * 1e-9);
  printf("%ld %.17g %ld %ld %ld %ld", f.muons, f.vetoed, f.prompts, f.delayeds, f.pairs, f.isolated);
  for (int k = 0; k < WINDOWS; k++) printf(" %ld", f.off[k]);
  printf("\n");
  return 0;
}
