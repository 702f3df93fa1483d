#!/usr/bin/env bash
# The whole test suite under the thread sanitizer and under the address sanitizer: about half an hour on two cores.
# usage: cluster/sanitize.sh [thread|address]... [-- FILTER]     default: both, all tests
# Builds in .build-thread and .build-address. Exit code 1 when a test fails or a sanitizer reports anything; the whole
# output is left at .build-SANITIZER/tests.log.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizers=()
filter=.
while [ $# -gt 0 ]; do
    case $1 in
    thread | address) sanitizers+=("$1") ;;
    --) filter=${2:?sanitize.sh: a filter after --}; shift ;;
    *) echo "sanitize.sh: there is no sanitizer '$1'; there are thread, address" >&2; exit 2 ;;
    esac
    shift
done
[ ${#sanitizers[@]} -gt 0 ] || sanitizers=(thread address)

# Leaks are looked for as well. These are of Swift's own libraries: of an XCTest that has no tests to run, and of
# Process and Data(contentsOf:), which tests call.
suppressions=$(mktemp)
trap 'rm -f "$suppressions"' EXIT
printf 'leak:%s\n' libXCTest.so 's10Foundation7ProcessC3run' 's20FoundationEssentials17readBytesFromFile' > "$suppressions"
export ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$suppressions:print_suppressions=0
failed=0
for sanitizer in "${sanitizers[@]}"; do
    scratch=.build-$sanitizer
    options=(-c release --sanitize="$sanitizer" --scratch-path "$scratch")
    echo "== $sanitizer: building"
    swift build "${options[@]}" --build-tests 2>&1 | tail -1
    echo "== $sanitizer: testing; the output goes to $scratch/tests.log"
    result=passed
    QUINTET_SANITIZER=$sanitizer swift test "${options[@]}" --skip-build --filter "$filter" > "$scratch/tests.log" 2>&1 || result=failed
    grep -qE 'Test run with [1-9][0-9]* test' "$scratch/tests.log" || { echo "== $sanitizer: no test was run"; result=failed; }
    reports=$(grep -cE 'WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer' "$scratch/tests.log" || true)
    [ $result = passed ] && [ "$reports" = 0 ] || failed=1
    grep -E '✘|SUMMARY: ' "$scratch/tests.log" | head -20 || true
    echo "== $sanitizer: tests $result, $reports reports; $(grep -E 'Test run with' "$scratch/tests.log" | tail -1)"
done
exit $failed
