"""What is raised in an actor whose message a person aborts."""

from dramatiq.middleware import Interrupt


class Aborted(Interrupt):
    """A person has aborted the message that runs. An actor may put away what it holds and must let it go on up."""
