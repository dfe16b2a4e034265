"""The cores that a process may use, with the files that the kernel of a limited container shows."""

import os

import pytest

from growbin_jobs.engine.node import cores

V1 = "4:cpu,cpuacct:/docker/1\n3:memory:/docker/1\n1:name=systemd:/docker/1\n"


def written(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("mine", "files", "share"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),  # of a container, seen from inside
        ("0::/a.slice/b\n", {"a.slice/cpu.max": "50000 100000\n", "a.slice/b/cpu.max": "max 100000\n"}, 0.5),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/../elsewhere\n", {"cpu.max": "max 100000\n"}, float("inf")),
        (V1, {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
        (V1, {"cpu/docker/1/cpu.cfs_quota_us": "-1\n", "cpu/docker/1/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ("0::/\n", {"cpu.max": ""}, float("inf")),
        ("no group\n", {}, float("inf")),
    ],
)
def test_a_limit_of_time_counts_as_that_many_cores(tmp_path, mine, files, share):
    groups = written(tmp_path / "groups", files)

    assert cores._share(groups, written(tmp_path, {"mine": mine}) / "mine") == share


@pytest.mark.parametrize(("share", "expected"), [(0.2, 1), (1.5, 2), (float("inf"), 4)])
def test_the_least_of_all_limits_counts_and_there_is_always_one(monkeypatch, share, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_share", lambda: share)

    assert cores.usable_cores() == expected


def test_where_the_kernel_says_nothing_it_is_all_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    unlimited = cores._share(tmp_path, tmp_path / "mine")
    monkeypatch.setattr(cores, "_share", lambda: unlimited)

    assert cores.usable_cores() == 7
