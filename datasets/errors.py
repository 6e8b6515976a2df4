"""The one error a user can cause."""


class InputError(ValueError):
    """Bad input: one line that names the place, what was found, what is allowed and what to do.

    The command line prints it as it is and ends with exit code 2.
    """
