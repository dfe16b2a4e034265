"""Offline shares in the central database, on both of them."""

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.named import NamedLimit, NamedLimits
from growbin_jobs.limits.offline_reserve import Reserves
from growbin_jobs.limits.provision import Provision, provision_of
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.rates import Rate, parse_rates

LIMITS = NamedLimits(parse_rates("vision=100,text=200"))


def started(database: Database) -> tuple[Provision, Reserves]:
    provision = provision_of(database, LIMITS)
    provision.make_configured()
    return provision, Reserves(database, LIMITS)


def spacings(database: Database) -> dict[str, float]:
    return {limit.name: limit.spacing for limit in SqlLimits(database).limits()}


def spacing(most: int) -> float:
    return pytest.approx(NamedLimit("any", Rate(most)).parameters.spacing)


def open_now(database: Database) -> None:
    """Let the window pass in which the whole limit was granted."""
    database.run(lambda one: one.execute_sql("UPDATE limit_reserve SET opens = 0"))


def test_a_share_is_taken_from_the_limit_at_once_and_leased_a_window_later(database: Database) -> None:
    _, reserves = started(database)
    SqlLimits(database).take({"vision": 1})

    assert reserves.set("vision", 0.1) == 10
    assert spacings(database) == {"vision": spacing(90), "text": spacing(200)}
    assert reserves.renew("n1", ["vision", "text"]) == {"vision": (None, True)}

    open_now(database)
    assert reserves.renew("n1", ["vision"])["vision"].rate == Rate(10)


def test_starting_and_changing_processes_leave_it_away_from_the_limit(database: Database) -> None:
    provision, reserves = started(database)
    reserves.set("vision", 0.1)

    started(database)
    assert spacings(database)["vision"] == spacing(90)
    provision.set("vision", Rate(60))
    assert spacings(database)["vision"] == spacing(54)
    provision.reset("vision")
    assert spacings(database)["vision"] == spacing(90)
    assert reserves.parts() == {"vision": 0.1}
    assert reserves.set("vision", 0.0) == 0
    assert (spacings(database)["vision"], reserves.parts()) == (spacing(100), {})


def test_nodes_divide_it_and_a_limit_that_is_lowered_below_what_they_have_grants_nothing(database: Database) -> None:
    provision, reserves = started(database)
    reserves.set("vision", 0.1)
    assert reserves.renew("n1", ["vision"])["vision"].rate == Rate(10)
    assert reserves.renew("n2", ["vision"])["vision"].rate is None, "n1 has it all for now"
    assert reserves.renew("n1", ["vision"])["vision"].rate == Rate(5)

    provision.set("vision", Rate(8))
    [vision] = SqlLimits(database).find(["vision"])
    assert vision.held_until > 0
    assert not SqlLimits(database).take({"vision": 1}).decision.granted


def test_a_node_whose_file_is_lost_is_not_new(database: Database) -> None:
    _, reserves = started(database)
    reserves.set("text", 0.5)

    assert [reserves.renew("n1", ["text"])["text"].is_new for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("name", "part"), [("vision", 0.51), ("vision", -0.1), ("vision", 0.009), ("nothing", 0.1)])
def test_what_cannot_be_kept_back_is_refused(database: Database, name: str, part: float) -> None:
    _, reserves = started(database)

    with pytest.raises(ConfigurationError):
        reserves.set(name, part)

    assert spacings(database)["vision"] == spacing(100)
