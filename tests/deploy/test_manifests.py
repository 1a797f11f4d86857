"""The deployment's files: what they promise of every container, and settings that the gateway takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import Settings

SECRET = re.compile(r"password|secret|token|key$", re.IGNORECASE)


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [self.construct_object(key) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(names) == len(set(map(str, names))), f"a key stands twice: {names}"
        return super().construct_mapping(node, deep)


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    folder = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
    found = [each for file in sorted(folder.glob("*.yaml")) for each in yaml.load_all(file.read_text(), Strict)]
    assert len(found) > 12
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    file = Path(__file__).resolve().parents[2] / "deploy" / "compose.yaml"
    return dict(yaml.load(file.read_text(), Strict))


def pods(manifests: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(the manifest, its pod template)."""
    for manifest in manifests:
        if manifest["kind"] in ("StatefulSet", "Deployment"):
            yield manifest, manifest["spec"]["template"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def named(manifests: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def test_every_container_is_closed(manifests: list[dict[str, Any]]) -> None:
    for _, pod in pods(manifests):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC"))
        for container in containers(pod):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_what_is_named_is_there(manifests: list[dict[str, Any]]) -> None:
    labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]
    for manifest, pod in pods(manifests):
        assert manifest["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert manifest["spec"]["serviceName"] in named(manifests, "Service")
        volumes = {each["name"] for each in pod["spec"]["volumes"]}
        volumes |= {each["metadata"]["name"] for each in manifest["spec"].get("volumeClaimTemplates", [])}
        for container in containers(pod):
            assert {each["name"] for each in container["volumeMounts"]} <= volumes
            ports = {each["name"] for each in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = next(iter(container.get(probe, {}).values()), {})
                at = port.get("port") if isinstance(port, dict) else None
                assert at is None or isinstance(at, int) or at in ports, (container["name"], probe)
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in named(manifests, "ConfigMap")
    for manifest in manifests:
        if manifest["kind"] == "Service":
            assert any(manifest["spec"]["selector"].items() <= each.items() for each in labels)
        if manifest["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = manifest["spec"].get("podSelector") or manifest["spec"].get("selector") or {}
            wanted = selector.get("matchLabels", {})
            assert any(wanted.items() <= each.items() for each in labels)


def test_the_gateway_twice_probed_and_never_all_away(manifests: list[dict[str, Any]]) -> None:
    gateways = named(manifests, "StatefulSet")["gateway"]["spec"]
    assert gateways["replicas"] == 2
    (gateway,) = gateways["template"]["spec"]["containers"]
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert gateway["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert named(manifests, "PodDisruptionBudget")["gateway"]["spec"]["minAvailable"] == 1
    envoy = next(each for each in gateways["template"]["spec"]["initContainers"] if each["name"] == "envoy")
    assert envoy["restartPolicy"] == "Always"
    listening = {each["containerPort"] for each in envoy["ports"]}
    assert {gateway[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} <= listening


def test_nothing_reaches_anything_but_what_is_allowed(manifests: list[dict[str, Any]]) -> None:
    policies = named(manifests, "NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "egress" not in policies["postgres"]["spec"]
    assert "egress" not in policies["witness"]["spec"]
    (database,) = policies["postgres"]["spec"]["ingress"]
    assert database == {"from": [{"podSelector": {"matchLabels": {"app": "gateway"}}}], "ports": [{"port": 5432}]}
    for rule in policies["gateway"]["spec"]["egress"]:
        assert rule.get("to"), "egress without a destination"
        for block in (each["ipBlock"] for each in rule["to"] if "ipBlock" in each):
            assert "169.254.0.0/16" in block["except"]
    assert {each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for each in manifests
            if each["kind"] == "Namespace"} == {"restricted"}  # fmt: skip


def test_no_secret_stands_in_any_file(manifests: list[dict[str, Any]], compose: dict[str, Any]) -> None:
    assert not named(manifests, "Secret")
    for _, pod in pods(manifests):
        for container in containers(pod):
            for each in container.get("env", []):
                if each["name"] == "LINKAGE_DATABASE_URL" or SECRET.search(each["name"]):
                    assert "value" not in each or each["value"].startswith("/"), each["name"]
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name == "LINKAGE_DATABASE_URL":
                assert value.startswith("${LINKAGE_DATABASE_URL:?")
            elif SECRET.search(name):
                assert value.startswith("/"), name


def test_the_gateway_takes_these_settings(
    manifests: list[dict[str, Any]], compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"LINKAGE_{name.upper()}" for name in Settings.model_fields}
    sets: list[dict[str, str]] = [dict(named(manifests, "ConfigMap")["linkage-settings"]["data"])]
    for name, service in compose["services"].items():
        if name.startswith("gateway"):
            sets.append({**service["environment"], "LINKAGE_HOST": "0.0.0.0"})
    names = [each["LINKAGE_GATEWAY_NAME"] for each in sets[1:]]
    assert len(set(names)) == len(names) == 2
    for settings in sets:
        assert settings.keys() <= known
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                plain = re.sub(r"\$\{LINKAGE_(\w+):[?-][^}]*\}", lambda found: EXAMPLES.get(found[1], ""), value)
                patch.setenv(name, plain)
            read = Settings()
        assert read.trusted_proxies
        assert not read.sandbox
        assert read.issuer.startswith("https://")


EXAMPLES = {"ISSUER": "https://gateway.example.go.th", "DATABASE_URL": "postgresql://linkage:x@postgres/linkage"}


def test_compose_is_closed_too(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {"gateway-1", "gateway-2", "postgres", "witness", "envoy"} <= services.keys()
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].partition(":")[0]) > 0, name
        networks = service["networks"]
        assert set(networks) <= compose["networks"].keys(), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"], name
    assert [name for name, service in services.items() if service.get("ports")] == ["envoy"]
    assert compose["networks"]["inside"]["internal"] is True
    proxy = services["envoy"]["networks"]["inside"]["ipv4_address"]
    for name in ("gateway-1", "gateway-2"):
        assert services[name]["environment"]["LINKAGE_TRUSTED_PROXIES"] == proxy
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
