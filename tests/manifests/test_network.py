"""Everything is shut, but what has to go through: each scrape, each page, each server that a pod asks."""

import ipaddress

import pytest
from tests.manifests.conftest import RENDERED, pods_of, selects

ours = pytest.mark.parametrize("overlay", RENDERED)

#: Outside the namespace: its labels.
MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
INGRESS = {"kubernetes.io/metadata.name": "ingress-nginx", "growbin.io/monitor-access": "true"}
STRANGER = {"kubernetes.io/metadata.name": "default"}
DNS = ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})


def policies(objects):
    return [each for each in objects if each["kind"] == "NetworkPolicy"]


def port_numbers(rule, pod):
    """The (protocol, number) pairs that a rule lets through; None: all."""
    if "ports" not in rule:
        return None
    by_name = {port["name"]: port["containerPort"] for c in pod["spec"]["containers"] for port in c.get("ports", [])}
    return {(port.get("protocol", "TCP"), by_name.get(port["port"], port["port"])) for port in rule["ports"]}


def let_in(objects, pod, port, namespace, labels=None):
    """Tell whether a caller of a namespace reaches a port of a pod; ``namespace`` None: our own."""
    applying = [
        each
        for each in policies(objects)
        if "Ingress" in each["spec"]["policyTypes"] and selects(pod["metadata"]["labels"], each["spec"]["podSelector"])
    ]
    assert applying, "no policy: everything is open"
    for each in applying:
        for rule in each["spec"].get("ingress", []):
            numbers = port_numbers(rule, pod)
            fits = numbers is None or ("TCP", port) in numbers
            if fits and any(_caller_fits(peer, namespace, labels or {}) for peer in rule["from"]):
                return True
    return False


def _caller_fits(peer, namespace, labels):
    if namespace is None:
        return "namespaceSelector" not in peer and selects(labels, peer.get("podSelector", {}))
    return "namespaceSelector" in peer and selects(namespace, peer["namespaceSelector"])


def let_out(objects, pod, port, address=None, protocol="TCP", namespace=None, labels=None):
    """Tell whether a pod reaches an address, or a pod with labels (of a namespace, or our own)."""
    applying = [
        each
        for each in policies(objects)
        if "Egress" in each["spec"]["policyTypes"] and selects(pod["metadata"]["labels"], each["spec"]["podSelector"])
    ]
    assert applying, "no policy: everything is open"
    for each in applying:
        for rule in each["spec"].get("egress", []):
            numbers = port_numbers(rule, {"spec": {"containers": []}})
            if numbers is not None and (protocol, port) not in numbers:
                continue
            for peer in rule["to"]:
                if address and "ipBlock" in peer and _within(address, peer["ipBlock"]):
                    return True
                if labels is not None and "podSelector" in peer and selects(labels, peer["podSelector"]):
                    wanted = peer.get("namespaceSelector")
                    if (wanted is None and namespace is None) or (wanted and selects(namespace or {}, wanted)):
                        return True
    return False


def _within(address, block):
    found = ipaddress.ip_address(address)
    return found in ipaddress.ip_network(block["cidr"]) and not any(
        found in ipaddress.ip_network(each) for each in block.get("except", [])
    )


def growbin(objects):
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod
        for _, pod in pods_of(objects)
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == "growbin-jobs"
    }


@ours
def test_nothing_is_open_by_default(rendered, overlay):
    shut = next(each for each in policies(rendered(overlay)) if each["metadata"]["name"] == "default-deny")

    assert shut["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@ours
def test_every_port_that_is_scraped_is_reached_by_prometheus_and_by_nobody_else(rendered, overlay):
    objects = rendered(overlay)
    scraped = [
        pod for pod in growbin(objects).values() if pod["metadata"]["labels"].get("growbin.io/metrics") == "true"
    ]

    assert len(scraped) == 3
    for pod in scraped:
        assert let_in(objects, pod, 9090, MONITORING)
        assert not let_in(objects, pod, 9090, STRANGER)
        assert not let_in(objects, pod, 9090, None, {"app.kubernetes.io/name": "growbin-jobs"})
        assert not let_in(objects, pod, 22, MONITORING)


@ours
def test_what_pod_monitors_scrape_is_let_in(rendered, overlay):
    objects = rendered(overlay)
    for monitor in (each for each in objects if each["kind"] == "PodMonitor"):
        for _, pod in pods_of(objects):
            if not selects(pod["metadata"]["labels"], monitor["spec"]["selector"]):
                continue
            ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                assert let_in(objects, pod, ports[endpoint["port"]], MONITORING)


@ours
def test_the_monitor_s_page_is_for_namespaces_that_were_let_in(rendered, overlay):
    objects = rendered(overlay)
    monitor = growbin(objects)["monitor"]

    assert let_in(objects, monitor, 5555, INGRESS)
    assert not let_in(objects, monitor, 5555, STRANGER)
    assert not let_in(objects, monitor, 5555, MONITORING)


@ours
def test_every_pod_reaches_what_it_asks(rendered, overlay):
    objects = rendered(overlay)
    for name, pod in growbin(objects).items():
        assert let_out(objects, pod, 5432, "10.1.2.3"), name
        assert let_out(objects, pod, 5672, "10.1.2.3"), name
        assert let_out(objects, pod, 53, protocol="UDP", namespace=DNS[0], labels=DNS[1]), name
        assert let_out(objects, pod, 53, namespace=DNS[0], labels=DNS[1]), name
        assert let_out(objects, pod, 443, "203.0.113.9") == (name != "migration"), name


@ours
def test_no_pod_reaches_the_cloud_s_metadata_or_anything_else(rendered, overlay):
    objects = rendered(overlay)
    for name, pod in growbin(objects).items():
        for port in (80, 443, 5432):
            assert not let_out(objects, pod, port, "169.254.169.254"), name
        assert not let_out(objects, pod, 22, "10.1.2.3"), name
        assert not let_out(objects, pod, 25, "203.0.113.9"), name


def test_the_servers_of_dev_are_reached_by_our_pods_alone(rendered):
    objects = rendered("dev")
    ours_too = {"app.kubernetes.io/name": "growbin-jobs"}
    for _, pod in pods_of(objects):
        component = pod["metadata"]["labels"].get("app.kubernetes.io/component")
        port = {"rabbitmq": 5672, "postgres": 5432, "s3": 8333}.get(component)
        if port is None:
            continue
        assert let_in(objects, pod, port, None, ours_too)
        assert not let_in(objects, pod, port, STRANGER)
        assert not let_in(objects, pod, port, None, {"app": "other"})
    for pod in growbin(objects).values():
        assert let_out(objects, pod, 8333, labels={"app.kubernetes.io/component": "s3"})
