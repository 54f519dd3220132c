"""How a command ends: the exit codes, and the one line that says why.

Law: an error is one line on standard error that ends with what to do.
"""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
TIMED_OUT: Final = 3
DIFFERS: Final = 4
DAMAGED: Final = 5
NOT_RUNNING: Final = 8
NOT_FOUND: Final = 10
NOT_PERMITTED: Final = 77
INTERRUPTED: Final = 130


class Stop(Exception):
    """The end of a command: an exit code, and one line for standard error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
