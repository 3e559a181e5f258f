"""Memory that is freed is kept for the next step, in a process of its own."""

import platform
import subprocess
import sys

import pytest

from pipelines import allocation

PAGES = 6 * 20_000_000 // 4096  # of a step
STEPS = """
import resource, threading
import numpy as np

def steps():
    for _ in range(20):
        [np.ones(20_000_000, np.uint8) for _ in range(6)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

steps()
before = faults()
learner = threading.Thread(target=steps)
learner.start()
learner.join()
print(faults() - before)
"""


def faults(**environment: dict[str, str]) -> int:
    """Page faults of twenty steps, each of which takes 120 MB in six pieces and frees them."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS], capture_output=True, text=True, check=True, **environment
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks to glibc alone")
def test_a_step_finds_the_memory_of_the_one_before():
    assert faults(env=allocation.environment()) < PAGES


def test_who_sets_tunables_has_the_last_word(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    assert allocation.environment()["GLIBC_TUNABLES"] == "glibc.malloc.check=0"
