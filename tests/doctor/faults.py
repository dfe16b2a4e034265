"""The faults that ``growbin-jobs doctor`` names in one line each: what is staged, and what the line must say.

``test_faults`` stages each of them in an installation that is well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.doctor import spoil
from tests.doctor.stage import SECRET, Stage, alarmed, refusing


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
      name: What is wrong, for people.
      staged: Settings that make it so, or what does it and returns such settings.
      what: The thing that the line is about.
      words: What the line must have, as a regular expression: what is wrong, and the remedy.
      status: ``failed`` gives exit code 1.
      servers: It wants one of the private servers.
    """

    name: str
    staged: Mapping[str, str] | Callable[[Stage], Mapping[str, str]]
    what: str
    words: str
    status: Literal["failed", "warning"] = "failed"
    servers: bool = False


def _amqp(port: int) -> dict[str, str]:
    return {"GROWBIN_BROKER_URL": f"amqp://user:{SECRET}@127.0.0.1:{port}/v"}


def _pg(host: str, query: str = "") -> dict[str, str]:
    return {"DATABASE_URL": f"postgresql://user:{SECRET}@{host}/growbin{query}"}


def _set(**settings: str) -> dict[str, str]:
    return {f"GROWBIN_{name}": value for name, value in settings.items()}


SETTINGS = [
    Fault("a setting's name is misspelt", _set(BROKER_ULR="x"), "settings", r"Did you mean GROWBIN_BROKER_URL\?", "warning"),
    Fault("a setting has small letters and a slip", {"growbin_langauge": "en"}, "settings", r"mean GROWBIN_LANGUAGE\?", "warning"),
    Fault("a setting has a prefix that it has not", _set(DATABASE_URL="x"), "settings", r"Did you mean DATABASE_URL\?", "warning"),
    Fault("a setting has another's name", _set(OPENAI_KEY="x"), "settings", r"Did you mean OPENAI_API_KEY\?", "warning"),
    Fault("a setting that there is not", _set(QUITE_OTHER="x"), "settings", "GROWBIN_QUITE_OTHER is no setting", "warning"),
    Fault("a setting's words are put together otherwise", {"GROWBINBROKER_URL": "x"}, "settings", r"Did you mean GROWBIN_BROKER_URL\?", "warning"),
    Fault("another program's name of an address", {"DATABASE_URI": "x"}, "settings", r"DATABASE_URI is no setting. Did you mean DATABASE_URL\?", "warning"),
    Fault("a key without its line", {"OPENAI_APIKEY": "x"}, "settings", r"Did you mean OPENAI_API_KEY\?", "warning"),
    Fault("quotes that belong to the value", {"OPENAI_API_KEY": '"sk-abc"'}, "settings", "OPENAI_API_KEY: is in quotes.*without them"),
    Fault("words instead of a number", _set(SYNC_BATCH="many"), "settings", "GROWBIN_SYNC_BATCH: .*integer"),
    Fault("a language that there is not", _set(LANGUAGE="fr"), "settings", "GROWBIN_LANGUAGE: .*'ko' or 'en'"),
    Fault("a node's name leads out of the folder", _set(NODE="../../x"), "settings", "GROWBIN_NODE"),
    Fault("a time zone that there is not", _set(TIMEZONE="Asia/Seol"), "settings", "GROWBIN_TIMEZONE"),
    Fault("a worker group that there is not", {"WORKER_TYPE": "storge"}, "settings", "WORKER_TYPE.*storage, ai"),
    Fault("a limit is no rate", _set(LIMITS="project=fast"), "settings", "GROWBIN_LIMITS"),
    Fault("a call may take longer than its stage", _set(VISION_TIMEOUT="70"), "settings", "shorter than the time limit"),
    Fault("a folder of secrets is not there", _set(SECRETS_DIR="/nowhere/s"), "settings", "GROWBIN_SECRETS_DIR"),
    Fault("a secret is newer than the workers", spoil.changed_secret, "settings", "OPENAI_ADMIN_KEY in .* changed after worker process .*Restart", "warning"),
    Fault("two settings are wrong", _set(NODE="a/b", LANGUAGE="fr"), "settings", "GROWBIN_NODE.*GROWBIN_LANGUAGE|LANGUAGE.*NODE"),
    Fault("processes are killed on purpose", _set(CRASHPOINT="x"), "settings", "GROWBIN_CRASHPOINT kills.*Unset it", "warning"),
    Fault("metrics are to be served at another machine's address", _set(METRICS_HOST="192.0.2.1"), "metrics", "at 192.0.2.1 .*set GROWBIN_METRICS_HOST"),
    Fault("metrics are to be served at no machine", _set(METRICS_HOST="no.such.host.invalid"), "metrics", "at no.such.host.invalid .*set GROWBIN_METRICS_HOST"),
    Fault("the metrics' address has a port", _set(METRICS_HOST="127.0.0.1:9090"), "settings", "GROWBIN_METRICS_HOST: must be an address.*without a port"),
    Fault("a network is none", _set(HEALTH_NETWORKS="10.1.0.0/99"), "settings", "GROWBIN_HEALTH_NETWORKS.*10.1.0.0/99"),
]  # fmt: skip

PLACE = [
    Fault("the data folder is a link to nowhere", lambda s: _set(DATA_DIR=str(s.link())), "data folder", "is a link to .*does not exist.*GROWBIN_DATA_DIR"),
    Fault("the data folder lies below such a link", lambda s: _set(DATA_DIR=f"{s.link()}/x"), "data folder", "GROWBIN_DATA_DIR"),
    Fault("the data folder lies below a file", lambda s: _set(DATA_DIR=f"{s.junk}/x"), "data folder", "cannot be made.*GROWBIN_DATA_DIR"),
    Fault("the data folder lies in /proc", _set(DATA_DIR="/proc/growbin/data"), "data folder", "GROWBIN_DATA_DIR"),
    Fault("the data folder is not writable", spoil.not_writable, "data folder", "not writable.*GROWBIN_DATA_DIR"),
    Fault("the queue is another user's", lambda s: spoil.another_s(s, "broker.db"), "data folder", "broker.db is not writable.*chown -R"),
    Fault("the database is another user's", lambda s: spoil.another_s(s, "central.db-wal"), "data folder", "central.db-wal is not writable.*chown -R"),
    Fault("the data folder is relative", _set(DATA_DIR="data"), "settings", "GROWBIN_DATA_DIR: must be an absolute path"),
    Fault("the data folder is nobody's home", _set(DATA_DIR="~nobody-at-all/x"), "settings", "GROWBIN_DATA_DIR.*home"),
    Fault("the user has no home", spoil.homeless, "data folder", "no home: set GROWBIN_DATA_DIR", "warning"),
    Fault("the disk is full", _set(JOURNAL_FREE_FLOOR="1000000000000"), "data folder", "GROWBIN_JOURNAL_FREE_FLOOR.*Free some space"),
    Fault("the disk is nearly full", spoil.little_disk, "data folder", "0.5 GB free. Free some space", "warning"),
    Fault("the journal is damaged", spoil.damaged_journal, "journal", "is damaged .* worker .*puts it aside"),
    Fault("the node had another name", spoil.journal_of_another_name, "journal", "old-host/.* not been sent.*journal drain --path", "warning"),
    Fault("the journal is another file", spoil.no_journal, "journal", "no journal|damaged"),
    Fault("a damaged journal was put aside", spoil.journal_aside, "journal", "put aside: .*Look at the disk", "warning"),
    Fault("the storage group's library is missing", lambda s: s.without("gevent"), "packages", r"gevent not installed.*pip install 'growbin-jobs\[storage\]'", "warning"),
    Fault("the AI group's library is missing", lambda s: s.without("openai"), "packages", r"openai .*growbin-jobs\[ai\]", "warning"),
    Fault("no worker's library is here", lambda s: s.without("apscheduler", "PIL"), "packages", r"growbin-jobs\[storage,ai\]", "warning"),
]  # fmt: skip

BROKER = [
    Fault("nobody listens at RabbitMQ's port", lambda s: _amqp(s.closed_port()), "broker", "cannot be reached.*GROWBIN_BROKER_URL"),
    Fault("a web server listens there", lambda s: _amqp(s.port(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "broker", "speaks no AMQP|no answer of RabbitMQ"),
    Fault("who listens there says nothing", lambda s: _amqp(s.port(b"")), "broker", "accepts connections, but gives no answer"),
    Fault("who listens there hangs up", lambda s: _amqp(s.port(None)), "broker", "cannot be reached"),
    Fault("RabbitMQ's host is unknown", _set(BROKER_URL="amqp://u:p@no-such-host.invalid/v"), "broker", "no-such-host.invalid.*cannot be reached"),
    Fault("the broker's address is another's", _set(BROKER_URL="redis://127.0.0.1/0"), "settings", "GROWBIN_BROKER_URL.*amqp"),
    Fault("the password is not percent-encoded", _set(BROKER_URL="amqp://user:hunter2/w@127.0.0.1:1/v"), "broker", "GROWBIN_BROKER_URL.*%2F|percent"),
    Fault("the password is wrong", lambda s: s.rabbitmq(password="other"), "broker", "wrong user or password.*GROWBIN_BROKER_URL", servers=True),
    Fault("the virtual host is not there", lambda s: s.rabbitmq(vhost="no-such"), "broker", "virtual host.*GROWBIN_BROKER_URL", servers=True),
    Fault("the user may not configure", lambda s: [s.used(), s.rabbitmq(configure="^$")][1], "broker", "permissions configure, write and read", servers=True),
    Fault("a queue has other properties", lambda s: _set(BROKER_URL=s.used(), QUEUE_TYPE="classic"), "broker", "other properties.*GROWBIN_QUEUE_TYPE", servers=True),
    Fault("RabbitMQ has an alarm", lambda s: _amqp(s.port(alarmed)), "broker", "takes no messages: low on disk. Free memory or disk"),
    Fault("TLS where there is none", lambda s: _set(BROKER_URL=f"amqps://u:p@127.0.0.1:{s.port(b'AMQP0091')}/v"), "broker", "TLS|SSL"),
    Fault("TLS with an authority's file that is not there", _set(BROKER_URL="amqps://u:p@127.0.0.1:1/v?cacertfile=/nowhere/ca.pem"), "broker", "/nowhere/ca.pem|cacertfile"),
    Fault("the embedded broker's file is damaged", lambda s: s.data.joinpath("broker.db").write_bytes(s.junk.read_bytes()) and {}, "broker", "broker.db cannot be used"),
]  # fmt: skip

DATABASE = [
    Fault("nobody listens at PostgreSQL's port", lambda s: _pg(f"127.0.0.1:{s.closed_port()}"), "database", "does not answer.*Start PostgreSQL, or correct DATABASE_URL"),
    Fault("PostgreSQL's host is unknown", _pg("no-such-host.invalid"), "database", "Correct the host's name in DATABASE_URL"),
    Fault("a web server listens at its port", lambda s: _pg(f"127.0.0.1:{s.port(b'HTTP/1.1 400 Bad')}"), "database", "no PostgreSQL: correct host and port in DATABASE_URL"),
    Fault("another kind of database", {"DATABASE_URL": "mysql://u:p@127.0.0.1/x"}, "settings", "DATABASE_URL must start with postgresql:// or sqlite:///"),
    Fault("SQLite's file may only be read", lambda s: {"DATABASE_URL": f"sqlite://{s.folder}/own.db"} | spoil.another_s(s, f"{s.folder}/own.db"), "database", "own.db is not writable"),
    Fault("SQLite in memory", {"DATABASE_URL": "sqlite:///:memory:"}, "database", "DATABASE_URL must name a file"),
    Fault("PgBouncer does not know the database", lambda s: _pg(f"127.0.0.1:{s.port(refusing('no such database: growbin'))}", "?sslmode=disable"), "database", "correct its name in DATABASE_URL"),
    Fault("a client's certificate is wanted", lambda s: _pg(f"127.0.0.1:{s.port(refusing('connection requires a valid client certificate'))}", "?sslmode=disable"), "database", "sslcert=.*DATABASE_URL"),
    Fault("the password is not encoded", {"DATABASE_URL": "postgresql://user:hunter2@x@h/n"}, "database", "DATABASE_URL cannot be read.*%40"),
    Fault("SQLite below a file", lambda s: {"DATABASE_URL": f"sqlite:///{s.junk}/growbin.db"}, "database", "DATABASE_URL"),
    Fault("SQLite with a relative path", {"DATABASE_URL": "sqlite://growbin.db"}, "settings", "DATABASE_URL must start with .*sqlite:///"),
    Fault("SQLite's file is something else", lambda s: {"DATABASE_URL": f"sqlite:///{s.junk}"}, "database", "Name another file in DATABASE_URL"),
    Fault("PostgreSQL's driver is missing", lambda s: _pg("127.0.0.1:1") | s.without("psycopg2", reimported=("growbin_jobs.engine.central.postgres",)), "database", r"pip install.*growbin-jobs\[postgres\]"),
    Fault("the password is wrong", lambda s: s.database(old="@", new="x@"), "database", "Correct user and password in DATABASE_URL", servers=True),
    Fault("a line end behind an address, and the wrong password", lambda s: s.database(old="@", new="x@", end="\n"), "database", "Correct user and password in DATABASE_URL", servers=True),
    Fault("the database is not there", lambda s: s.database(old="/test_", new="/nothing_"), "database", "Create the database", servers=True),
    Fault("TLS that the server does not have", lambda s: s.database(new="?sslmode=require"), "database", "SSL.*sslmode in DATABASE_URL", servers=True),
    Fault("an sslmode that there is not", lambda s: s.database(new="?sslmode=often"), "database", "sslmode.*DATABASE_URL", servers=True),
    Fault("PgBouncer refuses our options", lambda s: _pg(f"127.0.0.1:{s.port(refusing('unsupported startup parameter: options'))}", "?sslmode=disable"), "database", "ignore_startup_parameters"),
    Fault("pg_hba.conf does not let us in", lambda s: _pg(f"127.0.0.1:{s.port(refusing('no pg_hba.conf entry for host'))}", "?sslmode=disable"), "database", "pg_hba.conf, or use sslmode=require"),
    Fault("PostgreSQL is starting", lambda s: _pg(f"127.0.0.1:{s.port(refusing('the database system is starting up'))}", "?sslmode=disable"), "database", "starting up"),
    Fault("an option that the server does not have", lambda s: s.database(new="?options=-c%20nonsense%3D1"), "database", 'refuses the login.*"nonsense".*Correct the options in DATABASE_URL', servers=True),
    Fault("too many connections", lambda s: s.role("ALTER ROLE {role} CONNECTION LIMIT 0"), "database", "too many connections.*GROWBIN_DATABASE_POOL_SIZE", servers=True),
    Fault("a role that may not log in", lambda s: s.role("ALTER ROLE {role} NOLOGIN"), "database", "ALTER ROLE .* LOGIN", servers=True),
    Fault("it cannot hold every text", lambda s: s.encoded("EUC_KR"), "database", "encoded in EUC_KR.*createdb --encoding=UTF8", servers=True),
    Fault("no right to read", lambda s: s.role(), "database", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", servers=True),
    Fault("rights to read only", lambda s: s.role("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"), "database", "GRANT INSERT, UPDATE, DELETE ON ALL TABLES", servers=True),
    Fault("no right to one table", lambda s: s.role("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}", "REVOKE DELETE ON tasks FROM {role}"), "database", "GRANT DELETE ON tasks TO", servers=True),
    Fault("no right to make tables", lambda s: s.role("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"), "database", "may make no tables.*GRANT USAGE, CREATE ON SCHEMA|No schema.*GRANT USAGE, CREATE", servers=True),
    Fault("the tables are elsewhere", lambda s: s.role("ALTER SCHEMA public RENAME TO other", "CREATE SCHEMA public", "GRANT ALL ON SCHEMA public, other TO {role}"), "database", 'in the schema "other".*SET search_path', servers=True),
    Fault("the schema may not be entered", lambda s: s.role("REVOKE ALL ON SCHEMA public FROM PUBLIC"), "database", 'GRANT USAGE ON SCHEMA "public"', servers=True),
    Fault("a role that may only read", lambda s: s.role("ALTER ROLE {role} SET default_transaction_read_only = on"), "database", "can only be read.*default_transaction_read_only = off", servers=True),
    Fault("it is behind", lambda s: s.database("DELETE FROM schema_version WHERE version > 30"), "database", "lacks 003.*Run: growbin-jobs db upgrade", servers=True),
    Fault("it is ahead", lambda s: s.database("INSERT INTO schema_version VALUES (9000, 'x', now(), 9000)"), "database", "has schema 9000.*Install the version", servers=True),
    Fault("its disk is full", lambda s: s.database(spoil.DISK_FULL, "CREATE EVENT TRIGGER disk ON ddl_command_start EXECUTE FUNCTION disk_full()"), "database", "no room left on its disk.*Free some", servers=True),
    Fault("its disk is so full that nobody can log in", lambda s: _pg(f"127.0.0.1:{s.port(refusing('could not write init file'))}", "?sslmode=disable"), "database", "could not write init file.*disk is full: free some"),
    Fault("it is being restored", lambda s: s.database("ALTER TABLE tasks DROP CONSTRAINT tasks_pkey"), "database", "tasks lack their primary keys.*Let it end", servers=True),
    Fault("it was restored", spoil.restored, "database", "lacks 1 task .* restored.*journal sync --again-since 20", "warning"),
    Fault("somebody keeps a table to himself", lambda s: s.locked("LOCK TABLE tasks"), "database", r"process \d+ \(application psql, user \w+, transaction since 20\S+ \S+ UTC\) has locked the table tasks: nobody .* read it.*SELECT pg_terminate_backend\(\d+\)", servers=True),
    Fault("an open transaction keeps a row for which others wait", lambda s: s.locked("UPDATE schema_version SET name = name", waits="UPDATE schema_version SET name = name"), "database", r"application psql, .* has locked the table schema_version: others wait for it.*SELECT pg_terminate_backend\(\d+\)", servers=True),
    Fault("the clocks differ", lambda s: s.database() | spoil.clock(s), "database", "clock is [67][0-9] s ahead of the database's. Set the clocks", "warning", servers=True),
]  # fmt: skip

STORE = [
    Fault("no such kind of store", _set(OBJECT_STORE_URL="gs://pictures"), "settings", "GROWBIN_OBJECT_STORE_URL must be s3://bucket or file:///folder"),
    Fault("a bucket's name that there cannot be", _set(OBJECT_STORE_URL="s3://My_Pictures"), "object store", "names no S3 bucket"),
    Fault("the folder lies below a file", lambda s: _set(OBJECT_STORE_URL=f"file://{s.junk}/x"), "object store", "GROWBIN_OBJECT_STORE_URL"),
    Fault("the folder is a link to nowhere", lambda s: _set(OBJECT_STORE_URL=f"file://{s.link()}"), "object store", "link that leads nowhere.*GROWBIN_OBJECT_STORE_URL"),
    Fault("S3's library is missing", lambda s: s.bucket("pictures", "http://127.0.0.1:1") | s.without("boto3"), "object store", r"pip install 'growbin-jobs\[s3\]'"),
    Fault("nobody listens at S3's port", lambda s: s.bucket("pictures", f"http://127.0.0.1:{s.closed_port()}"), "object store", "cannot be reached.*GROWBIN_S3_ENDPOINT_URL"),
    Fault("the endpoint is no address", lambda s: s.bucket("pictures", "127.0.0.1:9000"), "object store", "GROWBIN_S3_ENDPOINT_URL must be http"),
    Fault("no credentials", lambda s: s.bucket("pictures", "http://127.0.0.1:1", None), "object store", "Set AWS_ACCESS_KEY_ID"),
    Fault("a web page answers", lambda s: s.s3(200), "object store", "no S3 server. Check GROWBIN_S3_ENDPOINT_URL"),
    Fault("the store forbids it", lambda s: s.s3(403, "AccessDenied"), "object store", "refuses access.*rights to Get, Put, Delete and List"),
    Fault("the machine's clock is wrong for S3", lambda s: s.s3(403, "RequestTimeTooSkewed"), "object store", "clock differs from S3's.*Set it"),
    Fault("the region is wrong", lambda s: s.s3(400, "AuthorizationHeaderMalformed"), "object store", "region.*AWS_DEFAULT_REGION"),
    Fault("the region is no name", lambda s: s.bucket("pictures", "http://127.0.0.1:1") | {"AWS_DEFAULT_REGION": "not a region"}, "object store", "InvalidRegion.*AWS_DEFAULT_REGION"),
    Fault("S3 is overloaded", lambda s: s.s3(503, "SlowDown"), "object store", "overloaded or broken"),
    Fault("S3's session has expired", lambda s: s.s3(400, "ExpiredToken"), "object store", "credentials have expired.*Renew them"),
    Fault("S3 is full", lambda s: s.s3(507, "XMinioStorageFull"), "object store", "no room left.*quota"),
    Fault("the bucket is not there", lambda s: s.bucket("no-such-bucket", s["s3_server"].endpoint_url, None), "object store", "no bucket no-such-bucket. Create it", servers=True),
    Fault("S3's key is unknown", lambda s: s.bucket(s["s3_server"].bucket, s["s3_server"].endpoint_url, "NOBODY"), "object store", "Check the AWS credentials", servers=True),
]  # fmt: skip

_LIST = b'{"object": "list", "data": [{"id": "%s", "object": "model", "created": 1, "owned_by": "x"}]}'
_GOOD = {"GROWBIN_VISION_MODEL": "gpt-6-luna", "GROWBIN_TEXT_MODEL": "gpt-6-luna"}


def _error(code: str) -> bytes:
    return b'{"error": {"message": "You cannot.", "type": "x", "code": "%s"}}' % code.encode()


MODELS = [
    Fault("nobody listens at the model server's port", lambda s: {"OPENAI_BASE_URL": f"http://127.0.0.1:{s.closed_port()}/v1"}, "models", "Check OPENAI_BASE_URL"),
    Fault("the key was revoked", lambda s: s.model(401, _error("invalid_api_key")), "models", "OPENAI_API_KEY"),
    Fault("the quota is spent", lambda s: s.model(429, _error("insufficient_quota")), "models", "quota|credit|billing"),
    Fault("a captive portal answers", lambda s: s.model(200, b"<html>sign in"), "models", "OPENAI_BASE_URL"),
    Fault("the model server redirects", lambda s: s.model(308, b""), "models", "HTTP 308.*correct OPENAI_BASE_URL"),
    Fault("the model server limits the rate", lambda s: s.model(429, b"{}"), "models", "limits the rate.*Try again in 20 s", "warning"),
    Fault("what is before the model server fails", lambda s: s.model(502, b"<title>Bad Gateway</title>"), "models", "HTTP 502.*correct OPENAI_BASE_URL"),
    Fault("a proxy that is not there", lambda s: {"OPENAI_BASE_URL": "http://model.invalid/v1", "HTTP_PROXY": f"http://127.0.0.1:{s.closed_port()}"}, "models", "the proxy of HTTPS_PROXY"),
    Fault("a proxy's port is none", {"OPENAI_BASE_URL": "http://model.invalid/v1", "HTTP_PROXY": "http://proxy:port"}, "models", "HTTP_PROXY.*cannot be used"),
    Fault("something else answers in JSON", lambda s: s.model(200, b'{"hello": "world"}'), "models", "OPENAI_BASE_URL"),
    Fault("the model server has no list", lambda s: s.model(404, b"<html>not found", **_GOOD), "models", "lists no models.*OPENAI_BASE_URL, which usually ends in /v1", "warning"),
    Fault("the model is not offered", lambda s: s.model(200, _LIST % b"llama", **_GOOD), "models", "gpt-6-luna is not offered.*GROWBIN_VISION_MODEL"),
    Fault("the model ends, and its server is not there", lambda s: {"OPENAI_BASE_URL": f"http://127.0.0.1:{s.closed_port()}/v1", "GROWBIN_VISION_MODEL": "gpt-5"}, "models", "gpt-5 (leaves|left) the API .*Set GROWBIN_VISION_MODEL"),
    Fault("the model ends", lambda s: s.model(200, _LIST % b"gpt-5", **dict.fromkeys(_GOOD, "gpt-5")), "models", "gpt-5 (leaves|left) the API .*Set GROWBIN_VISION_MODEL"),
    Fault("the model has no price", lambda s: s.model(200, _LIST % b"llava", **dict.fromkeys(_GOOD, "llava")), "models", "llava has no price.*GROWBIN_PRICES_FILE", "warning"),
    Fault("such a model is not to be asked", lambda s: s.model(200, _LIST % b"llava", GROWBIN_UNKNOWN_PRICE="refuse", **dict.fromkeys(_GOOD, "llava")), "models", "is not asked .*GROWBIN_PRICES_FILE"),
    Fault("the file of prices is none", lambda s: s.model(200, _LIST % b"gpt-6-luna", GROWBIN_PRICES_FILE=str(s.junk), **_GOOD), "models", "GROWBIN_PRICES_FILE"),
    Fault("the authorities' certificates are not there", {"OPENAI_BASE_URL": "https://127.0.0.1:1/v1", "SSL_CERT_FILE": "/nowhere"}, "models", "Correct SSL_CERT_FILE"),
    Fault("a proxy of a kind that we have not", {"OPENAI_API_KEY": "k", "HTTPS_PROXY": "socks://127.0.0.1:1"}, "models", "HTTPS_PROXY .*NO_PROXY"),
    Fault("the key has letters that no key has", {"OPENAI_API_KEY": "sk-비밀"}, "models", "OPENAI_API_KEY contains characters"),
    Fault("the model server's address is none", {"OPENAI_BASE_URL": "localhost:11434/v1"}, "models", "OPENAI_BASE_URL"),
    Fault("the weights of the offline classifier are missing", spoil.no_weights, "models", r"needs the package.*growbin-jobs\[offline\]"),
    Fault("the offline classifier's runtime is missing", lambda s: _set(OFFLINE_RUNTIME="onnxruntime") | s.without("onnxruntime", reimported=("growbin_jobs.ai.offline.onnx_runtime",)), "models", "onnxruntime"),
]  # fmt: skip

OTHERS = [
    Fault("a queue is paused", spoil.paused, "pauses", "queue vision_analysis is paused by kim: a test.*growbin-jobs queues resume vision_analysis", "warning"),
    Fault("the receiver of a webhook is gone", spoil.webhook_gone, "webhooks", "ops is told nothing: paused by 410 Gone.*growbin-jobs webhooks resume ops", "warning"),
    Fault("a breaker waits for a person", spoil.breaker, "breakers", "Nothing is sent to .*gpt-6-luna.*growbin-jobs breakers list"),
    *(Fault(f"a process stands in the middle of a write to {file}", spoil.stopped_writer(file), "processes", rf"{file}: its lock is held by process (\d+), which is stopped: continue it by kill -CONT \1,") for file in ("central.db", "broker.db")),
    Fault("a worker process is stopped", spoil.stopped_worker, "processes", r"worker process (\d+) \(ai\) is stopped.*kill -CONT \1", "warning"),
    Fault("a folder of keys is not there", _set(LLM_KEYS_DIR="/nowhere/keys"), "settings", "/nowhere/keys is not there.*GROWBIN_LLM_KEYS_DIR"),
    Fault("a folder of photos is not there", _set(SPOOL_DIRS="/nowhere/photos"), "settings", "/nowhere/photos is no folder.*GROWBIN_SPOOL_DIRS", "warning"),
    Fault("the folder of rules is empty", lambda s: _set(RULES_DIR=str(s.folder)), "rules", "No rules in .*general.json.*GROWBIN_RULES_DIR"),
    Fault("a rule is no JSON", lambda s: s.rules(pen="{"), "rules", "pen.json"),
    Fault("a rule lacks something", lambda s: s.rules(pen="{}"), "rules", "pen.json: .*: Field required"),
    Fault("no worker runs", {}, "workers", "No worker runs.*growbin-jobs up", "warning"),
    Fault("no worker of one group runs", spoil.one_group, "workers", "No worker of group ai runs.*growbin-jobs worker ai", "warning"),
    Fault("no scheduler runs", {}, "schedule", "No scheduler runs. Start one: growbin-jobs scheduler", "warning"),
    Fault("the scheduler is stopped", spoil.stopped_scheduler, "schedule", r"The scheduler \(process (\d+)\) is stopped.*kill -CONT \1", "warning"),
    Fault("something due waits", spoil.overdue, "schedule", r"has waited for \d+ s. Start one: growbin-jobs scheduler"),
    Fault("nothing can be sent under a limit", _set(LIMITS="tokens:text=100/min"), "budgets", "tokens:text=100/min nothing could be sent: .*Write more than 1602/min"),
    Fault("the prices have no tier", lambda s: s.junk.write_text('{"unit": "USD per 1,000,000 tokens", "tiers": {}, "models": {}}') and _set(PRICES_FILE=str(s.junk)), "budgets", "GROWBIN_PRICES_FILE.*lacks 'default'"),
    Fault("a budget is nearly spent", spoil.nearly_spent, "budgets", "0.1000 USD left today. Raise it", "warning"),
    Fault("a batch cannot be made", lambda s: s.model(200, _LIST % b"gpt-6-luna", **_GOOD) | spoil.stuck_batch(s), "batches", "b1: .*refuses the key.*growbin-jobs batches list", "warning"),
    Fault("nobody makes a batch of what waits", lambda s: s.model(200, _LIST % b"gpt-6-luna", **_GOOD) | spoil.forgotten_questions(s), "batches", "1 requests to gpt-6-luna wait for a batch.*growbin-jobs schedule list", "warning"),
    Fault("the books do not agree", spoil.wrong_books, "budgets", "not what the reservations add up to"),
    Fault("a user of the monitor is none", _set(MONITOR_USERS="kim"), "monitor", "GROWBIN_MONITOR_USERS|hash-password"),
    Fault("OIDC without the monitor's address", _set(MONITOR_OIDC_ISSUER="https://i.example", MONITOR_OIDC_CLIENT_ID="x", MONITOR_OIDC_CLIENT_SECRET="y"), "monitor", "GROWBIN_MONITOR_PUBLIC_URL"),
    Fault("the file of the monitor's users is not there", _set(MONITOR_USERS_FILE="/nowhere/users"), "monitor", "/nowhere/users|GROWBIN_MONITOR_USERS_FILE"),
]  # fmt: skip

FAULTS = [*SETTINGS, *PLACE, *BROKER, *DATABASE, *STORE, *MODELS, *OTHERS]
