#!/usr/bin/env bash
# Measures how many jobs one to several instances do in a second on one PostgreSQL, with its usual settings (every commit is
# on disk). All run on this machine, the sandbox that stands in for X and Gemini too, and share its cores.
#
#   benches/cluster.sh [INSTANCES…]      default: 1 2 3
#   POSTS=3000 MYNAH=target/release/mynah benches/cluster.sh 3
#
# Needs a release build and PostgreSQL (make setup-postgresql). It stops by itself: after ten minutes for each number at the latest.
set -euo pipefail
cd "$(dirname "$0")/.."

mynah=${MYNAH:-target/release/mynah}
posts=${POSTS:-3000}   # on four targets; X shows no more than 3,200 of an account
postgres=$(dirname "$(find /usr/lib/postgresql /usr/bin -name initdb 2>/dev/null | sort -V | tail -1)")
work=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT

# PostgreSQL refuses to run as root.
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi; }
chmod 755 "$work"
install -d -m 700 "$work/database"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$work/database"
as_user "$postgres/initdb" --auth=trust --username=mynah --encoding=UTF8 -D "$work/database/data" >/dev/null
as_user "$postgres/postgres" -D "$work/database/data" -k "$work/database" -c listen_addresses= >"$work/postgres.log" 2>&1 &
processes+=($!)
until "$postgres/pg_isready" -q -h "$work/database"; do sleep 0.1; done
sql() { psql -XqAt -h "$work/database" -U mynah -d "$1" -c "$2"; }

seq "$posts" | sed 's/.*/The market on the square opens & at noon, and the museum shows pictures by children/' >"$work/timeline.txt"

number=0
for instances in "${@:-1 2 3}"; do
    for count in $instances; do
        number=$((number + 1))
        town=$work/$number
        mkdir -p "$town"
        sql postgres "create database run$number"
        RUST_LOG=error "$mynah" sandbox --listen 127.0.0.1:0 --engines gemini --targets es,ca,gl,fr \
            --timeline "$work/timeline.txt" --write "$town" >"$town/sandbox.log" 2>&1 </dev/null &
        sandbox=$!
        until grep -qs "Ctrl-C" "$town/sandbox.log"; do sleep 0.1; done
        running=()
        for ((one = 1; one <= count; one++)); do
            "$mynah" run --config "$town/config.toml" --env-file "$town/secrets.env" --set preset=speed \
                --set data_dir="$town/$one" --set admin.listen=off --set source.poll_interval=100ms --set stats.interval=1h \
                --set "ledger.url=postgres://mynah@${work//\//%2F}%2Fdatabase/run$number" >"$town/$one.log" 2>&1 </dev/null &
            running+=($!)
        done
        processes+=("$sandbox" "${running[@]}")
        # Measured from the first quarter on: by then, the instances have shared the accounts.
        done_jobs() { sql "run$number" "select count(*) from mynah.jobs where state = 'published'" 2>/dev/null || echo 0; }
        jobs=$((4 * posts)) first=0 began=0
        for ((tries = 0; tries < 3000; tries++)); do
            now=$(done_jobs)
            if [ "$began" = 0 ] && [ "$now" -ge $((jobs / 4)) ]; then first=$now began=$(date +%s%N); fi
            [ "$now" -lt "$jobs" ] || break
            sleep 0.2
        done
        if [ "$began" = 0 ]; then
            echo "$count instances: only $now of $jobs jobs in ten minutes" >&2
            exit 1
        fi
        took=$((($(date +%s%N) - began) / 1000000))
        echo "$count instances: $now of $jobs jobs; $(((now - first) * 1000 / took)) a second over the last $((now - first))"
        kill "$sandbox" "${running[@]}"
        wait "$sandbox" "${running[@]}" 2>/dev/null || true
    done
done
