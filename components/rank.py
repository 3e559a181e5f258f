"""Which of the processes that share a training this one is, by Keras's own variables.

`pipelines/train.py` sets them on one machine.
"""

import os

ADDRESS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"  # host:port of the chief
PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
PROCESS = "KERAS_DISTRIBUTION_PROCESS_ID"  # from 0


def processes() -> int:
    """Returns how many processes train together."""
    return int(os.environ.get(PROCESSES, "1"))


def process() -> int:
    """Returns which of them this one is, from 0."""
    return int(os.environ.get(PROCESS, "0"))


def is_chief() -> bool:
    """Returns whether this process is the one that writes."""
    return process() == 0
