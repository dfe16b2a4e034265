import pytest

from growbin_jobs.engine.addresses import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://user:secret@host:5672/vhost", "amqp://user:********@host:5672/vhost"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://user@host/db?password=secret", "postgresql://user@host/db?********"),
        ("amqp://user:p%40ss@host", "amqp://user:********@host"),
        ("amqp://user:se/cret@host:99999999/", "********"),
    ],
)
def test_no_password_is_shown(url, shown):
    assert without_password(url) == shown
