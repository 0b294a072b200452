#!/usr/bin/env bash
# Runs the image (mynah:latest, or the one named) as an operator does, against a sandbox on this machine: read-only, as its
# own user, stopped, killed, and with a full disk. Needs docker and a built `mynah` (MYNAH, else target/release/mynah).
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
fail() { echo "WRONG $*" >&2; docker logs --tail 30 "$name" >&2 || true; exit 1; }
# Asks until it is so, for a minute and a half.
until_so() {
    local what=$1; shift
    for _ in $(seq 450); do "$@" && return; sleep 0.2; done
    fail "it never came to be: $what"
}

for number in $(seq 1 300); do echo "Message $number from the town hall"; done > "$work/timeline.txt"
"$mynah" sandbox --listen 127.0.0.1:0 --account town --targets es --engines gemini --x-latency 30ms \
    --timeline "$work/timeline.txt" --write "$work" > "$work/sandbox.log" 2>&1 &
sandbox=$!
until_so "the sandbox answers" grep -q 'Press Ctrl-C' "$work/sandbox.log"
url=$(grep -o 'http://127.0.0.1:[0-9]*' "$work/sandbox.log" | head -1)
# Port 0: whatever else runs here has its own.
sed -i '/^data_dir/d' "$work/config.toml"
printf '\n[admin]\nlisten = "127.0.0.1:0"\n' >> "$work/config.toml"
chmod 644 "$work/config.toml" && chmod 755 "$work"

run() {
    docker run -d --name "$name" --network=host --read-only --tmpfs /tmp --cap-drop ALL \
        --security-opt no-new-privileges --env-file "$work/secrets.env" \
        -v "$work/config.toml:/etc/mynah/config.toml:ro" --health-interval 2s --health-retries 1 \
        --health-start-period 1s "$@" "$image" > /dev/null
}
published() { docker logs "$name" 2>/dev/null | grep -c ' router published ' || true; }
at_least() { [ "$(published)" -ge "$1" ]; }
health() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$name")" = "$1" ]; }

run -v "$name:/var/lib/mynah"
until_so "it publishes" at_least 20
[ "$(docker exec "$name" id -u)" != 0 ] || fail "it runs as root"
docker exec "$name" sh -c 'touch /x 2>/dev/null' && fail "its root can be written"
ok "it publishes, read-only and as user $(docker exec "$name" id -u)"
until_so "it is healthy" health healthy
ok "docker calls it healthy"

began=$(date +%s%N)
docker stop -t 30 "$name" > /dev/null
took=$((($(date +%s%N) - began) / 1000000))
code=$(docker inspect -f '{{.State.ExitCode}}' "$name")
[ "$code" = 0 ] && [ "$took" -lt 20000 ] || fail "docker stop: exit code $code after $took ms"
ok "docker stop under load: exit code 0 after $took ms"

stopped=$(published)
docker start "$name" > /dev/null
until_so "it goes on" at_least $((stopped + 20))
docker kill "$name" > /dev/null
killed=$(published)
docker start "$name" > /dev/null
until_so "it goes on after a kill" at_least $((killed + 20))
until_so "all is said" at_least 300
state=$(curl -s "$url/_sandbox/state")
grep -q '"handle":"town_es"' <<< "$state" || fail "the sandbox does not tell"
on_account=$(grep -o '"post_count":[0-9]*' <<< "$state" | tail -1)
[ "$on_account" = '"post_count":300' ] || fail "300 were to be on the account: $on_account"
ok "docker kill and start: it goes on, and 300 posts are there once each"

docker exec "$name" mynah jobs --state held,failed --json | grep -q '"jobs":\[\]' || fail "jobs are left over"
ok "nothing is held or failed"
docker rm -f "$name" > /dev/null

# A disk of its own, that can be filled.
run --tmpfs /var/lib/mynah:size=8m,mode=0700,uid=10001,gid=10001 -e MYNAH__SOURCE__START=now
until_so "it is healthy" health healthy
docker exec "$name" sh -c 'dd if=/dev/zero of=/var/lib/mynah/filler bs=4096 >/dev/null 2>&1 || true'
until_so "it is unhealthy when nothing can be written" health unhealthy
docker logs "$name" 2>&1 | grep -q 'the service is not well' || fail "it does not say so"
ok "a full disk: docker calls it unhealthy, and the log says why"
docker exec "$name" rm /var/lib/mynah/filler
until_so "it is healthy again" health healthy
ok "with room again it is healthy"
echo "$passed passed"
