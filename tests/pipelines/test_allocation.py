"""Memory that is freed is kept for the next step, in a process of its own."""

import platform
import subprocess
import sys

import pytest

from pipelines import allocation

PAGES = 20 * 20_000_000 // 4096  # of a step: more than the heap grows by at once
STEPS = """
import ctypes, resource, threading
import numpy as np

M_MMAP_THRESHOLD = -3
ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 128 * 1024)  # as TensorFlow does

def steps():
    for _ in range(20):
        [np.ones(20_000_000, np.uint8) for _ in range(20)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

steps()
before = faults()
learner = threading.Thread(target=steps)
learner.start()
learner.join()
print(faults() - before)
"""


def faults(environment: dict[str, str]) -> int:
    """Page faults of twenty steps, each of which takes 400 MB in twenty pieces and frees them."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=environment | {"NUMPY_MADVISE_HUGEPAGE": "0"},  # one fault is one page
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks to glibc alone")
def test_a_step_finds_the_memory_of_the_one_before():
    assert faults(allocation.environment()) < PAGES


def test_who_sets_tunables_has_the_last_word(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    assert allocation.environment()["GLIBC_TUNABLES"] == "glibc.malloc.check=0"
