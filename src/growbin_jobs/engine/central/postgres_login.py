"""What libpq says where a server is not connected to, and what to do about it.

libpq gives no SQLSTATE for that, so the words decide. A server says them in the language of its ``lc_messages``, which
is that of the system it was made on; what PostgreSQL itself says is known in English, Korean and Japanese.
"""

import re
from typing import Final

from growbin_jobs.engine.errors import Away, ConfigurationError

#: How libpq gives what a server itself says, in any language: how bad it is, and two blanks.
_SERVER_SAYS: Final = re.compile(r"^\w+:  \S|FATAL:|ERROR:")

#: What a server answers that refuses the login, and the remedy.
_LOGIN_REFUSED: Final = {
    r"\w+ authentication failed|auth failed|no such user|no PostgreSQL user name|인증을 실패|認証に失敗": (
        "Correct user and password in {setting}; restart what runs after a change."
    ),
    "[Tt]enant(?: or |/)user .*not found": "Correct the user in {setting}; a pooler may want USER.PROJECT.",
    r'role ".*" does not exist|롤(?:\(role\))? 없음|ロール".*"は存在しません': (
        "Create the role (createuser), or correct the user in {setting}."
    ),
    '(?:database ".*" does not exist|no such database)|" 데이터베이스 없음|データベース".*"は存在しません': (
        "Create the database (createdb), or correct its name in {setting}."
    ),
    r"pg_hba\.conf": "Allow this host, user and database in the server's pg_hba.conf, or use sslmode=require.",
    "unsupported startup parameter": (
        "It is PgBouncer: set ignore_startup_parameters = extra_float_digits,options and pool_mode = session there, "
        "or name PostgreSQL itself in {setting}."
    ),
    "(unrecognized configuration|invalid value for) parameter|permission denied to set parameter"
    "|환경 매개 ?변수|매개 ?변수의 값|매개 ?변수를 지정|パラメータ": ("Correct the options in {setting}."),
    'role ".*" is not permitted to log in|롤은 접속을 허용하지|ログインが許可されません': (
        "Let an administrator run: ALTER ROLE NAME LOGIN."
    ),
    'database ".*" is not currently accepting|데이터베이스는 현재 접속을 허용하지|は接続を受け付けません': (
        "Let an administrator run: ALTER DATABASE NAME ALLOW_CONNECTIONS true."
    ),
    "permission denied|(?:액세스|접근) 권한 없음|アクセスが拒否": (
        'Let its owner run: GRANT CONNECT ON DATABASE "{name}" TO the user.'
    ),
}

#: Why a server that is reached cannot serve now, and the remedy.
_NOT_NOW: Final = {
    "too many (clients|connections)|connection slots|no more connections allowed|max clients"
    "|최대 (?:동시 )?접속|연결 슬롯|クライアント数が多すぎ|接続が多すぎ|接続スロット": (
        "Raise max_connections there (or the limit of the role or the database), or use fewer: "
        "GROWBIN_DATABASE_POOL_SIZE."
    ),
    "could not write (init|lock) file|No space left on device": "Its disk is full: free some space there.",
    "starting up|shutting down|recovery|not (yet )?accepting connections"
    "|가동 중|중지 중|복구 작업 중|起動処理中|シャットダウン|リカバリ": "It will, when it has started.",
    "cannot connect to server|server_login_retry|server down|query_wait_timeout|bouncer config": (
        "PgBouncer answers, and PostgreSQL behind it does not: start that, or correct PgBouncer's configuration."
    ),
    "session is not read-only|not in hot standby": "Take target_session_attrs out of {setting}: it asks for a standby.",
    "session is not read-write|in hot standby": "No server in {setting} takes writes now: it is a standby.",
    r"has been (disabled|suspended)|exceeded .*quota": "Its provider has stopped it: look at your account there.",
    "could not translate host name|Name or service not known": "Correct the host's name in {setting}.",
    "timeout expired|timed out": "Let the firewall pass its port, or correct {setting}.",
    "No such file or directory": "Name the server's host in {setting}, or start it.",
    "invalid response|expected authentication request|server closed the connection unexpectedly": (
        "What listens there is no PostgreSQL: correct host and port in {setting}."
    ),
}

#: What libpq itself says of an address with which nothing can be connected to, often of TLS, and the remedy.
_NEVER: Final = {
    "channel binding": "Ask for TLS (sslmode=require), or take channel_binding out of {setting}.",
    "alert unknown ca": "The server does not know the authority that signed sslcert in {setting}.",
    "does not match host name": "Name the server in {setting} as its certificate does.",
    "certificate verify failed": (
        "Its certificate has expired, or another authority signed it than sslrootcert in {setting} names."
    ),
    "root certificate": "Name a file with the authority's certificate by sslrootcert=/path/ca.pem in {setting}.",
    "does not support SSL": "Turn TLS on there (ssl = on), or ask for another sslmode in {setting}.",
    r"(SSL|TLS)\b.{0,20}\brequired|connection is insecure": "Ask for TLS: add sslmode=require to {setting}.",
    "certificate file|private key file": "Correct sslcert and sslkey in {setting}.",
    "valid client certificate": "Name one by sslcert=/path/client.crt&sslkey=/path/client.key in {setting}.",
    "no password supplied": "Add the password to {setting}.",
    r"^invalid .*(value|number)\b|could not match \d+|^definition of service": "Correct it in {setting}.",
}

_IN_ITS_WORDS: Final = "It is there and refuses: mend what it says, or correct {setting}."


def unconnected(text: str, address: str, *, setting: str, wait: float) -> ConfigurationError | Away:
    """Return the error for a connection that was not made: what the server said, and the remedy.

    Parameters:
      text: libpq's.
      address: Of the database, without user and password.
      setting: Name of the setting that holds it.
      wait: Seconds until the next try.
    """
    # libpq has one line for each address that it tried; the last one will do. PgBouncer quotes another "failed:" in it.
    reason = next((line for line in reversed(text.splitlines()) if "failed:" in line), text.partition("\n")[0])
    reason = (reason.partition("failed: ")[2] or reason).strip().rstrip(".")
    is_refusal = _SERVER_SAYS.search(reason) is not None
    if is_refusal:
        for words, remedy in _LOGIN_REFUSED.items():
            if re.search(words, reason):
                named = remedy.format(setting=setting, name=address.rpartition("/")[2])
                return ConfigurationError(f"{address} refuses the login ({reason}). {named}")
    for words, remedy in _NEVER.items():
        if re.search(words, reason):
            return ConfigurationError(f"{address} is not connected to: {reason}. {remedy.format(setting=setting)}")
    remedies = (remedy for words, remedy in _NOT_NOW.items() if re.search(words, text))
    unknown = _IN_ITS_WORDS if is_refusal else "Start PostgreSQL, or correct {setting}."
    remedy = next(remedies, unknown).format(setting=setting)
    return Away(f"{address} does not answer ({reason}). {remedy}", wait=wait)
