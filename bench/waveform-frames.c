/* Finds the frames of a waveform stream and checks each with zlib's crc32, for comparison of speed.
   stdin: the stream. argv: how often to look at all, bytes of a frame. stdout: one line of seconds of CPU time, then the good frames. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const uint8_t sync[4] = {0xfe, 0xca, 0x90, 0xeb};
  size_t frame = atoi(argv[2]), capacity = 1 << 26, size = 0, got;
  uint8_t *bytes = malloc(capacity);
  if (!bytes || frame < 8) return 2;
  while ((got = fread(bytes + size, 1, capacity - size, stdin)) > 0) size += got;
  long good = 0;
  clock_t start = clock();
  for (int round = atoi(argv[1]); round > 0; round--) {
    good = 0;
    for (size_t at = 0; at + frame <= size;) {
      uint32_t crc;
      memcpy(&crc, bytes + at + frame - 4, 4);
      if (memcmp(bytes + at, sync, 4) == 0 && crc32(0, bytes + at, frame - 4) == crc) {
        good++;
        at += frame;
      } else
        at++;
    }
  }
  printf("%.9f\n%ld\n", (double)(clock() - start) / CLOCKS_PER_SEC, good);
  return 0;
}
