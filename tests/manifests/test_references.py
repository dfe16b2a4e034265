"""What one object says of another, or of the code, is true: names, labels, ports, keys, queues, settings."""

import os
import re
import subprocess

import pytest
import typer
import yaml
from tests.manifests.conftest import MANIFESTS, RENDERED, named, pods_of, selects

from growbin_jobs import names
from growbin_jobs.cli.app import app
from growbin_jobs.settings import Settings

#: Variables of libraries, not of ours.
FOREIGN = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION"}

#: Keys of the Secrets that somebody else makes (docs/deploy.md), unless an overlay does.
SECRETS = {
    "growbin-servers": {"GROWBIN_BROKER_URL", "DATABASE_URL"},
    "growbin-objects": {"aws-credentials"},
    "growbin-models": {"OPENAI_API_KEY"},
    "growbin-monitor": {"GROWBIN_MONITOR_USERS"},
}

ours = pytest.mark.parametrize("overlay", RENDERED)


def variables():
    return {Settings.variable(name) for name in Settings.model_fields}


@ours
def test_every_selector_takes_pods(rendered, overlay):
    objects = rendered(overlay)
    pods = [pod["metadata"]["labels"] for _, pod in pods_of(objects)]
    missed = []
    for each in objects:
        spec = each.get("spec", {})
        selector = {
            "Service": {"matchLabels": spec.get("selector")},
            "PodDisruptionBudget": spec.get("selector"),
            "NetworkPolicy": spec.get("podSelector"),
            "PodMonitor": spec.get("selector"),
        }.get(each["kind"])
        if selector is not None and not any(selects(labels, selector) for labels in pods):
            missed.append((each["kind"], each["metadata"]["name"]))

    assert missed == []


@ours
def test_a_workload_selects_its_own_pods_and_no_others(rendered, overlay):
    workloads = [
        (each["metadata"]["name"], each["spec"]["selector"], pod)
        for each, pod in pods_of(rendered(overlay))
        if each["kind"] != "Job"
    ]

    for name, selector, _ in workloads:
        assert [other for other, _, pod in workloads if selects(pod["metadata"]["labels"], selector)] == [name]


@ours
def test_ports_that_services_and_probes_name_are_there(rendered, overlay):
    objects = rendered(overlay)
    for each in objects:
        if each["kind"] == "Service":
            selector = {"matchLabels": each["spec"]["selector"]}
            for _, pod in pods_of(objects):
                if selects(pod["metadata"]["labels"], selector):
                    ports = {port["name"] for c in pod["spec"]["containers"] for port in c.get("ports", [])}
                    assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
    for each, pod in pods_of(objects):
        for container in pod["spec"]["containers"]:
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container.get(probe, {})
                port = (asked.get("httpGet") or asked.get("tcpSocket") or {}).get("port")
                assert port is None or port in ports, (each["metadata"]["name"], probe)


@ours
def test_volumes_config_maps_and_secrets_are_there(rendered, overlay):
    objects = rendered(overlay)
    present = {(each["kind"], each["metadata"]["name"]) for each in objects}
    keys = dict(SECRETS)
    for each in objects:
        if each["kind"] == "Secret":
            plain = re.sub(r"-[a-z0-9]{10}$", "", each["metadata"]["name"])
            keys[each["metadata"]["name"]] = set(each["data"])
            assert set(each["data"]) == SECRETS.get(plain, set(each["data"]))
        if each["kind"] == "ExternalSecret":
            name = each["metadata"]["name"]
            assert {row["secretKey"] for row in each["spec"]["data"]} == SECRETS[name]
    for each, pod in pods_of(objects):
        spec = pod["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in present
            for variable in container.get("env", []):
                secret = variable.get("valueFrom", {}).get("secretKeyRef")
                assert secret is None or secret["key"] in keys[secret["name"]]
        for volume in spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                assert source["secret"]["name"] in keys
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in present


@ours
def test_variables_are_settings(rendered, overlay):
    objects = rendered(overlay)
    named_here = {
        variable["name"]
        for _, pod in pods_of(objects)
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == "growbin-jobs"
        for container in pod["spec"]["containers"]
        for variable in container.get("env", [])
    }
    for each in objects:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("growbin-settings"):
            named_here |= set(each["data"])
    secret = {key for keys in SECRETS.values() for key in keys if key != "aws-credentials"}

    assert (named_here | secret) - FOREIGN - variables() == set()


@ours
def test_every_scaler_has_a_target_and_no_target_has_two(rendered, overlay):
    objects = rendered(overlay)
    targets = [
        each["spec"]["scaleTargetRef"]
        for each in objects
        if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    ]

    assert len({target["name"] for target in targets}) == len(targets)
    for target in targets:
        scaled = named(objects, target["kind"], target["name"])
        assert "replicas" not in scaled["spec"], "an apply would set back what the autoscaler has chosen"


def test_each_group_of_the_code_has_a_stateful_set(rendered):
    objects = rendered("base")
    for group in names.GROUPS:
        each = named(objects, "StatefulSet", f"growbin-{group}")
        assert each["spec"]["template"]["spec"]["containers"][0]["args"] == ["worker", group]


def test_commands_that_pods_run_exist(rendered):
    commands = typer.main.get_command(app).commands
    for each, pod in pods_of(rendered("base")):
        first, second, *_ = [*pod["spec"]["containers"][0]["args"], ""]
        assert first in commands, each["metadata"]["name"]
        below = getattr(commands[first], "commands", {})
        assert not below or second in below or commands[first].invoke_without_command, each["metadata"]["name"]


def test_the_drain_job_empties_the_claim_of_the_pod_that_it_names():
    text = (MANIFESTS / "drain" / "drain.yaml").read_text()

    assert "claimName: journal-growbin-storage-0\n" in text
    assert "/var/lib/growbin/growbin-storage-0/task_queue.db" in text
    assert len(re.findall("growbin-storage-0", text)) == 3


def test_the_drain_job_is_made_for_a_pod_of_the_cluster(tmp_path):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "*configMapRef*) printf growbin-settings-abc ;;\n"
        "*image*) printf registry/growbin-jobs@sha256:1 ;;\n"
        "esac\n"
    )
    kubectl.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [MANIFESTS / "drain" / "render"]
    done = subprocess.run([*command, "growbin-ai-7"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr

    job = yaml.safe_load(done.stdout)
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    claims = [
        volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume
    ]
    assert job["metadata"]["name"] == "drain-growbin-ai-7"
    assert container["image"] == "registry/growbin-jobs@sha256:1"
    assert container["args"][-1] == "/var/lib/growbin/growbin-ai-7/task_queue.db"
    assert container["envFrom"][0]["configMapRef"]["name"] == "growbin-settings-abc"
    assert claims == ["journal-growbin-ai-7"]
    for wrong in ("", "postgres-0", "growbin-storage", "growbin-monitor-0"):
        assert subprocess.run([*command, wrong], env=env, capture_output=True, timeout=30).returncode == 64


def test_the_same_configuration_of_rabbitmq_everywhere():
    compose = MANIFESTS.parent / "monitoring" / "compose" / "rabbitmq.conf"

    assert compose.read_text() == (MANIFESTS / "overlays" / "dev" / "rabbitmq.conf").read_text()


def test_each_delete_is_a_patch_of_its_own():
    """Of two in one file kubectl before 1.33 panics (kubernetes-sigs/kustomize#5471)."""
    texts = [path.read_text() for path in MANIFESTS.rglob("*.yaml") if path.name != "kustomization.yaml"]
    for path in MANIFESTS.rglob("kustomization.yaml"):
        patches = yaml.safe_load(path.read_text()).get("patches", [])
        texts += [each["patch"] for each in patches if "patch" in each]

    assert max(text.count("$patch: delete") for text in texts) == 1
