"""What check.sh asks of rendered manifests: check.py QUINTET RENDERED.yaml [...]; a line for each complaint."""

import re
import subprocess
import sys

import kubernetes_validate
import yaml

# The oldest one that has all the fields of ours, and the newest that the validator knows.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def pod_template(document):
    return document["spec"].get("template") if document["kind"] in ("StatefulSet", "Deployment", "Job") else None


def name(document):
    return f"{document['kind']}/{document['metadata']['name']}"


def schema(document):
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(step) for step in error.path)
            yield f"{version}: {where}: {error.message.splitlines()[0][:160]}"
            return


def confinement(document):
    """Kubernetes' own pod security level `restricted`, and a root file system that nobody writes to."""
    pod = pod_template(document)["spec"]
    of_pod = pod.get("securityContext", {})
    if not of_pod.get("runAsNonRoot") or of_pod.get("runAsUser", 0) == 0:
        yield "the pod may run as root"
    if of_pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod gets a key to the API server"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"{key} is set"
    for volume in pod["volumes"]:
        if not set(volume) & {"secret", "emptyDir", "persistentVolumeClaim"}:
            yield f"the volume {volume['name']} is of a kind that is not allowed"
    for container in pod["initContainers"] + pod["containers"]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{container['name']} may gain privileges"
        if own.get("capabilities", {}) != {"drop": ["ALL"]}:
            yield f"{container['name']} keeps capabilities"
        if not own.get("readOnlyRootFilesystem"):
            yield f"{container['name']} may write to its root file system"
        resources = container.get("resources", {})
        if "memory" not in resources.get("limits", {}) or "cpu" not in resources.get("requests", {}):
            yield f"{container['name']} has no resources"


def references(document, others):
    """What is mounted, probed, selected or scaled is there."""
    labels = [pod_template(other)["metadata"]["labels"] for other in others if pod_template(other)]
    spec = document.get("spec", {})
    selectors = [rule["podSelector"] for way, end in (("ingress", "from"), ("egress", "to"))
                 for peers in (spec.get(way) or [] if document["kind"] == "NetworkPolicy" else [])
                 for rule in peers[end] if "podSelector" in rule]
    selectors += [spec["podSelector"]] if "podSelector" in spec else []
    if "selector" in spec:
        selectors.append(spec["selector"])
    for selector in selectors:
        wanted = selector.get("matchLabels", selector)
        if not any(wanted.items() <= own.items() for own in labels):
            yield f"no pod has the labels {wanted}"
    if "scaleTargetRef" in spec:
        target = f"{spec['scaleTargetRef']['kind']}/{spec['scaleTargetRef']['name']}"
        if target not in map(name, others):
            yield f"{target} is not there"
    if pod_template(document):
        yield from references_of_pod(document, others)


def references_of_pod(document, others):
    pod = pod_template(document)["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
    secrets = {other["metadata"]["name"] for other in others if other["kind"] == "Secret"}
    for volume in pod["volumes"]:
        if "secret" in volume and volume["secret"]["secretName"] not in secrets:
            yield f"the secret {volume['secret']['secretName']} is not there"
    for container in pod["initContainers"] + pod["containers"]:
        ports = {port["name"] for port in container.get("ports", [])}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if kind in container and container[kind]["httpGet"]["port"] not in ports:
                yield f"{container['name']}: the {kind} asks a port that is not there"
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                yield f"{container['name']}: the volume {mount['name']} is not there"


def options(document, quintet):
    """What the program is started with, it must know."""
    for container in pod_template(document)["spec"]["containers"]:
        words = " ".join(container["command"] + container["args"])
        started = re.search(r"\bquintet (coordinator|worker)\b", words)
        if not started:
            yield f"{container['name']} does not start quintet"
            continue
        manual = subprocess.run([quintet, "help", started[1]], capture_output=True, text=True, check=True).stdout
        for option in sorted(set(re.findall(r"(?<![\w/])--[a-z-]+", words[started.start():]))):
            if not re.search(rf"^ *{option} ", manual, re.MULTILINE):
                yield f"{quintet} {started[1]} knows no {option}"


def complaints(documents, quintet):
    for document in documents:
        found = list(schema(document))
        if not found and pod_template(document):
            found += list(confinement(document)) + list(options(document, quintet))
        if not found:
            found += references(document, documents)
        for complaint in found:
            yield f"{name(document)}: {complaint}"


def main():
    quintet, files = sys.argv[1], sys.argv[2:]
    bad = False
    for file in files:
        with open(file, encoding="utf-8") as stream:
            documents = [document for document in yaml.safe_load_all(stream) if document]
        for complaint in complaints(documents, quintet):
            print(f"{file}: {complaint}")
            bad = True
        kinds = ", ".join(sorted(document["kind"] for document in documents))
        if not bad:
            print(f"{file}: {len(documents)} manifests ({kinds}), Kubernetes {' and '.join(VERSIONS)}")
    sys.exit(bad)


if __name__ == "__main__":
    main()
