"""Manifests as kustomize renders them, and where schemas lie."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / ".venv-checks"
MANIFESTS = ROOT / "manifests"

#: Each overlay, the base alone, and all components in one.
RENDERED = ("base", "dev", "production", "keda", "prometheus-operator", "external-secrets", "together")

TOGETHER = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: workers
resources: [../manifests/overlays/production]
components:
  - ../manifests/components/keda
  - ../manifests/components/prometheus-operator
  - ../manifests/components/external-secrets
"""


def checks_tool(name):
    """Return a program of the environment of checks.

    Raises:
      AssertionError: With what to do where it is not there.
    """
    program = CHECKS / "bin" / name
    assert program.exists(), f"{name} is missing. Run: bash -c '. scripts/environment; prepare_checks'"
    return str(program)


@cache
def render(name, folder):
    if name == "together":
        # Kustomize takes no absolute paths.
        text = TOGETHER.replace("../manifests", os.path.relpath(MANIFESTS, folder))
        (folder / "kustomization.yaml").write_text(text)
        return kustomized(folder)
    return kustomized(MANIFESTS / name if name == "base" else MANIFESTS / "overlays" / name)


def kustomized(place):
    done = subprocess.run([checks_tool("kubectl"), "kustomize", str(place)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # By libyaml: safe_load_all takes twenty times as long.
    return [each for each in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if each]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """A function from an overlay's name to its objects."""
    folder = tmp_path_factory.mktemp("kustomize")
    return lambda name: render(name, folder)


@pytest.fixture(scope="session")
def crds():
    """The folder with JSON schemas of KEDA's and the Prometheus operator's objects."""
    for parent in ROOT.parents:
        if (parent / "shared" / "crds").is_dir():
            return parent / "shared" / "crds"
    pytest.fail("There is no ../shared/crds beside the project, with the schemas of foreign objects.")


def pods_of(objects):
    """Yield the object and the pod that it makes, for each that makes one."""
    for each in objects:
        if each["kind"] in ("StatefulSet", "Deployment", "Job"):
            yield each, each["spec"]["template"]


def named(objects, kind, name):
    """Return one object."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)}"
    return found[0]


def selects(labels, selector):
    """Tell whether a label selector takes an object with these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        inside = labels.get(rule["key"]) in rule.get("values", [])
        wanted = {"In": inside, "NotIn": not inside, "Exists": rule["key"] in labels}
        if not wanted[rule["operator"]]:
            return False
    return True
