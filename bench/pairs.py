"""The pair search with numpy: vectors throughout, searchsorted for every window. stdin, argv and stdout as for pairs.c."""
import sys
import time

import numpy as np

data = sys.stdin.buffer.read()
n = int(np.frombuffer(data, "<i8", 1)[0])
t, energy, psd = np.frombuffer(data, "<f8", offset=8).reshape(3, n)


def search():
    muons = t[energy >= 20]
    vetoed = np.minimum(np.diff(muons, append=np.inf), 1e6).sum()
    last = np.searchsorted(muons, t, "right") - 1
    free = (last < 0) | (t > muons[np.maximum(last, 0)] + 1e6)
    is_prompt = free & (energy >= 1) & (energy <= 8) & (psd < 0.215)
    prompts = t[is_prompt]
    delayeds = t[free & (energy >= 0.38) & (energy <= 0.68) & (psd >= 0.215)]
    others = t[(energy >= 0.38) & (energy < 20)]
    first = np.searchsorted(delayeds, prompts + 1e3, "left")
    many = np.searchsorted(delayeds, prompts + 150e3, "right") - first
    start = np.repeat(prompts, many)
    end = delayeds[np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())]
    around = np.searchsorted(others, end + 300e3, "right") - np.searchsorted(others, start - 300e3, "left")
    off = [
        int((np.searchsorted(delayeds, prompts + by + 150e3, "right") - np.searchsorted(delayeds, prompts + by + 1e3, "left")).sum())
        for by in 1e6 + 200e3 * np.arange(20)
    ]
    return [len(muons), vetoed, len(prompts), len(delayeds), len(start), int((around <= 2).sum()), *off]


found = []
start = time.process_time()
for _ in range(int(sys.argv[1])):
    found = search()
print(f"{time.process_time() - start:.9f}")
print(" ".join(repr(float(v)) for v in found))
