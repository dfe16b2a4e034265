"""Who runs a command, for records."""

import getpass


def name_of_person() -> str:
    """Return the name of the account that runs this process; ``cli`` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "cli"
