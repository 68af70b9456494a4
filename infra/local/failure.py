"""What goes wrong, in words for whoever typed the command."""


class Failure(Exception):
    """One sentence that says what is wrong and how to mend it."""
