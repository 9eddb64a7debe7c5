/* The count-domain Planck fit of src/derive/planck.ts, step by step the same, for comparison of speed.
   stdin: int32 n, int32 spectra, then doubles: wavelength[n], response[n], counts[spectra][n].
   argv[1]: how often to fit all. stdout: one line of seconds of CPU time, then "temperature sigma factor chi2" of each spectrum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define C1 1.191042972397188e-16
#define C2 0.01438776877503934

typedef struct { double temperature, sigma, factor, chi2; } fit_t;

static double *k, *q, *expected, *variance;

static int fit(int n, const double *wavelength, const double *response, const double *counts, fit_t *out) {
  double sum = 0, total = 0;
  for (int i = 0; i < n; i++) {
    double l = wavelength[i], l2 = l * l;
    k[i] = C2 / l;
    q[i] = response[i] * C1 / (l2 * l2 * l);
    sum += k[i];
    total += counts[i];
  }
  double middle = sum / n, low = 1.0 / 60000, high = 1.0 / 150, inverse = 1.0 / 2000, factor = 0, s0 = 0, s1 = 0, s2 = 0;
  if (!(total > 0)) return 0;
  int settled = 0;
  for (int iteration = 0; iteration < 100 && !settled; iteration++) {
    double ns = 0;
    s0 = s1 = s2 = 0;
    for (int i = 0; i < n; i++) {
      double z = exp(-k[i] * inverse), one = 1 / (1 - z), f = q[i] * z * one, s = k[i] * one - middle, fs = f * s;
      s0 += f;
      s1 += fs;
      s2 += fs * s;
      ns += counts[i] * s;
    }
    factor = total / s0;
    double step = (factor * s1 - ns) / (factor * (s2 - s1 * s1 / s0));
    if (!isfinite(step)) {
      high = inverse;
      inverse = sqrt(low * high);
      continue;
    }
    if (step > 0) low = inverse;
    else high = inverse;
    double next = inverse + step;
    if (!(next > low && next < high) && step != 0) next = sqrt(low * high);
    settled = high - low <= 1e-11 * high || fabs(next - inverse) <= 1e-11 * inverse;
    inverse = next;
  }
  if (!settled) return 0;
  double ff = 0, fg = 0, gg = 0, chi2 = 0;
  for (int i = 0; i < n; i++) {
    double z = exp(-k[i] * inverse), one = 1 / (1 - z), f = q[i] * z * one, g = f * (k[i] * one - middle);
    double mu = factor * f, w = 1 / mu, c = counts[i];
    expected[i] = mu;
    variance[i] = mu;
    chi2 += (c - mu) * (c - mu) / mu;
    ff += w * f * f;
    fg += w * f * g;
    gg += w * g * g;
  }
  double t = 1 / inverse;
  out->temperature = t;
  out->sigma = t * t / (factor * sqrt(gg - fg * fg / ff));
  out->factor = factor;
  out->chi2 = chi2;
  return 1;
}

int main(int argc, char **argv) {
  int head[2];
  if (argc < 2 || fread(head, sizeof(int), 2, stdin) != 2) return 2;
  int n = head[0], spectra = head[1], times = atoi(argv[1]);
  size_t all = (size_t)n * (2 + (size_t)spectra);
  double *data = malloc(all * sizeof(double));
  fit_t *found = malloc((size_t)spectra * sizeof(fit_t));
  k = malloc(n * sizeof(double));
  q = malloc(n * sizeof(double));
  expected = malloc(n * sizeof(double));
  variance = malloc(n * sizeof(double));
  if (!data || !found || !k || !q || !expected || !variance || fread(data, sizeof(double), all, stdin) != all) return 2;
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (int time = 0; time < times; time++)
    for (int s = 0; s < spectra; s++)
      if (!fit(n, data, data + n, data + (2 + (size_t)s) * n, found + s)) return 3;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  printf("%.9f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) * 1e-9);
  for (int s = 0; s < spectra; s++)
    printf("%.17g %.17g %.17g %.17g\n", found[s].temperature, found[s].sigma, found[s].factor, found[s].chi2);
  return 0;
}
