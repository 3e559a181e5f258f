"""What a training's process tells glibc: to keep the memory that one step frees for the next.

TensorFlow on a CPU takes every activation from `malloc`, a batch of `mien` at 40 px in pieces of
20 MB. Left alone, glibc gives such pieces back to the system as they are freed and asks for them
again, and the system hands them out page by page, each cleared: on two cores that took
half of a training's time (`python -m benchmarks.allocation`). Other C libraries ignore this.

`mmap_threshold`, the size from which pieces are given back, is not to be relied on: TensorFlow sets
it to 128 kB with its first dataset of a Python generator (its `ApplyPython311MemoryPatch`).
"""

import os

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLES = {
    "arena_max": 1,  # the one heap that can grow; the others end at 64 MB, and then map each piece
    "mmap_max": 0,  # every piece, however large, comes from it ...
    "trim_threshold": 1 << 34,  # ... and it shrinks only beyond that
    "top_pad": 1 << 28,  # and grows by so much
}


def environment() -> dict[str, str]:
    """Returns this process's environment with the tunables, unless it sets some itself."""
    told = ":".join(f"glibc.malloc.{name}={value}" for name, value in _TUNABLES.items())
    return {_VARIABLE: told} | os.environ
