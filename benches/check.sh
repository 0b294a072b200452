#!/bin/bash
# Counts the instructions of each hot path under callgrind and compares them with benches/instructions.txt: a busy machine
# changes the time that something takes, and not its instructions.
#
#   benches/check.sh           says each count, the one before and the change; fails where one grew by more than 5 %
#   benches/check.sh accept    writes the counts down as those to compare with
set -euo pipefail
cd "$(dirname "$0")/.."

baseline=benches/instructions.txt
limit=${BENCH_LIMIT:-5}

# Counts are a compiler's, a C library's and a processor's as much as ours.
tools="$(rustc --version), $(rustc -vV | sed -n 's/^host: //p'), $(getconf GNU_LIBC_VERSION), $(valgrind --version)"

cargo build --locked --profile counted --bench instructions
program=$(cargo build --locked --quiet --profile counted --bench instructions --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*\/instructions-[^"]*\)".*/\1/p')

# The instructions of a run.
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
    echo "The counts of $baseline are of other tools, and say nothing about these:" >&2
    echo "  there: $accepted" >&2
    echo "  here:  $tools" >&2
    echo "Check out the commit to compare with, make bench-accept, and come back with the file." >&2
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
    echo "more instructions than before:$failed; make it cheaper, or say why in the commit and make bench-accept" >&2
    exit 1
fi
