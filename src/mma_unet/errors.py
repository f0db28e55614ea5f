"""The one exception type for bad input, so that every front end can show it the same way."""

__all__ = ["InputError"]


class InputError(ValueError):
    """Bad input from the user: one clear sentence that names the file and the mend.

    The command line shows the message without a traceback and exits with code 2; in a batch
    the item is listed at the end and the rest goes on.
    """
