"""Counts of processes that die are folded: no sum falls, files stay few, damage is put aside."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.metrics import count_files, counted
from growbin_jobs.metrics.count_files import CountFile, NodeCounts
from growbin_jobs.metrics.counts import MOST_SETS, OTHER, Counts

SENT = counted.RETRIES


def total(node: NodeCounts) -> float:
    return sum(numbers[0] for numbers in node.read().values.get(SENT.name, {}).values())


def folded(node: NodeCounts) -> float:
    return node.read().values.get(counted.PROCESSES_FOLDED.name, {}).get((), [0.0])[0]


def process(folder: Path, number: float = 0.0) -> tuple[Counts, CountFile]:
    counts = Counts()
    counts.inc(SENT, "q", "a", by=number)
    file = CountFile(folder, counts)
    file.write()
    return counts, file


def test_the_living_and_the_dead_count(tmp_path: Path) -> None:
    node = NodeCounts(tmp_path)
    counts, living = process(tmp_path, 2)
    _, dead = process(tmp_path, 3)
    assert total(node) == 5

    dead._path.with_name(f"{dead._path.name}.new").touch()  # as if it was killed while it wrote
    dead.let_go()
    assert total(node) == 5
    assert not list((tmp_path / "metrics").glob("*.new"))
    counts.inc(SENT, "q", "a")
    living.write()

    assert total(node) == 6
    assert (node.files(), folded(node)) == (2, 1)
    living.let_go()
    assert total(node) == 6
    assert node.files() == 1
    assert os.listdir(tmp_path / "metrics" / "owners") == []


def test_a_process_that_has_counted_nothing_leaves_nothing(tmp_path: Path) -> None:
    CountFile(tmp_path, Counts()).let_go()

    assert NodeCounts(tmp_path).read().values.keys() <= {counted.PROCESSES_FOLDED.name}


def die_while_folding(node: NodeCounts, step: str, first: str) -> None:
    """In a process of its own: end where the keeper would replace the folded file, or delete one that is in it."""
    replace, unlink = count_files._replace, Path.unlink

    def replaced(path: Path, text: bytes, *, sync: bool = False) -> None:
        if step == "new":
            os._exit(9)
        replace(path, text, sync=sync)

    def deleted(path: Path, missing_ok: bool = False) -> None:
        if step == "replaced" or (step == "deleted" and path.name != first):
            os._exit(9)
        unlink(path, missing_ok=missing_ok)

    count_files._replace, Path.unlink = replaced, deleted
    node.read()
    os._exit(0)


@pytest.mark.parametrize("step", ["new", "replaced", "deleted"])
def test_a_keeper_that_dies_while_it_folds_adds_nothing_twice(tmp_path: Path, step: str) -> None:
    node = NodeCounts(tmp_path)
    process(tmp_path, 1)[1].let_go()
    process(tmp_path, 7)[1].let_go()
    name = sorted(path.name for path in (tmp_path / "metrics").iterdir() if len(path.name) == 32)[0]
    keeper = os.fork()
    if keeper == 0:
        die_while_folding(node, step, name)
    assert os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]) == 9

    assert total(NodeCounts(tmp_path)) == 8
    assert total(NodeCounts(tmp_path)) == 8
    assert NodeCounts(tmp_path).files() == 1


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path, monkeypatch) -> None:
    node = NodeCounts(tmp_path)
    process(tmp_path, 4)[1].let_go()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(count_files, "_replace", full)
        assert [total(node), total(node)] == [4, 4]
    assert total(node) == 4
    assert node.files() == 1


@pytest.mark.parametrize("damage", [b"", b"00000000\n{}", b"garbage", b'12345678\n{"counts": [], "done": []}'])
@pytest.mark.parametrize("which", ["a process", "folded"])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: bytes, which: str) -> None:
    node = NodeCounts(tmp_path)
    _, first = process(tmp_path, 1)
    first.let_go()
    node.read()
    _, second = process(tmp_path, 10)
    names = [path.name for path in (tmp_path / "metrics").iterdir() if len(path.name) == 32]
    (tmp_path / "metrics" / (names[0] if which == "a process" else "folded")).write_bytes(damage)

    found = node.read()

    assert found.values[counted.FILES_QUARANTINED.name]["metrics",] == [1.0]
    assert total(node) == (1 if which == "a process" else 10)
    assert len(list((tmp_path / "metrics").glob("*.damaged"))) == 1
    second.let_go()


def test_few_damaged_files_are_kept(tmp_path: Path) -> None:
    node = NodeCounts(tmp_path)
    for _ in range(count_files.MOST_ASIDE + 3):
        _, file = process(tmp_path, 1)
        [path] = [path for path in (tmp_path / "metrics").iterdir() if len(path.name) == 32]
        path.write_bytes(b"garbage")
        file.let_go()
        node.read()

    assert len(list((tmp_path / "metrics").glob("*.damaged"))) == count_files.MOST_ASIDE


def test_a_forked_child_lets_go_of_its_parent_s_file(tmp_path: Path) -> None:
    _, file = process(tmp_path, 1)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if file._owner is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert file._owner is not None
    file.let_go()


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(["start", "count", "write", "die", "read"]), max_size=40), st.randoms())
def test_no_sum_ever_falls(tmp_path_factory: pytest.TempPathFactory, steps: list[str], chance) -> None:
    folder = tmp_path_factory.mktemp("node")
    node, living, seen, written = NodeCounts(folder), [], 0.0, 0.0
    for step in steps:
        one = chance.choice(living) if living else None
        if step == "start":
            living.append([*process(folder), 0.0, 0.0])
        elif step == "read":
            now = total(node)
            assert now >= seen
            assert now == written
            seen = now
        elif one is None:
            continue
        elif step == "count":
            one[0].inc(SENT, "q", chance.choice("abc"))
            one[2] += 1
        elif step == "write":
            one[1].write()
            written += one[2] - one[3]
            one[3] = one[2]
        else:
            one[1].let_go()
            living.remove(one)
    assert total(node) == written
    for one in living:
        one[1].let_go()


def test_labels_are_bounded() -> None:
    counts = Counts()
    for number in range(MOST_SETS + 100):
        counts.inc(SENT, "q", f"actor-{number}")

    assert len(counts.values[SENT.name]) == MOST_SETS + 1
    assert counts.values[SENT.name][OTHER, OTHER] == [100.0]
