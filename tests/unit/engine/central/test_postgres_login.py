"""What servers and poolers answer to a login, and what a person is told to do."""

import pytest

from growbin_jobs.engine.central.postgres_login import unconnected
from growbin_jobs.engine.errors import Away, ConfigurationError

TRIED = 'connection to server at "db.example" (1.2.3.4), port 5432 failed: '

SAID = [
    ('FATAL:  password authentication failed for user "u"', ConfigurationError, "user and password"),
    ('FATAL:  PAM authentication failed for user "u"', ConfigurationError, "user and password"),
    ('FATAL:  server login failed: FATAL password authentication failed for user "u"', ConfigurationError, "password"),
    ("FATAL:  Tenant or user not found", ConfigurationError, "USER.PROJECT"),
    ("server does not support SSL, but SSL was required", ConfigurationError, "ssl = on"),
    ("FATAL:  SSL required", ConfigurationError, "sslmode=require"),
    ("ERROR:  connection is insecure (try using `sslmode=require`)", ConfigurationError, "add sslmode=require"),
    ("channel binding required but not supported by server", ConfigurationError, "channel_binding"),
    ("SSL error: tlsv1 alert unknown ca", ConfigurationError, "sslcert"),
    ("SSL error: certificate verify failed", ConfigurationError, "sslrootcert"),
    ("FATAL:  MaxClientsInSessionMode: max clients reached", Away, "GROWBIN_DATABASE_POOL_SIZE"),
    ("FATAL:  pgbouncer cannot connect to server", Away, "PostgreSQL behind it"),
    ("FATAL:  client_login_timeout (server down)", Away, "PostgreSQL behind it"),
    ("ERROR:  The endpoint has been disabled.", Away, "provider"),
    ("session is not read-write", Away, "standby"),
    ("Connection refused", Away, "Start PostgreSQL"),
]


@pytest.mark.parametrize(("said", "kind", "words"), SAID)
def test_each_answer_has_a_remedy(said, kind, words):
    error = unconnected(TRIED + said, "postgresql://db.example:5432/x", setting="DATABASE_URL", wait=10)

    assert type(error) is kind
    assert words in str(error)
    assert said.rstrip(".") in str(error)


def test_the_last_address_that_was_tried_is_named():
    text = f"{TRIED}Connection refused\n{TRIED}FATAL:  no such user: u"

    assert "no such user" in str(unconnected(text, "postgresql://h/x", setting="DATABASE_URL", wait=10))
