"""From the settings to the monitor's configuration."""

import pytest
from tests.unit.monitor.conftest import HASH

from growbin_jobs import settings as _settings
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.monitor.bootstrap import clean_prefix, make_config
from growbin_jobs.monitor.people import Grant, Role


@pytest.mark.parametrize(
    ("written", "prefix"), [("", ""), ("/", ""), ("flower", "/flower"), ("/a/b/", "/a/b"), ("//x//", "/x")]
)
def test_a_prefix_may_have_slashes_anywhere(written, prefix):
    assert clean_prefix(written) == prefix


@pytest.mark.parametrize("written", ["/a b", "/..", "/a/../b", "/a?b", "/<x>", "/a%2Fb"])
def test_what_is_no_prefix_is_refused(written):
    with pytest.raises(ConfigurationError):
        clean_prefix(written)


def test_users_come_from_the_setting_and_the_file(tmp_path):
    (tmp_path / "users").write_text(f"# people\nlee:viewer:{HASH}\n")
    settings = _settings.load(monitor_users=f"kim:admin:{HASH}", monitor_users_file=tmp_path / "users")

    users = make_config(settings).users

    assert [(user.name, user.grant) for user in users] == [("kim", Grant(Role.ADMIN)), ("lee", Grant(Role.VIEWER))]


def test_the_socket_is_believed_only_where_one_listens_at_it(tmp_path):
    settings = _settings.load(
        monitor_users=f"kim:admin:{HASH}", monitor_proxy_networks="10.0.0.0/8,unix", data_dir=tmp_path
    )

    assert not make_config(settings).proxy.unix_socket
    assert make_config(settings, unix_socket=tmp_path / "m").proxy.unix_socket


def test_an_insecure_monitor_with_a_unix_socket_needs_no_loopback_host(tmp_path):
    assert make_config(_settings.load(), insecure=True, unix_socket=tmp_path / "m").insecure


def test_an_address_of_ipv6_may_stand_in_brackets():
    assert make_config(_settings.load(), insecure=True, host="[::1]").host == "::1"
    with pytest.raises(ConfigurationError, match="--host must be an address"):
        make_config(_settings.load(), insecure=True, host="127.0.0.1:5555")


@pytest.mark.parametrize(
    "wrong",
    [
        {"monitor_proxy_networks": "10.0.0.1/8"}, {"monitor_public_url": "jobs.example.com"}, {"keep_audit_days": 729},
        {"monitor_oidc_issuer": "accounts.google.com"}, {"monitor_session_hours": 0},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        _settings.load(**wrong)


@pytest.mark.parametrize("allow", ["", "domain:example.com=viewer", "group:ops=admin"])
def test_a_proxy_whose_word_lets_nobody_in_is_refused_with_what_would(allow):
    known = {"monitor_proxy_header": "X-Forwarded-User", "monitor_proxy_networks": "10.0.0.0/8"}
    with pytest.raises(ConfigurationError, match="user:kim=viewer"):
        make_config(_settings.load(**known, monitor_allow=allow))
    assert make_config(_settings.load(**known, monitor_allow=f"user:kim=viewer,{allow}".rstrip(",")))
