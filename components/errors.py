"""The one exception that is written for the person at the keyboard, and how it is told."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Something the user gave is wrong.

    The message is one sentence that says what is wrong, where (file and line or
    key), and what to do. The command line prints it without a traceback.
    """


def exit_status(program: str, work: Callable[[], int]) -> int:
    """Runs a command's work and tells what is wrong or was stopped in one line, on standard error.

    Args:
        program: What the line begins with.
        work: Returns the exit status where it gets through.

    Returns:
        That of `work`; 1 after an `InputError`, 130 after Ctrl-C.
    """
    try:
        return work()
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped; run the same again to go on.", file=sys.stderr)
        return 130
