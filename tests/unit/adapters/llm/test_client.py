import subprocess
import sys

import pytest

from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"api_key": None}, "OPENAI_API_KEY"),
        ({"api_key": "  \n"}, "OPENAI_API_KEY"),
        ({"api_key": "sk-canary\nsecond line"}, "OPENAI_API_KEY"),
        ({"api_key": "sk-canary-열쇠"}, "OPENAI_API_KEY"),
        ({"api_key": "sk", "base_url": "localhost:8000"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "ftp://host/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://me:sk-canary@host/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http:///v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://999.1.1.1/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://a..example/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://a b/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "https://host/v1/models"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "https://host/v1/chat/"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://host:99999/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://host:port/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "http://[::1/v1"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "https://host/v1#canary"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "https://host/v1/chat/completions"}, "OPENAI_BASE_URL"),
        ({"api_key": "sk", "base_url": "https://host/v1/chat/completions/"}, "OPENAI_BASE_URL"),
    ],
)
def test_wrong_options_are_refused_at_once_and_not_quoted(options, named):
    with pytest.raises(ConfigurationError, match=named) as raised:
        ModelClient(**options)

    assert "canary" not in str(raised.value)


def test_the_key_is_not_in_the_repr():
    assert "canary" not in repr(ModelClient(api_key="sk-canary"))


def test_a_proxy_of_the_environment_is_used_unless_the_host_is_excepted(monkeypatch):
    from growbin_jobs.adapters.llm.connection import proxy_for

    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "internal.example, 10.0.0.0/8,fd00::/8,x/y")

    assert proxy_for("https://10.1.2.3/v1") is None
    assert proxy_for("https://[fd00::1]:8000/v1") is None
    assert proxy_for("https://11.1.2.3/v1") == "http://proxy:3128"
    assert proxy_for("https://api.openai.com/v1") == "http://proxy:3128"
    assert proxy_for("https://internal.example/v1") is None
    assert proxy_for("http://api.openai.com/v1") is None
    monkeypatch.setenv("all_proxy", "other:1080")
    assert proxy_for("http://api.openai.com/v1") == "http://other:1080"
    assert proxy_for("https://api.openai.com/v1") == "http://proxy:3128"


@pytest.mark.parametrize(
    "proxy", ["socks://proxy:1080", "socks5://proxy:1080", "gopher://canary@proxy", "http://proxy:port"]
)
def test_a_proxy_that_cannot_be_used_is_a_wrong_setting(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as raised:
        ModelClient(api_key="sk").warm_up()

    assert "canary" not in str(raised.value)


def test_the_sdk_is_loaded_at_the_first_call_and_not_before():
    code = (
        "import sys; from growbin_jobs.adapters.llm.client import ModelClient; ModelClient(api_key='k');"
        "print('openai' in sys.modules, 'httpx2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


def test_only_an_address_with_tls_needs_the_authorities(monkeypatch):
    from growbin_jobs.adapters.llm.connection import connect

    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        connect("https://host/v1", "sk")

    connect("http://host/v1", "sk").close()
    monkeypatch.setenv("http_proxy", "https://proxy:3128")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        connect("http://host/v1", "sk")
