"""The one exception of this room; the command line turns it into a sentence and an exit code."""


class SimulationError(Exception):
    """Something the caller can put right; the message says what is wrong, where, and what to do.

    ``exit_code`` follows the command line's convention: 1 failed check, 2 bad usage, 3 not found.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
