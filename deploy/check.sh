#!/usr/bin/env bash
# Holds deploy/ and compose.yaml against real schemas and parsers, and against each other; ends with 1 on any finding.
# No cluster, no daemon and no network are needed, but for PyPI the first time: the schemas come inside of packages.
#
# python3 with venv is needed (apt-get install python3-venv). These are used where they are installed, and what is skipped
# without them is said: promtool (apt-get install prometheus), kubectl, docker compose, and a Mynah in target/debug.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

work=target/deploy-check
packages="kubernetes-validate==1.37.0 compose-spec==0.2.1 PyYAML==6.0.3"
# The oldest and the newest Kubernetes that the manifests are meant for.
kubernetes=(1.30 1.37)

failed=0 passed=0 skipped=0
# Runs a command; what it says is worth reading only where it fails.
check() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "ok    $what"
        passed=$((passed + 1))
    else
        echo "FAIL  $what"
        sed 's/^/      /' <<<"$said"
        failed=$((failed + 1))
    fi
}
skip() {
    echo "skip  $1: $2"
    skipped=$((skipped + 1))
}

if [ "$(cat $work/packages 2>/dev/null)" != "$packages" ]; then
    rm -rf $work
    mkdir -p $work
    # shellcheck disable=SC2086  # several packages
    if ! { python3 -m venv $work/venv && $work/venv/bin/pip install --quiet --disable-pip-version-check $packages; }; then
        echo "FAIL  the checks' own packages cannot be installed in $work/venv (apt-get install python3-venv; PyPI)"
        exit 1
    fi
    echo "$packages" >$work/packages
fi
python=$work/venv/bin/python
made=$work/made
rm -rf $made
mkdir -p $made/prometheus $made/data

# --- Kubernetes

versions=()
for version in "${kubernetes[@]}"; do versions+=(-k "$version"); done
# Silence is what is wanted: a kind or apiVersion that it does not know is a mere warning to the tool.
valid() {
    local said
    if ! said=$($work/venv/bin/kubernetes-validate --strict --quiet "${versions[@]}" "$1" 2>&1) || [ -n "$said" ]; then
        echo "$said"
        return 1
    fi
}
for manifest in deploy/kubernetes/*.yaml; do
    # Kustomize's own kind is no kind of Kubernetes.
    [ "$manifest" = deploy/kubernetes/kustomization.yaml ] && continue
    check "$manifest" valid "$manifest"
done

# A schema knows nothing of other files: here are the names by which they find each other.
check "deploy/kubernetes: what belongs together" $python - <<'PY'
import pathlib, re, sys, yaml

folder = pathlib.Path("deploy/kubernetes")
load = lambda name: yaml.safe_load((folder / name).read_text())
wrong = []
def expect(holds, what):
    if not holds:
        wrong.append(what)

kustomization = load("kustomization.yaml")
known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"}
expect(set(kustomization) <= known, f"kustomization.yaml: what are {set(kustomization) - known}?")
resources = set(kustomization["resources"])
manifests = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
expect("secret.example.yaml" not in resources, "kustomization.yaml would apply the Secret's placeholders")
expect(resources == manifests, f"kustomization.yaml and the folder differ in {resources ^ manifests}")
for generator in kustomization["configMapGenerator"]:
    for file in generator["files"]:
        expect((folder / file).is_file(), f"kustomization.yaml: there is no {file}")

deployment, service = load("deployment.yaml"), load("service.yaml")
pod, labels = deployment["spec"]["template"]["spec"], deployment["spec"]["template"]["metadata"]["labels"]
(container,) = pod["containers"]
ports = {port["name"]: port["containerPort"] for port in container["ports"]}
expect(deployment["spec"]["replicas"] == 1, "one ledger, one Mynah: replicas must be 1")
expect(deployment["spec"]["strategy"] == {"type": "Recreate"}, "one ledger, one Mynah: strategy must be Recreate")
expect(deployment["spec"]["selector"]["matchLabels"].items() <= labels.items(), "the Deployment does not select its pods")
expect(service["spec"]["selector"].items() <= labels.items(), "the Service does not select the pods")
expect(all(port["targetPort"] in ports for port in service["spec"]["ports"]), "the Service's port is none of the container's")
for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
    expect(container[probe]["httpGet"]["port"] in ports, f"{probe}'s port is none of the container's")
expect(container["image"] in {image["name"] for image in kustomization["images"]}, "kustomization.yaml names another image")
secret = load("secret.example.yaml")["metadata"]["name"]
expect({source["secretRef"]["name"] for source in container["envFrom"]} == {secret}, "the Deployment reads another Secret")
volumes = {volume["name"]: volume for volume in pod["volumes"]}
expect({mount["name"] for mount in container["volumeMounts"]} == set(volumes), "volumes and mounts differ")
expect(volumes["data"]["persistentVolumeClaim"]["claimName"] == load("pvc.yaml")["metadata"]["name"], "the data volume is another claim's")
maps = {generator["name"] for generator in kustomization["configMapGenerator"]}
expect(volumes["config"]["configMap"]["name"] in maps, "the config volume is another ConfigMap's")

# And with what is elsewhere in the repository.
dockerfile, settings = pathlib.Path("Dockerfile").read_text(), pathlib.Path("config.toml").read_text()
uid = int(re.search(r"--uid (\d+)", dockerfile)[1])
expect(pod["securityContext"]["runAsUser"] == uid, f"the image's user is {uid}")
grace = int(re.search(r'^grace = "(\d+)s"', settings, re.M)[1])
expect(pod["terminationGracePeriodSeconds"] > grace, f"terminationGracePeriodSeconds must be more than shutdown.grace, {grace}s")
listen = re.search(r'^listen = "0\.0\.0\.0:(\d+)"', (folder / "config.toml").read_text(), re.M)
expect(listen and int(listen[1]) == ports["admin"], "admin.listen is not what the probes ask")
sys.exit("\n".join(wrong) or 0)
PY

if command -v kubectl >/dev/null; then
    check "kubectl kustomize deploy/kubernetes" bash -c "kubectl kustomize deploy/kubernetes >$made/kustomized.yaml"
    check "what it makes" valid $made/kustomized.yaml
else
    skip "kubectl kustomize deploy/kubernetes" "there is no kubectl"
fi

if [ -x target/debug/mynah ]; then
    # With exactly the variables of the example: it must name every secret that the settings need.
    mapfile -t secrets < <($python -c '
import yaml
for name, value in yaml.safe_load(open("deploy/kubernetes/secret.example.yaml"))["stringData"].items():
    print(f"{name}={value}")')
    check "deploy/kubernetes/config.toml with the Secret's variables" \
        env -i PATH="$PATH" MYNAH__DATA_DIR=$made/data "${secrets[@]}" \
        target/debug/mynah check --offline --config deploy/kubernetes/config.toml
else
    skip "deploy/kubernetes/config.toml" "there is no target/debug/mynah (cargo build)"
fi

# --- Prometheus and Grafana

# What can be said of the dashboard without promtool; and its expressions as rules, for promtool.
check "deploy/grafana" $python - $made/expressions.yml <<'PY'
import itertools, json, pathlib, re, sys, yaml

wrong = []
board = json.loads(pathlib.Path("deploy/grafana/mynah.json").read_text())
source = {"type": "prometheus", "uid": "${datasource}"}
variables = {variable["name"] for variable in board["templating"]["list"]}
panels = board["panels"]
expressions = {}
if board["uid"] != "mynah":
    wrong.append("its uid is not mynah")
if len({panel["id"] for panel in panels}) != len(panels):
    wrong.append("two panels have one id")
for panel in panels:
    for target in panel.get("targets", []):
        if panel["datasource"] != source or target["datasource"] != source:
            wrong.append(f"{panel['title']}: not of the datasource that is chosen above")
        expressions[f"{panel['title']}, {target['refId']}"] = target["expr"]
for annotation in board["annotations"]["list"]:
    expressions[f"annotation {annotation['name']}"] = annotation["expr"]
place = lambda panel: (panel["gridPos"][key] for key in "xywh")
for one, other in itertools.combinations(panels, 2):
    (x, y, w, h), (a, b, c, d) = place(one), place(other)
    if x < a + c and a < x + w and y < b + d and b < y + h:
        wrong.append(f"{one['title']} lies over {other['title']}")

# A metric that Mynah does not have is a panel without data, and an alert that never comes.
families = set(re.findall(r'"((?:mynah|process)_\w+)"', pathlib.Path("src/telemetry/prometheus.rs").read_text()))
alerts = yaml.safe_load(pathlib.Path("deploy/prometheus/alerts.yml").read_text())
asked = dict(expressions)
asked.update({rule["alert"]: rule["expr"] for group in alerts["groups"] for rule in group["rules"]})
for where, expression in asked.items():
    for name in re.findall(r"\b(?:mynah|process)_\w+", expression):
        if name not in families and re.sub("_(sum|count)$", "", name) not in families:
            wrong.append(f"{where}: Mynah has no {name}")

rules = []
for number, (where, expression) in enumerate(expressions.items()):
    # As Grafana would write it.
    for name, value in {"__rate_interval": "1m0s", "__range": "6h0m0s", "job": "mynah"}.items():
        expression = re.sub(rf"\${name}\b", value, expression)
    unknown = set(re.findall(r"\$(?!\d)\w+", expression))
    if unknown:
        wrong.append(f"{where}: what are {unknown}?")
    rules.append({"record": f"panel_{number}", "expr": expression, "labels": {"where": where}})
pathlib.Path(sys.argv[1]).write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, allow_unicode=True, width=1000))

for file in sorted(pathlib.Path("deploy/grafana/provisioning").rglob("*.yml")):
    if yaml.safe_load(file.read_text())["apiVersion"] != 1:
        wrong.append(f"{file}: its apiVersion is not 1")
sys.exit("\n".join(wrong) or 0)
PY

if command -v promtool >/dev/null; then
    check "deploy/prometheus/alerts.yml" promtool check rules deploy/prometheus/alerts.yml
    # promtool wants to see the token's file, which is in the container only.
    cp deploy/prometheus/*.yml $made/prometheus/
    echo placeholder >$made/prometheus/token
    sed -i 's|credentials_file: .*|credentials_file: token|' $made/prometheus/prometheus.yml
    check "deploy/prometheus/prometheus.yml" promtool check config $made/prometheus/prometheus.yml
    check "the dashboard's expressions" promtool check rules $made/expressions.yml
else
    skip "Prometheus' files and the dashboard's expressions" "there is no promtool (apt-get install prometheus)"
fi

# --- Compose

check "compose.yaml" $python - <<'PY'
import pathlib, sys, compose_spec, yaml

text = pathlib.Path("compose.yaml").read_text()
compose_spec.PyCompose.from_yaml(text).validate()
wrong = []
services = yaml.safe_load(text)["services"]
for name, service in services.items():
    for volume in service.get("volumes", []):
        host = volume.split(":")[0]
        if host.startswith("./") and not pathlib.Path(host).exists():
            wrong.append(f"{name}: there is no {host}")
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            wrong.append(f"{name}: {port} is open for others than this machine")
plain = {name for name, service in services.items() if "profiles" not in service}
if plain != {"mynah"} or "secrets" in services["mynah"]:
    wrong.append("without a profile there must be mynah alone, and no token needed")
sys.exit("\n".join(wrong) or 0)
PY

if docker compose version >/dev/null 2>&1; then
    check "docker compose config" env -u MYNAH_ADMIN_TOKEN docker compose config -q
    check "docker compose --profile monitoring config" \
        env MYNAH_ADMIN_TOKEN=placeholder docker compose --profile monitoring config -q
else
    skip "docker compose config" "there is no docker compose"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
