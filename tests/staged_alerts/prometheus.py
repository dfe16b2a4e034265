"""A real Prometheus on this machine: what it scrapes, which rules it has, which alerts fire."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "rules" / "growbin.yaml"


def rules() -> list[dict[str, Any]]:
    """Return the groups of the project's rules."""
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return groups


def alert_names() -> frozenset[str]:
    """Return every alert of the project."""
    return frozenset(rule["alert"] for group in rules() for rule in group["rules"] if "alert" in rule)


class Prometheus:
    """One process.

    Parameters:
      folder: For its files.
      port: Where it answers.
      groups: Rules.
      interval: Seconds between two scrapes, and between two looks at the rules.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        groups: list[dict[str, Any]],
        interval: float,
    ) -> None:
        program = shutil.which("prometheus")
        assert program, "prometheus is not installed: as root, apt-get install prometheus"
        folder.mkdir(parents=True)
        every = f"{int(interval * 1000)}ms"
        (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
        settings = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(folder / "rules.yaml")],
            # Targets come and go with pods: with their jobs they are in a file that is read again when it changes.
            "scrape_configs": [{"job_name": "any", "file_sd_configs": [{"files": [str(folder / "targets.json")]}]}],
        }
        self._targets = folder / "targets.json"
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        self._url = f"http://127.0.0.1:{port}/api/v1/"
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def read(self, targets: Mapping[str, list[int]]) -> None:
        """Read these ports from now on, by the name of their job."""
        found = [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"job": job}}
            for job, ports in targets.items()
        ]
        new = self._targets.with_name("targets.new")
        new.write_text(json.dumps(found))
        new.replace(self._targets)

    def loaded(self) -> frozenset[str]:
        """Return the alerts that it has loaded and could compute; none before it answers."""
        answer = self._get("rules")
        found = [rule for group in answer.get("groups", ()) for rule in group["rules"]]
        wrong = {rule["name"]: rule["lastError"] for rule in found if rule["health"] == "err"}
        assert not wrong, wrong
        return frozenset(rule["name"] for rule in found if rule["type"] == "alerting" and rule["health"] == "ok")

    def scraped(self) -> int:
        """Return how many targets it could read."""
        return sum(each["health"] == "up" for each in self._get("targets").get("activeTargets", ()))

    def firing(self) -> frozenset[str]:
        """Return the names of the alerts that fire."""
        alerts = self._get("alerts").get("alerts", ())
        return frozenset(each["labels"]["alertname"] for each in alerts if each["state"] == "firing")

    def told(self) -> list[str]:
        """Return each alert that is pending or fires, with its labels and value, for people."""
        alerts = self._get("alerts").get("alerts", ())
        return sorted(f"{each['state']} {each['labels']} {each['value']}" for each in alerts)

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each series."""
        found = self._get("query?" + urllib.parse.urlencode({"query": query})).get("result", ())
        return [(each["metric"], float(each["value"][1])) for each in found]

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self._url + path, timeout=10) as response:
                data: dict[str, Any] = json.loads(response.read())["data"]
                return data
        except OSError:
            return {}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
