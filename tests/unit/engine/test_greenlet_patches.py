"""Patching for gevent: everything is patched, plugins are asked, and the files of installed packages are read once."""

import os
import subprocess
import sys

PATCHES = """
from importlib import metadata
reads, discover = [], metadata.MetadataPathFinder.find_distributions
def count(*given, **named):
    reads.append(1)
    return discover(*given, **named)
metadata.MetadataPathFinder.find_distributions = count
ask = metadata.entry_points
from growbin_jobs.engine.greenlet_patches import patch_all
patch_all()
from gevent import monkey
assert metadata.entry_points is ask
print(len(reads), *(monkey.is_module_patched(name) for name in ("threading", "socket", "ssl", "time", "subprocess")))
"""


def test_the_files_of_packages_are_read_once_and_plugins_are_asked_all_the_same(tmp_path):
    (tmp_path / "some_plugin.py").write_text("def told(event): print('told', type(event).__name__)\n")
    info = tmp_path / "some_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gevent.plugins.monkey.did_patch_all]\nsome = some_plugin:told\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])

    done = subprocess.run(
        [sys.executable, "-c", PATCHES], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["told GeventDidPatchAllEvent", "1 True True True True True"]
