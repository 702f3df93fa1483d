#!/usr/bin/env bash
# Rows 13 to 18 of the reliability scorecard at full size: about an hour on two cores.
# usage: cluster/security.sh [ROW...]     default: 13 14 15 16 17 18
#   13   10,000,000 fuzzed inputs for frames and messages, and 1,000,000 for each kind of file
#   14   200 peers that say a byte a second and 1,000 that say nothing, against a real coordinator
#   15   1,000 attempts each: no key, a wrong key, replay, two kinds of downgrade
#   16   hello with other versions
#   17   1,000,000 damaged images and 20,000 damaged databases; with ASAN=1 under the address sanitizer
#   18   2 MB that inflate to 2 GiB
# Needs the tests built: swift build -c release --build-tests --scratch-path .build-tests
set -euo pipefail
cd "$(dirname "$0")/.."
rows=("$@")
[ ${#rows[@]} -gt 0 ] || rows=(13 14 15 16 17 18)
export QUINTET_FULL=1
scratch=${SCRATCH:-.build-tests}
more=()
# Leaks are cluster/sanitize.sh's to find: it knows those of Swift's own libraries.
[ "${ASAN:-0}" = 1 ] && scratch=.build-address && more=(--sanitize=address) && export ASAN_OPTIONS=detect_leaks=0

failed=()

output=$(mktemp)
trap 'rm -f "$output"' EXIT

# Says what a suite found, without the lines that every test prints. A suite that is not there has found nothing.
run() {
    local passed=1
    swift test -c release --skip-build --scratch-path "$scratch" "${more[@]}" --no-parallel --filter "$1" 2>&1 |
        tee "$output" |
        { grep -vE '^\[|started\.|Test Suite|Executed 0|Build|^$| test.* passed after' || true; } || passed=0
    if ! grep -qE 'Test run with [1-9][0-9]* test' "$output"; then
        echo "security.sh: there is no test '$1'" >&2
        passed=0
    fi
    [ $passed = 1 ] || failed+=("$1")
}

for row in "${rows[@]}"; do
    echo "== row $row"
    case $row in
    13)
        cluster/fuzz.sh 10000000 Frames || failed+=("fuzzing of frames")
        cluster/fuzz.sh 1000000 NIfTI MetaImage SafeTensors Votes || failed+=("fuzzing of files")
        ;;
    14) run slowAndSilentPeersAreDropped ;;
    15)
        run nobodyComesInWithoutTheToken
        run theKeyIsInNoProcessList
        ;;
    16) run everyVersionIsAgreedOrRefusedByName ;;
    17)
        QUINTET_MUTATION_COUNT=1000000 run ImageMutationTests
        QUINTET_MUTATION_COUNT=20000 run HostileDatabaseTests
        run '(HostileImageTests|CorpusTests|SafeTensorsTests)'
        ;;
    18) run GzipBombTests ;;
    *)
        echo "security.sh: there is no row $row" >&2
        exit 2
        ;;
    esac
done
[ ${#failed[@]} -eq 0 ] || { echo "security.sh: FAILED: ${failed[*]}" >&2; exit 1; }
echo "security.sh: nothing failed"
