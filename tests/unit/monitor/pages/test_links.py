"""Addresses: any name in them, below any prefix, and nowhere else."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from growbin_jobs.monitor.pages.links import asset, is_inner, link, with_query


def request(prefix: str = "", path: str = "/tasks", query: bytes = b"") -> Request:
    scope = {"type": "http", "root_path": prefix, "path": prefix + path, "query_string": query, "headers": []}
    return Request(scope)


@given(st.text(min_size=1))
def test_any_name_comes_back_from_its_link(name):
    address = link(request("/monitor"), "/queues", name.encode("utf-8", "replace").decode())

    assert address.startswith("/monitor/queues/")
    assert address.isascii()
    assert not set(" ?#\"'<>\\") & set(address)
    assert unquote(address.removeprefix("/monitor/queues/")) == name.encode("utf-8", "replace").decode()


def test_a_query_keeps_what_is_not_changed():
    here = request(query=b"state=dead&queue=a&queue=b%26c&page=3")

    assert with_query(here, page=None, state="done") == "/tasks?queue=a&queue=b%26c&state=done"
    assert with_query(request("/m")) == "/m/tasks"


def test_values_that_are_none_are_left_out():
    assert link(request(), "/tasks", state=None, q="a b&c") == "/tasks?q=a%20b%26c"


def test_a_static_file_s_address_has_a_mark():
    assert asset(request("/m"), "css/base.css").startswith("/m/static/css/base.css?v=")


def test_only_paths_are_inner():
    assert is_inner("/tasks?x=1")
    for outside in ("", "tasks", "//x", "/\\x", "https://x", "/a\nb", "/a\\b"):
        assert not is_inner(outside)
