#!/bin/bash
# Counts the instructions of each hot path under callgrind and compares them with benches/instructions.txt. A busy
# machine changes how long code takes, but not how many instructions it needs.
#
#   benches/check.sh           prints each count, the count before and the change; fails if one grew by more than 5 %
#   benches/check.sh accept    writes the counts to the file as the new baseline
set -euo pipefail
cd "$(dirname "$0")/.."

baseline=benches/instructions.txt
limit=${BENCH_LIMIT:-5}

# The counts depend on the compiler, the C library and the processor as much as on our code.
tools="$(rustc --version), $(rustc -vV | sed -n 's/^host: //p'), $(getconf GNU_LIBC_VERSION), $(valgrind --version)"

cargo build --locked --profile counted --bench instructions
program=$(cargo build --locked --quiet --profile counted --bench instructions --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*\/instructions-[^"]*\)".*/\1/p')

# Counts the instructions of one run.
run() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 \
        | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

count() {
    local once twice
    once=$(run "$1" "$2")
    twice=$(run "$1" $((2 * $2)))
    echo $(((twice - once) / $2))
}

if [ "${1:-}" = accept ]; then
    {
        echo "# Instructions of each hot path, counted by: $tools"
        echo "# Written by make bench-accept."
        while read -r name times; do
            echo "$name $(count "$name" "$times")"
        done < <("$program" --list)
    } > "$baseline.new"
    mv "$baseline.new" "$baseline"
    cat "$baseline"
    exit
fi

accepted=$(sed -n 's/^# Instructions of each hot path, counted by: //p' "$baseline")
if [ "$accepted" != "$tools" ]; then
    echo "The counts in $baseline come from other tools and cannot be compared:" >&2
    echo "  there: $accepted" >&2
    echo "  here:  $tools" >&2
    echo "Check out the commit to compare with, run make bench-accept, and bring the file back here." >&2
    exit 2
fi

failed=
printf '%-16s %12s %12s %9s\n' path before now change
while read -r name times; do
    before=$(sed -n "s/^$name //p" "$baseline")
    now=$(count "$name" "$times")
    if [ -z "$before" ]; then
        printf '%-16s %12s %12d %9s\n' "$name" - "$now" new
        continue
    fi
    verdict=$(awk -v before="$before" -v now="$now" -v limit="$limit" 'BEGIN {
        change = (now / before - 1) * 100
        printf "%+.2f %%%s", change, (change > limit ? "  more than " limit " %" : "")
    }')
    printf '%-16s %12d %12d %9s\n' "$name" "$before" "$now" "$verdict"
    case $verdict in *more*) failed="$failed $name" ;; esac
done < <("$program" --list)

if [ -n "$failed" ]; then
    echo "instructions grew:$failed; reduce them, or explain why in the commit and run make bench-accept" >&2
    exit 1
fi
