"""What limits promised, and making them in the store, on both databases."""

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.named import NamedLimit, NamedLimits
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.provision import Provision, provision_of
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.rates import Rate, parse_rates


def starting(database: Database, text: str = "vision=100,user:*=20") -> Provision:
    """A process that starts with these settings."""
    provision = provision_of(database, NamedLimits(parse_rates(text)))
    provision.make_configured()
    return provision


def spacing(most: int) -> float:
    return NamedLimit("any", Rate(most)).parameters.spacing


def kept(database: Database) -> dict[str, float]:
    return {limit.name: limit.spacing for limit in SqlLimits(database).limits()}


def test_the_limits_of_the_settings_are_made_and_their_promises_noted_once(database: Database) -> None:
    for _ in range(3):
        starting(database)

    assert kept(database) == {"vision": pytest.approx(spacing(100))}
    history = Promises(database).history()
    assert [(each.name, each.rate, each.origin) for each in history] == [
        ("user:*", Rate(20), "setting"),
        ("vision", Rate(100), "setting"),
    ]


def test_a_rate_that_a_person_sets_wins_over_the_settings_also_after_a_restart_until_it_is_given_back(
    database: Database,
) -> None:
    starting(database).set("vision", Rate(60))
    assert kept(database)["vision"] == pytest.approx(spacing(60))

    restarted = starting(database, "vision=120")
    assert kept(database)["vision"] == pytest.approx(spacing(60))

    assert restarted.reset("vision") is not None
    assert kept(database)["vision"] == pytest.approx(spacing(120))
    starting(database, "vision=130")
    assert kept(database)["vision"] == pytest.approx(spacing(130))
    assert [str(each.rate) for each in Promises(database).history() if each.name == "vision"] == [
        "100/min", "60/min", "120/min", "130/min",
    ]  # fmt: skip


def test_users_get_their_limits_on_demand_and_a_new_common_rate_reaches_them(database: Database) -> None:
    limits = NamedLimits(parse_rates("user:*=20,user:vip=99"))
    provision = starting(database, "user:*=20,user:vip=99")
    provision.set("user:heavy", Rate(5))
    provision.make(filter(None, map(limits.find, ("user:u1", "user:heavy", "user:vip"))))

    provision.set("user:*", Rate(10))
    other = starting(database, "user:*=20,user:vip=99")
    other.make(filter(None, [limits.find("user:u2")]))

    rates = {"user:u1": 10, "user:u2": 10, "user:heavy": 5, "user:vip": 99}
    assert kept(database) == {name: pytest.approx(spacing(most)) for name, most in rates.items()}


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(database: Database) -> None:
    provision = starting(database)
    before = Promises(database).history()

    with pytest.raises(ConfigurationError):
        provision.set("tokens:", Rate(5))

    assert provision.reset("project") is None
    assert Promises(database).history() == before


def test_a_change_keeps_what_was_granted_before(database: Database) -> None:
    provision, store = starting(database), SqlLimits(database)
    store.take({"vision": 1})
    before = {limit.name: limit.tat for limit in store.limits()}

    provision.set("vision", Rate(10))

    assert {limit.name: limit.tat for limit in store.limits()} == before
