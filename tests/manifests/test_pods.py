"""Pods are hardened, sized and stopped as the requirements say."""

import pytest
from tests.manifests.conftest import RENDERED, named, pods_of

ours = pytest.mark.parametrize("overlay", RENDERED)


def settings_of(objects):
    return next(
        each["data"]
        for each in objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("growbin-settings")
    )


def growbin_pods(objects):
    return [
        (each, pod)
        for each, pod in pods_of(objects)
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == "growbin-jobs"
    ]


@ours
def test_pods_may_do_nothing_that_they_need_not(rendered, overlay):
    for each, pod in pods_of(rendered(overlay)):
        spec = pod["spec"]
        about = each["metadata"]["name"]
        assert spec["automountServiceAccountToken"] is False, about
        assert spec["securityContext"]["runAsNonRoot"] is True, about
        assert spec["securityContext"]["runAsUser"] > 0, about
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, about
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), about
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, about
            assert context["capabilities"] == {"drop": ["ALL"]}, about
            assert "privileged" not in context, about
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][kind]), about
        for volume in spec["volumes"]:
            assert "hostPath" not in volume, about
            assert "emptyDir" not in volume or volume["emptyDir"].get("sizeLimit"), about


@ours
def test_our_pods_have_a_read_only_root_and_no_secret_in_their_environment(rendered, overlay):
    pods = growbin_pods(rendered(overlay))

    assert len(pods) >= 5
    for _, pod in pods:
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert not [row for row in container["env"] if "secretKeyRef" in row.get("valueFrom", {})]
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
                "/var/lib/growbin", "/tmp", "/etc/growbin/secrets",
            }  # fmt: skip


@ours
def test_there_is_time_to_drain(rendered, overlay):
    objects = rendered(overlay)
    settings = settings_of(objects)
    shutdown, sync = (float(settings[f"GROWBIN_{name}"]) for name in ("SHUTDOWN_TIMEOUT", "FINAL_SYNC_TIMEOUT"))

    for name in ("growbin-storage", "growbin-ai"):
        spec = named(objects, "StatefulSet", name)["spec"]["template"]["spec"]
        # A worker may need its timeout twice, and what precedes the signal counts too: there is nothing.
        assert spec["terminationGracePeriodSeconds"] >= 2 * shutdown + sync + 10
        assert "lifecycle" not in spec["containers"][0], "a second signal would end the workers at once"


@ours
def test_probes_ask_what_they_are_for(rendered, overlay):
    for each, pod in growbin_pods(rendered(overlay)):
        if each["kind"] == "Job":
            continue
        container = pod["spec"]["containers"][0]
        probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
        if each["metadata"]["name"] == "growbin-monitor":
            assert {probe["httpGet"]["path"] for probe in probes.values()} == {"/healthz"}
            continue
        paths = {kind: probe["httpGet"]["path"] for kind, probe in probes.items()}
        assert paths == {"startup": "/startupz", "liveness": "/livez", "readiness": "/readyz"}
        # A worker may take a while to open its journal, and must not be killed for that.
        assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 120


@ours
def test_each_pod_of_a_group_has_a_journal_of_its_own(rendered, overlay):
    objects = rendered(overlay)
    for name in ("growbin-storage", "growbin-ai"):
        spec = named(objects, "StatefulSet", name)["spec"]
        assert spec["podManagementPolicy"] == "Parallel"
        assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        claim = spec["volumeClaimTemplates"][0]["spec"]
        assert claim["accessModes"] == (["ReadWriteOnce"] if overlay == "dev" else ["ReadWriteOncePod"])
        node = next(row for row in spec["template"]["spec"]["containers"][0]["env"] if row["name"] == "GROWBIN_NODE")
        assert node["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
        assert named(objects, "Service", spec["serviceName"])["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("overlay", [name for name in RENDERED if name != "dev"])
def test_workers_have_the_size_that_the_requirements_name(rendered, overlay):
    objects = rendered(overlay)
    for name in ("growbin-storage", "growbin-ai"):
        spec = named(objects, "StatefulSet", name)["spec"]
        resources = spec["template"]["spec"]["containers"][0]["resources"]
        assert (resources["requests"]["cpu"], resources["requests"]["memory"]) == ("1", "2Gi")
        assert (resources["limits"]["cpu"], resources["limits"]["memory"]) == ("2", "4Gi")
        assert spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "40Gi"
    assert named(objects, "Deployment", "growbin-scheduler")["spec"]["replicas"] == 2
    assert all(each["metadata"].get("namespace", "workers") == "workers" for each in objects)


@ours
def test_no_budget_blocks_a_drain_for_ever(rendered, overlay):
    budgets = [each for each in rendered(overlay) if each["kind"] == "PodDisruptionBudget"]

    assert len(budgets) == 4
    for budget in budgets:
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("overlay", ["production", "keda", "prometheus-operator", "external-secrets", "together"])
def test_production_runs_one_image_by_digest(rendered, overlay):
    images = {c["image"] for _, pod in growbin_pods(rendered(overlay)) for c in pod["spec"]["containers"]}

    assert len(images) == 1
    assert "@sha256:" in images.pop()
