#!/usr/bin/env bash
# Fuzzes everything that reads what others have written, with libFuzzer on stable Rust.
#
#   scripts/fuzz.sh [NAME…]             every reader, or these, for FUZZ_SECONDS each (10); SEED=… begins elsewhere
#   scripts/fuzz.sh --replay NAME FILE  reads one input again, as a failure says
#   scripts/fuzz.sh --keep [NAME…]      puts some of the inputs that reached something into fuzz/corpus
#
# A search begins with what the program itself writes, with fuzz/corpus/NAME, and with what earlier searches in this folder
# have found.
. "$(dirname "$0")/lib.sh"

export FUZZ_SECONDS=${FUZZ_SECONDS:-10} SEED=${SEED:-1}
# For each reader a folder: seeds, what was found, and what broke it.
WORK=$ROOT/target/fuzzing

# Which way an input went, and what it was compared with: what `cargo fuzz` asks for with `-s none`. There is no sanitizer
# on stable Rust, and what is fuzzed is safe Rust above SQLite and zstd.
INSTRUMENTED="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0
    -Cllvm-args=-sanitizer-coverage-stack-depth"
# More than 2 GiB, or no end: the seconds say nothing about speed, they are thousands of times what an input takes.
LIMITS=(-rss_limit_mb=2048 -timeout=120)
# A snapshot is a file, and a busy disk would be most of what is waited for.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

main() {
    case ${1:-} in
        --replay)
            [ $# = 3 ] || stop "usage: scripts/fuzz.sh --replay NAME FILE"
            build
            FUZZ_TARGET=$2 RUST_BACKTRACE=1 exec "$FUZZER" "${LIMITS[@]}" "$3"
            ;;
        --keep)
            build
            each "${@:2}" | while read -r name; do keep "$name"; done
            ;;
        --one) one "$2" ;;
        *)
            build
            step "Fuzzing for ${FUZZ_SECONDS}s each, $(nproc) at a time, from SEED=$SEED" search "$@"
            ;;
    esac
}

# Build scripts are not instrumented, since with a target named these flags are not theirs.
build() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    scripts/setup.sh fuzz
    RUSTFLAGS=${INSTRUMENTED//$'\n'/} step "Building the fuzzer (2 to 4 minutes the first time)" \
        cargo build -p countersign-fuzz --bin libfuzzer --features libfuzzer --profile fuzz --target "$host" --locked --quiet
    export FUZZER=${CARGO_TARGET_DIR:-$ROOT/target}/$host/fuzz/libfuzzer
}

# each [NAME…]: the readers that are named, or all there are.
each() {
    local names
    names=$("$FUZZER" 2>/dev/null)
    [ $# -gt 0 ] || { echo "$names" && return; }
    local name
    for name in "$@"; do
        grep -qxF "$name" <<<"$names" || stop "$name is no reader; there are: ${names//$'\n'/ }"
        echo "$name"
    done
}

search() {
    local names
    names=$(each "$@")
    xargs -P "$(nproc)" -n 1 scripts/fuzz.sh --one <<<"$names"
}

# one NAME: searches, and says in a line what it has done.
one() {
    local name=$1 work=$WORK/$1 log=$WORK/$1/log kept=fuzz/corpus/$1
    rm -rf "$work/seeds"
    mkdir -p "$work"/{seeds,found,broken}
    local begin=("$work/found" "$work/seeds")
    [ ! -d "$kept" ] || begin+=("$kept")
    if FUZZ_TARGET=$name FUZZ_SEEDS=$work/seeds "$FUZZER" "${LIMITS[@]}" -max_total_time="$FUZZ_SECONDS" \
        -seed="$SEED" -print_final_stats=1 -artifact_prefix="$work/broken/" "${begin[@]}" >"$log" 2>&1; then
        awk -v name="$name" '
            /^stat::number_of_executed_units/ { runs = $2 }
            /^stat::average_exec_per_sec/ { rate = $2 }
            match($0, / cov: [0-9]+/) { reached = substr($0, RSTART + 6, RLENGTH - 6) }
            END { printf "    %-10s %9d inputs, %6d/s, %5d places reached\n", name, runs, rate, reached }' "$log"
    else
        broken "$name" "$log"
        return 1
    fi
}

broken() {
    local file
    file=$(sed -n 's/.*Test unit written to //p' "$2" | tail -n 1)
    file=${file#"$ROOT/"}
    {
        grep -av '^#[0-9]' "$2" | tail -n 40
        printf 'error: the reader "%s" broke; the whole log is %s\n' "$1" "${2#"$ROOT/"}"
        printf 'SEED=%s COMMIT=%s\n' "$SEED" "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
        if [ -n "$file" ]; then
            printf 'input:  %s\n' "$file"
            # A log is often all that is left of a machine.
            [ "$(stat -c %s "$file")" -gt 16384 ] || printf 'base64: %s\n' "$(base64 -w0 "$file")"
            printf 'replay: scripts/fuzz.sh --replay %s %s\n' "$1" "$file"
            printf 'keep:   cp %s fuzz/corpus/%s/   (then the tests read it each time)\n' "$file" "$1"
        else
            printf 'replay: SEED=%s FUZZ_SECONDS=%s scripts/fuzz.sh %s\n' "$SEED" "$FUZZ_SECONDS" "$1"
        fi
    } >&2
}

# keep NAME: of the fewest inputs that reach whatever the seeds do not, the 64 smallest. What once broke something stays.
keep() {
    local kept=fuzz/corpus/$1 fewest=$WORK/$1/fewest
    rm -rf "$fewest"
    mkdir -p "$fewest" "$kept" "$WORK/$1"/{seeds,found}
    FUZZ_TARGET=$1 FUZZ_SEEDS=$fewest "$FUZZER" "${LIMITS[@]}" -merge=1 -set_cover_merge=1 -use_counters=0 \
        "$fewest" "$WORK/$1/found" "$kept" >"$WORK/$1/log" 2>&1
    find "$kept" -regextype egrep -regex '.*/[0-9a-f]{40}' -delete
    find "$fewest" -regextype egrep -regex '.*/[0-9a-f]{40}' -printf '%s\t%p\n' | sort -n | sed -n '1,64s/.*\t//p' |
        xargs -r mv -t "$kept"
    say "$1: $(find "$kept" -type f | wc -l) inputs of $(cat "$kept"/* | wc -c) bytes in $kept"
}

main "$@"
