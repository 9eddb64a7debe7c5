"""The pulse features as a physicist writes them with numpy: a block of waveforms at a time, no loop over them.

stdin as for waveforms.c; argv[1]: how often to look at all. stdout: one line of seconds of CPU time, then
"channel time charge tail peak baseline noise saturated" of each hit.
"""
import struct
import sys
import time

import numpy as np

CHANNELS, SAMPLES = 64, 256


def look(samples):
    baseline = samples[:, :20].mean(axis=1)
    noise = samples[:, :20].std(axis=1, ddof=1)
    x = baseline[:, None] - samples
    peak_at = x.argmax(axis=1)
    hit = np.flatnonzero(x[np.arange(len(x)), peak_at] >= 10)
    x, peak_at, baseline, noise = x[hit], peak_at[hit], baseline[hit], noise[hit]
    row = np.arange(len(x))
    gate = np.clip(peak_at[:, None] + np.arange(-4, 80), 0, SAMPLES - 1)
    gated = np.take_along_axis(x, gate, axis=1)
    charge = gated.sum(axis=1)
    tail = gated[:, 12:].sum(axis=1)
    c = 0.3 * x
    c[:, 2:] -= x[:, :-2]
    place = np.arange(SAMPLES)
    top = np.where(place <= peak_at[:, None], c, -np.inf).argmax(axis=1)
    after = ((c <= 0) & (place > top[:, None])).argmax(axis=1)
    before = after - 1
    t = before + c[row, before] / (c[row, before] - c[row, after])
    saturated = ((samples[hit] == 0) | (samples[hit] == 4095)).any(axis=1)
    return hit % CHANNELS, 4 * t, charge, tail, x[row, peak_at], baseline, noise, saturated


data = sys.stdin.buffer.read()
(frames,) = struct.unpack_from("<i", data)
block = np.frombuffer(data, "<u2", offset=4).reshape(frames * CHANNELS, SAMPLES)
found = ()
start = time.process_time()
for _ in range(int(sys.argv[1])):
    found = look(block)
print(f"{time.process_time() - start:.9f}")
for values in zip(*found):
    print(*(repr(float(v)) for v in values))
