"""Every object of every overlay against the strict schema of its kind; an object without a schema is a failure."""

import json
from functools import cache

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from tests.manifests.conftest import CHECKS, MANIFESTS, RENDERED

KUBERNETES = "1.37.0"

#: The External Secrets Operator's, as far as we use it: its own is not among those at hand.
EXTERNAL_SECRET = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "external-secrets.io/v1"},
        "kind": {"const": "ExternalSecret"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["secretStoreRef", "target", "data"],
            "properties": {
                "refreshInterval": {"type": "string", "pattern": "^[0-9]+[smh]$"},
                "secretStoreRef": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["kind", "name"],
                    "properties": {"kind": {"enum": ["SecretStore", "ClusterSecretStore"]}, "name": {"type": "string"}},
                },
                "target": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "creationPolicy": {"enum": ["Owner", "Merge"]}},
                },
                "data": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["secretKey", "remoteRef"],
                        "properties": {
                            "secretKey": {"type": "string"},
                            "remoteRef": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["key"],
                                "properties": {"key": {"type": "string"}, "property": {"type": "string"}},
                            },
                        },
                    },
                },
            },
        },
    },
}


def schemas():
    found = list(CHECKS.glob(f"lib/python3*/site-packages/kubernetes_validate/*/v{KUBERNETES}-local-strict"))
    assert found, "Kubernetes' schemas are missing. Run: bash -c '. scripts/environment; prepare_checks'"
    return found[0]


@cache
def definition(uri):
    return Resource.from_contents(json.loads((schemas() / uri.rpartition("/")[2]).read_text()), DRAFT7)


REGISTRY = Registry(retrieve=definition)


@cache
def validator(api_version, kind, crds):
    group, _, version = api_version.rpartition("/")
    if group == "external-secrets.io":
        return Draft7Validator(EXTERNAL_SECRET)
    if group in ("keda.sh", "monitoring.coreos.com"):
        schema = json.loads((crds / f"{kind.lower()}_{version}.json").read_text())
        return Draft7Validator(schema)
    parts = [kind.lower(), *([group.split(".")[0]] if group else []), version]
    file = schemas() / ("-".join(parts) + ".json")
    assert file.exists(), f"no schema of {api_version} {kind}"
    return Draft7Validator(json.loads(file.read_text()), registry=REGISTRY)


#: Objects that were found right: overlays share most of theirs.
SEEN = set()


def faults(each, crds):
    text = json.dumps(each, sort_keys=True)
    if text in SEEN:
        return []
    found = [
        f"{each['kind']} {each['metadata']['name']}: {'/'.join(map(str, error.path))}: {error.message[:200]}"
        for error in validator(each["apiVersion"], each["kind"], crds).iter_errors(each)
    ]
    if not found:
        SEEN.add(text)
    return found


@pytest.mark.parametrize("overlay", RENDERED)
def test_every_object_keeps_its_schema(rendered, crds, overlay):
    objects = rendered(overlay)

    assert len(objects) > 20
    assert [fault for each in objects for fault in faults(each, crds)] == []


def test_the_drain_job_keeps_its_schema(crds):
    assert faults(yaml.safe_load((MANIFESTS / "drain" / "drain.yaml").read_text()), crds) == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("StatefulSet", ("spec", "replica"), 2),
        ("StatefulSet", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "150"),
        ("ScaledObject", ("spec", "polingInterval"), 15),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "forr"), "5m"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "interval"), "thirty"),
        ("ExternalSecret", ("spec", "data", 0, "secretkey"), "X"),
    ],
)
def test_a_planted_fault_is_found(rendered, crds, kind, path, value):
    each = json.loads(json.dumps(next(each for each in rendered("together") if each["kind"] == kind)))
    place = each
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert faults(each, crds)
