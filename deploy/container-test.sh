#!/usr/bin/env bash
# Runs an image (default mynah:latest) as an operator would, against a sandbox on this machine: read-only, as its own
# user, stopped, killed, and with a full disk. Needs docker and a built `mynah` (MYNAH, or target/release/mynah).
set -euo pipefail
image=${1:-mynah:latest}
mynah=${MYNAH:-target/release/mynah}
work=$(mktemp -d)
name=mynah-container-test-$$
passed=0

finish() {
    docker rm -f "$name" >/dev/null 2>&1 || true
    docker volume rm "$name" >/dev/null 2>&1 || true
    [ -z "${sandbox:-}" ] || kill "$sandbox" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

ok() { passed=$((passed + 1)); echo "ok    $*"; }
fail() { echo "FAIL  $*" >&2; docker logs --tail 30 "$name" >&2 || true; exit 1; }
# Repeats a command until it succeeds, for at most a minute and a half.
until_so() {
    local what=$1; shift
    for _ in $(seq 450); do "$@" && return; sleep 0.2; done
    fail "not true within 90 s: $what"
}

for number in $(seq 1 300); do echo "Message $number from the town hall"; done > "$work/timeline.txt"
"$mynah" sandbox --listen 127.0.0.1:0 --account town --targets es --engines gemini --x-latency 30ms \
    --timeline "$work/timeline.txt" --write "$work" > "$work/sandbox.log" 2>&1 &
sandbox=$!
until_so "the sandbox answers" grep -q 'Press Ctrl-C' "$work/sandbox.log"
url=$(grep -o 'http://127.0.0.1:[0-9]*' "$work/sandbox.log" | head -1)
# Port 0 avoids conflicts with whatever else runs on this machine.
sed -i '/^data_dir/d' "$work/config.toml"
printf '\n[admin]\nlisten = "127.0.0.1:0"\n' >> "$work/config.toml"
chmod 644 "$work/config.toml" && chmod 755 "$work"

run() {
    docker run -d --name "$name" --network=host --read-only --tmpfs /tmp --cap-drop ALL \
        --security-opt no-new-privileges --env-file "$work/secrets.env" \
        -v "$work/config.toml:/etc/mynah/config.toml:ro" --health-interval 2s --health-retries 1 \
        --health-start-period 1s "$@" "$image" > /dev/null
}
published() { docker logs "$name" 2>/dev/null | grep -c ' router job published ' || true; }
at_least() { [ "$(published)" -ge "$1" ]; }
health() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$name")" = "$1" ]; }

run -v "$name:/var/lib/mynah"
until_so "the container publishes" at_least 20
[ "$(docker exec "$name" id -u)" != 0 ] || fail "the container runs as root"
docker exec "$name" sh -c 'touch /x 2>/dev/null' && fail "the root file system is writable"
ok "publishes on a read-only root file system as user $(docker exec "$name" id -u)"
until_so "the container is healthy" health healthy
ok "docker reports the container as healthy"

began=$(date +%s%N)
docker stop -t 30 "$name" > /dev/null
took=$((($(date +%s%N) - began) / 1000000))
code=$(docker inspect -f '{{.State.ExitCode}}' "$name")
[ "$code" = 0 ] && [ "$took" -lt 20000 ] || fail "docker stop: exit code $code after $took ms"
ok "docker stop under load: exit code 0 after $took ms"

stopped=$(published)
docker start "$name" > /dev/null
until_so "publishing resumes after a stop" at_least $((stopped + 20))
docker kill "$name" > /dev/null
killed=$(published)
docker start "$name" > /dev/null
until_so "publishing resumes after a kill" at_least $((killed + 20))
until_so "all 300 posts are published" at_least 300
state=$(curl -s "$url/_sandbox/state")
grep -q '"handle":"town_es"' <<< "$state" || fail "the sandbox's state does not list town_es"
on_account=$(grep -o '"post_count":[0-9]*' <<< "$state" | tail -1)
[ "$on_account" = '"post_count":300' ] || fail "expected 300 posts on the account, got $on_account"
ok "docker kill and start: publishing resumes, and each of the 300 posts is there once"

docker exec "$name" mynah jobs --state held,failed --json | grep -q '"jobs":\[\]' || fail "some jobs are held or failed"
ok "no job is held or failed"
docker rm -f "$name" > /dev/null

# A separate disk, so that the test can fill it.
run --tmpfs /var/lib/mynah:size=8m,mode=0700,uid=10001,gid=10001 -e MYNAH__SOURCE__START=now
until_so "the container is healthy" health healthy
docker exec "$name" sh -c 'dd if=/dev/zero of=/var/lib/mynah/filler bs=4096 >/dev/null 2>&1 || true'
until_so "the container is unhealthy on a full disk" health unhealthy
docker logs "$name" 2>&1 | grep -q 'service unhealthy' || fail "the log does not report the full disk"
ok "full disk: docker reports the container as unhealthy, and the log shows why"
docker exec "$name" rm /var/lib/mynah/filler
until_so "the container is healthy again" health healthy
ok "after space is freed, the container is healthy again"
echo "$passed passed"
