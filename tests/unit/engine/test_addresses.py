import pytest

from growbin_jobs.engine.addresses import without_password, without_passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://user:secret@host:5672/vhost", "amqp://user:********@host:5672/vhost"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://user@host/db?password=secret", "postgresql://user@host/db?********"),
        ("amqp://user:p%40ss@host", "amqp://user:********@host"),
        ("amqp://user:se/cret@host:99999999/", "********"),
        ("amqp://user:12/secret@host", "********"),
        ("amqp://user:12?secret@host", "********"),
        ("amqp://user:12#secret@host", "********"),
        ("user:secret@host", "********"),
        ("amqp:user:secret", "********"),
        ("sqlite:////var/lib/central.db", "sqlite:////var/lib/central.db"),
        ("amqp://me:secret@[::1]:5672/v", "amqp://me:********@[::1]:5672/v"),
    ],
)
def test_no_password_is_shown(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("urls", "shown"),
    [
        ("amqp://a:x@one/v;amqp://b:y@two", "amqp://a:********@one/v;amqp://b:********@two"),
        ("amqp://a:x@one/v;", "amqp://a:********@one/v"),
        ("amqp://user:12345;secret@host", "********"),
        ("amqp://user:12345;secret;@host", "********"),
    ],
)
def test_a_password_that_a_semicolon_cuts_is_not_shown(urls, shown):
    assert without_passwords(urls) == shown
