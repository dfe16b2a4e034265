"""Names of our own errors: reasons of dead letters that begin with one may be kept as they are."""

from growbin_jobs.engine.errors import GrowbinError


def own_error_names() -> set[str]:
    """Return the names of our own errors, whose texts may be stored, and what else begins a reason of ours."""
    names, classes = {"not a message"}, [GrowbinError]
    while classes:
        found = classes.pop()
        names.add(found.__name__)
        classes.extend(found.__subclasses__())
    return names
