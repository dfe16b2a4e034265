"""A node's files never lie outside of the data folder, and disturb nothing else in it."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.layout import check_node

ODD = [
    "", ".", "..", "../../x", "/", "/etc", "a/b", "a/../..", "a\0", "\0", "x" * 201, "한" * 100, "\ud800", "a\nb",
    "\x1b[31m", " a", "a ", "broker.db", "central.db-wal", "broker.db.run", "\u202e", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_name_of_a_folder_is_refused(name, tmp_path):
    with pytest.raises(ConfigurationError, match="node"):
        EngineConfig(data_dir=tmp_path, node=name)


@pytest.mark.parametrize(
    "name", ["host", "host-1.example.org", "노드 하나", ".hidden", "a..b", "..a", "~", "-x", "%2e%2e"]
)
def test_odd_names_of_folders_are_allowed(name, tmp_path):
    assert EngineConfig(data_dir=tmp_path, node=name).node_dir.parent == tmp_path


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(max_size=300) | st.text("./\\\0 \n~%a한", max_size=8))
@example("x" * 200)
def test_a_journal_is_below_the_data_folder_or_nowhere(tmp_path, name):
    try:
        check_node(name)
    except ValueError:
        return
    config = EngineConfig(data_dir=tmp_path, node=name)

    open_journal_file(config.journal_path).close()

    assert config.journal_path.resolve().is_file()
    assert config.journal_path.resolve().parent.parent == tmp_path.resolve()
