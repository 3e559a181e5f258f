"""The one exception that is written for the person at the keyboard."""


class InputError(Exception):
    """Something the user gave is wrong.

    The message is one sentence that says what is wrong, where (file and line or
    key), and what to do. The command line prints it without a traceback.
    """
