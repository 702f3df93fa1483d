#!/usr/bin/env bash
# Would the tests notice? Plants the faults of cluster/mutants/*.mutants, one at a time, and says which test kills each.
# usage: cluster/mutants.sh [--check] [--suites PATTERN] [--quick SECONDS] [--resume] [--table FILE] [NAME ...]
#   --check     only see that every fault still fits its file: seconds
#   --suites    ask only suites whose name has this pattern
#   --quick     ask only suites that take no longer than this
#   --resume    keep what earlier calls found out, and ask again only about the faults that survived
#   --no-build  take the program that an earlier call has built
#   --jobs      how many suites run side by side; default 2
#   --table     write the table behind the mark in FILE (docs/TESTS.md)
#   NAME        these faults only (a part of a name will do)
# All faults are built into one program, each behind a switch (QUINTET_MUTANT), in a copy under
# ${MUTANTS_DIR:-.build-mutants}. First every suite runs by itself and says which switches it passes; then each fault
# meets the suites that pass its switch, the quickest first, until one fails. All of it takes about an hour on two
# cores; other work beside it makes tests of processes fail that would not. Exit code 1 when a fault survives that is
# not named as one that may, 2 when one does not fit or does not build.
set -euo pipefail
case ${1:-} in
-h | --help) sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "$0"; exit ;;
esac
cd "$(dirname "$0")/.."
exec python3 cluster/mutants.py "$@"
