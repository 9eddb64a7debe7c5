"""Planck fit as the field's programs call it: scipy's curve_fit of the corrected spectrum, started at 2000 K.

stdin as for planck.c; argv[1]: how often to fit all. stdout: one line of seconds of CPU time, then the temperature of each spectrum.
"""
import struct
import sys
import time

import numpy as np
from scipy.optimize import curve_fit


def black_body(nm, temperature, scale):
    metre = nm * 1e-9
    return scale * 3.7418e-16 * metre**-5 / (np.exp(0.01438776877503934 / (metre * temperature)) - 1)


data = sys.stdin.buffer.read()
n, spectra = struct.unpack_from("<ii", data)
table = np.frombuffer(data, "<f8", offset=8).reshape(2 + spectra, n)
nm = table[0] * 1e9
corrected = [counts / table[1] for counts in table[2:]]
corrected = [y / y.max() * counts.max() for y, counts in zip(corrected, table[2:])]
found = []
start = time.process_time()
for _ in range(int(sys.argv[1])):
    found = [curve_fit(black_body, nm, y, p0=[2000, 1e-11])[0][0] for y in corrected]
print(f"{time.process_time() - start:.9f}")
for temperature in found:
    print(repr(float(temperature)))
