"""The one error a user can cause."""


class InputError(ValueError):
    """Bad input: one line that names the place, what was found, what is allowed and what to do.

    The command line prints it as it is and ends with exit code 2.
    """

    def __str__(self) -> str:
        # parts of a file are told: control characters would change the terminal, line ends make two lines of one
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().__str__())
