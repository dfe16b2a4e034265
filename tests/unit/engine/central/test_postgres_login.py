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
    ("server is in hot standby mode", Away, "standby"),
    ("server is not in hot standby mode", Away, "target_session_attrs"),
    ("fe_sendauth: no password supplied", ConfigurationError, "Add the password"),
    ("Connection refused", Away, "Start PostgreSQL"),
    ('치명적오류:  사용자 "u"의 password 인증을 실패했습니다', ConfigurationError, "user and password"),
    ('치명적오류:  "u" 롤(role) 없음', ConfigurationError, "createuser"),
    ('치명적오류:  "x" 데이터베이스 없음', ConfigurationError, "createdb"),
    ('치명적오류:  "u" 롤은 접속을 허용하지 않음', ConfigurationError, "LOGIN"),
    ('치명적오류:  "x" 데이터베이스는 현재 접속을 허용하지 않습니다', ConfigurationError, "ALLOW_CONNECTIONS"),
    ('치명적오류:  "x" 데이터베이스 액세스 권한 없음', ConfigurationError, "GRANT CONNECT"),
    ('치명적오류:  알 수 없는 환경 매개 변수 이름: "nope"', ConfigurationError, "options in DATABASE_URL"),
    ("치명적오류:  최대 동시 접속자 수를 초과했습니다.", Away, "max_connections"),
    ("치명적오류:  데이터베이스 시스템이 새로 가동 중입니다.", Away, "when it has started"),
    ('FATAL:  ユーザー"u"のパスワード認証に失敗しました', ConfigurationError, "user and password"),
    ('FATAL:  データベース"x"は存在しません', ConfigurationError, "createdb"),
    ("FATAL:  現在クライアント数が多すぎます", Away, "max_connections"),
    ("ВАЖНО:  база данных не существует", Away, "It is there and refuses"),
]


@pytest.mark.parametrize(("said", "kind", "words"), SAID)
def test_each_answer_has_a_remedy(said, kind, words):
    error = unconnected(TRIED + said, "postgresql://db.example:5432/x", setting="DATABASE_URL", wait=10)

    assert type(error) is kind
    assert words in str(error)
    assert said.rstrip(".") in str(error)


@pytest.mark.parametrize(
    "said",
    [
        'invalid port number: "99999"',
        'invalid target_session_attrs value: "any1"',
        'invalid integer value "abc" for connection option "connect_timeout"',
        "could not match 3 port numbers to 2 hosts",
        'definition of service "x" not found',
    ],
)
def test_what_libpq_cannot_read_is_a_wrong_setting(said):
    error = unconnected(said, "postgresql://h/x", setting="DATABASE_URL", wait=10)

    assert type(error) is ConfigurationError
    assert "Correct it in DATABASE_URL" in str(error)


def test_the_last_address_that_was_tried_is_named():
    text = f"{TRIED}Connection refused\n{TRIED}FATAL:  no such user: u"

    assert "no such user" in str(unconnected(text, "postgresql://h/x", setting="DATABASE_URL", wait=10))
