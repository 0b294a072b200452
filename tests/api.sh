#!/usr/bin/env bash
# Holds the running admin API against its description (src/http/openapi.json) with schemathesis: whatever it sends, the answer
# must have a status, a content type and a body that the description names. Everything is on loopback, and ends by itself.
#
#   MYNAH=target/debug/mynah API_EXAMPLES=30 tests/api.sh
set -euo pipefail
cd "$(dirname "$0")/.."
mynah=$(realpath "${MYNAH:-target/debug/mynah}")
schemathesis=$(realpath "${SCHEMATHESIS:-target/schemathesis/bin/schemathesis}")
folder=$(mktemp -d)
processes=()
finish() {
    kill "${processes[@]}" 2>/dev/null || true
    wait "${processes[@]}" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
printf 'Good morning from the town hall\nThe ferry is late today\nThe library opens at nine\n' > posts.txt
"$mynah" sandbox --timeline posts.txt --write sandbox > sandbox.log 2>&1 &
processes+=($!)
await() {
    for _ in $(seq 300); do
        if [ -e "$1" ]; then return; fi
        sleep 0.1
    done
    echo "not there: $1" >&2
    cat ./*.log >&2
    exit 1
}
await sandbox/secrets.env
MYNAH_ADMIN_TOKEN=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export MYNAH_ADMIN_TOKEN
settings=(--config sandbox/config.toml --env-file sandbox/secrets.env --set data_dir=data --set admin.listen=127.0.0.1:0)
"$mynah" run "${settings[@]}" > run.log 2>&1 &
processes+=($!)
await data/admin
url=http://$(cat data/admin)
curl -sf -H "Authorization: Bearer $MYNAH_ADMIN_TOKEN" "$url/api/openapi.json" > openapi.json

# Left out: the log, which does not end, and the log-in, whose wrong tokens would block this address for a minute. For the same
# reason, no request has a made-up token; tests/people.rs covers all of these. Data that fits the description may still name a
# target or an account that does not exist, so a 400 for it is no failure.
check() {
    "$schemathesis" run openapi.json --url "$url" --rate-limit 80/s --request-timeout 20 --no-color \
        --phases examples,coverage,fuzzing --max-examples "${API_EXAMPLES:-30}" --seed 1 --generation-database none \
        --generation-with-security-parameters false --continue-on-failure --warnings off \
        --exclude-operation-id events --exclude-operation-id log_in --checks all \
        --exclude-checks ignored_auth,positive_data_acceptance "$@"
}
echo "== whoever steers"
check --header "Authorization:Bearer $MYNAH_ADMIN_TOKEN"
echo "== whoever looks: a change is refused before it is read"
# Only now, because whoever steers has removed all users that they found.
looking=$("$mynah" users add looking --role look "${settings[@]}" | tail -1)
check --header "Authorization:Bearer $looking"
echo "== nobody"
check
if grep -E 'ERROR|panicked' run.log; then
    echo "the service logged errors" >&2
    exit 1
fi
