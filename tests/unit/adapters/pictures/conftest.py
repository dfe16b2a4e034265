"""The generators of hostile pictures and of colour profiles, and the phone photos that lie beside the project."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
PHONE_PHOTOS = HERE.parents[4] / "shared" / "photos" / "phone"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"growbin_tests_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hostile() -> ModuleType:
    """The module ``hostile.py`` of this folder."""
    return loaded("hostile")


@pytest.fixture(scope="session")
def heics() -> ModuleType:
    """The module ``heics.py`` of this folder."""
    return loaded("heics")


@pytest.fixture(scope="session")
def icc() -> ModuleType:
    """The module ``icc.py`` of this folder."""
    return loaded("icc")


@pytest.fixture(scope="session")
def phone_photos() -> list[bytes]:
    """Real photos of 16 MP, EXIF orientations 1 and 6. They are data beside the project."""
    assert PHONE_PHOTOS.is_dir(), "put ../shared/photos/phone beside the project"
    return [path.read_bytes() for path in sorted(PHONE_PHOTOS.glob("*.jpg"))]
