"""compose.yaml as the real Compose reads it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.manifests.conftest import ROOT

from growbin_jobs.settings import Settings

PASSWORDS = ("RABBITMQ_PASSWORD", "POSTGRES_PASSWORD", "S3_SECRET_KEY", "GRAFANA_PASSWORD")
OURS = ("migrate", "storage", "ai", "scheduler", "monitor")


def compose(*arguments, without=()):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    env |= {name: f"{name.lower()}0" for name in PASSWORDS if name not in without}
    program = Path(sys.executable).parent / "docker-compose"
    files = ["-f", str(ROOT / "compose.yaml"), "--env-file", os.devnull]
    return subprocess.run([program, *files, *arguments], env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def stack():
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PASSWORDS)
def test_no_password_has_a_default(name):
    done = compose("config", "-q", without=(name,))

    assert done.returncode != 0
    assert f"required variable {name} is missing" in done.stderr


def test_the_example_names_every_variable():
    text = (ROOT / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    example = set(re.findall(r"^#?(\w+)=", (ROOT / "compose.env.example").read_text(), re.MULTILINE))

    assert used == example
    assert set(PASSWORDS) <= used


def test_every_part_is_there(stack):
    assert set(stack["services"]) == {*OURS, "rabbitmq", "postgres", "s3", "prometheus", "grafana"}


def test_pages_are_for_this_machine_only(stack):
    ports = [port for service in stack["services"].values() for port in service.get("ports", [])]

    assert len(ports) >= 5
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(ports)


def test_what_has_a_page_is_in_a_network_that_may_have_ports(stack):
    assert stack["networks"]["inside"]["internal"] is True
    for name, service in stack["services"].items():
        if service.get("ports"):
            assert "pages" in service["networks"], name


def test_every_service_is_bounded_and_says_when_it_is_well(stack):
    for name, service in stack["services"].items():
        assert int(service["mem_limit"]) > 0, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        healthcheck = service["healthcheck"]
        assert healthcheck.get("test") or name == "migrate", name
    for service in (stack["services"][name] for name in OURS):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_there_is_time_to_drain(stack):
    for name in ("storage", "ai"):
        service = stack["services"][name]
        environment = service["environment"]
        shutdown, sync = (float(environment[f"GROWBIN_{each}"]) for each in ("SHUTDOWN_TIMEOUT", "FINAL_SYNC_TIMEOUT"))
        assert _seconds(service["stop_grace_period"]) >= 2 * shutdown + sync + 10


def _seconds(text):
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text).groups()
    return 60 * int(minutes or 0) + int(seconds or 0)


def test_variables_are_settings(stack):
    known = {Settings.variable(name) for name in Settings.model_fields}
    named = {name for each in OURS for name in stack["services"][each]["environment"]}

    assert {name for name in named if not name.startswith("AWS_")} - known == set()


def test_workers_start_after_servers_and_schema(stack):
    for name in ("storage", "ai", "scheduler", "monitor"):
        waits = {each: row["condition"] for each, row in stack["services"][name]["depends_on"].items()}
        assert waits["migrate"] == "service_completed_successfully"
        assert {waits[each] for each in ("rabbitmq", "postgres", "s3")} == {"service_healthy"}


def test_addresses_name_services(stack):
    environment = stack["services"]["storage"]["environment"]
    for variable in ("GROWBIN_BROKER_URL", "DATABASE_URL", "GROWBIN_S3_ENDPOINT_URL"):
        host = re.search(r"(?:@|//)([a-z0-9]+):\d+", environment[variable].rpartition("@")[1] + environment[variable])
        assert re.search(r"(?:@|//)(rabbitmq|postgres|s3):", environment[variable]), (variable, host)


def test_mounted_files_are_in_the_project(stack):
    for service in stack["services"].values():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists()
                assert volume["read_only"] is True


def test_prometheus_scrapes_every_service_that_has_metrics(stack):
    config = yaml.safe_load((ROOT / "monitoring" / "compose" / "prometheus.yaml").read_text())
    targets = {target for job in config["scrape_configs"] for row in job["static_configs"] for target in row["targets"]}

    assert {"storage:9090", "ai:9090", "scheduler:9090", "rabbitmq:15692"} <= targets
    for target in targets - {"localhost:9090"}:
        assert target.split(":")[0] in stack["services"]
    for job in ("growbin-workers", "growbin-scheduler"):
        assert job in {each["job_name"] for each in config["scrape_configs"]}


def test_grafana_finds_what_it_is_given(stack):
    mounts = {volume["target"]: volume["source"] for volume in stack["services"]["grafana"]["volumes"]}
    provider = yaml.safe_load((ROOT / "monitoring" / "compose" / "grafana" / "dashboards.yaml").read_text())
    folder = provider["providers"][0]["options"]["path"]

    assert Path(mounts[folder]) == ROOT / "monitoring" / "dashboards"
    home = stack["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "monitoring" / "dashboards" / Path(home).name).is_file()


def test_promtool_takes_prometheus_configuration(tmp_path):
    from tests.monitoring.test_alerts import promtool

    text = (ROOT / "monitoring" / "compose" / "prometheus.yaml").read_text()
    file = tmp_path / "prometheus.yaml"
    file.write_text(text.replace("/etc/prometheus/rules", str(ROOT / "monitoring" / "rules")))
    done = promtool("check", "config", str(file))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
