"""A worker process obeys what its node's file says: pauses, ends of pauses, withdrawals, damage."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.control import obeying
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.instructions import Action, Instruction, Instructions, Target, from_json, to_json
from growbin_jobs.engine.control.obeying import CAUSE, Obeying
from growbin_jobs.engine.pauses import Pauses


def said(target, name, action=Action.PAUSE, until=None, version=1):
    return Instruction(
        target=target, name=name, action=action, by="kim", reason="why", at=1.0, until=until, version=version
    )  # fmt: skip


class World:
    """A process whose clock stands still, without its thread."""

    def __init__(self, folder):
        self.now, self.aborted, self.chosen = 100.0, [], 0
        self.file = ControlFile(folder)
        self.pauses = Pauses(lambda: self.now)
        self.obeying = Obeying(ControlFile(folder), self.aborted.append, clock=lambda: self.now)
        self.version = 0

    def write(self, *all_):
        self.version += 1
        self.file.write(Instructions(self.version, all_))
        self.obeying.look()


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.obeying._pauses, made.obeying._changed = made.pauses, lambda: setattr(made, "chosen", made.chosen + 1)
    return made


def test_nothing_is_said_where_there_is_no_file(world):
    world.obeying.look()
    assert (world.obeying.any, world.pauses.any) == (False, False)


def test_a_queue_pauses_beside_other_causes(world):
    world.pauses.pause("q", "away", 10)
    world.write(said(Target.QUEUE, "q"))
    assert world.pauses.causes() == {"q": {"away": 10.0, CAUSE: math.inf}}
    world.write()
    assert world.pauses.causes() == {"q": {"away": 10.0}}


def test_an_end_may_become_an_earlier_one(world):
    world.write(said(Target.QUEUE, "q", until=200.0))
    world.write(said(Target.QUEUE, "q", until=150.0))
    assert world.pauses.left("q") == 50.0
    world.now = 150.0
    world.obeying.look()
    assert world.pauses.left("q") == 0


def test_hooks_are_chosen_anew_only_when_messages_begin_to_matter_or_stop_to(world):
    world.write(said(Target.QUEUE, "q"))
    assert world.chosen == 0
    world.write(said(Target.ACTOR, "a"))
    world.write(said(Target.ACTOR, "a"), said(Target.MESSAGE, "m", Action.REVOKE))
    assert world.chosen == 1
    world.write()
    assert world.chosen == 2


def test_a_message_is_struck_at_each_look_while_it_is_to_be_aborted(world):
    world.write(said(Target.MESSAGE, "m", Action.ABORT), said(Target.MESSAGE, "n", Action.REVOKE))
    world.obeying.look()
    assert world.aborted == [["m"], ["m"]]
    assert set(world.obeying.messages) == {"m", "n"}


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 1, "instructions": [{}]}', b"\xff"]
)
def test_a_damaged_file_changes_nothing(world, damage):
    world.write(said(Target.QUEUE, "q"))
    world.file.path.write_bytes(damage)
    world.obeying.look()
    assert world.pauses.left("q") == math.inf
    world.file.path.unlink()
    world.obeying.look()
    assert world.pauses.left("q") == math.inf
    world.write()
    assert world.pauses.left("q") == 0


def test_what_a_newer_version_has_added_is_left_out():
    text = to_json(Instructions(3, (said(Target.QUEUE, "q"),)))
    newer = text.replace('"instructions": [', '"more": 1, "instructions": [{"target": "moon", "action": "pause"}, ')
    assert from_json(newer.replace('"by"', '"new": 1, "by"')) == from_json(text)


names = st.text(min_size=1, max_size=8)
instructions = st.builds(
    said,
    st.sampled_from(Target), names, st.sampled_from(Action),
    st.none() | st.floats(0, 300), st.integers(0, 2**53),
)  # fmt: skip


@given(st.integers(0, 2**62), st.lists(instructions, max_size=5))
def test_json_and_back(version, all_):
    written = Instructions(version, tuple(all_))
    assert from_json(to_json(written)) == written


@given(
    st.lists(
        st.tuples(
            st.floats(0, 50),
            st.dictionaries(
                st.tuples(st.sampled_from([Target.QUEUE, Target.ACTOR]), st.sampled_from("abc")),
                st.none() | st.floats(0, 300),
                max_size=4,
            ),
        ),
        max_size=8,
    )
)
def test_what_is_paused_is_what_the_latest_file_says(tmp_path_factory, steps):
    world = World(tmp_path_factory.mktemp("node"))
    world.obeying._pauses = world.pauses
    for seconds, wanted in steps:
        world.now += seconds
        world.write(*(said(target, name, until=until) for (target, name), until in wanted.items()))
        for name in "abc":
            for target in (Target.QUEUE, Target.ACTOR):
                until = wanted.get((target, name), 0.0)
                holds = until is None or world.now < until
                found = world.pauses.left(name) > 0 if target is Target.QUEUE else world.pauses.is_actor_paused(name)
                assert found == holds


def test_a_write_wakes_a_process_that_had_nothing_to_obey(tmp_path, monkeypatch):
    monkeypatch.setattr(obeying, "QUIET", 3600.0)
    pauses, changed = Pauses(), threading.Event()
    end = Obeying(ControlFile(tmp_path), len).begin(pauses, changed.set)
    ControlFile(tmp_path).write(Instructions(1, (said(Target.ACTOR, "a"),)))
    assert changed.wait(30)
    ControlFile(tmp_path).write(Instructions(2, ()))
    end()


def test_it_ends_at_once_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(obeying, "QUIET", 3600.0)
    end = Obeying(ControlFile(tmp_path), len).begin(Pauses(), len)
    [thread] = [each for each in threading.enumerate() if each.name == "control"]
    end()
    thread.join(30)
    assert not thread.is_alive()
    assert list((tmp_path / "wakeups").iterdir()) == []
