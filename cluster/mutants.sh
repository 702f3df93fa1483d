#!/usr/bin/env bash
# Would the tests notice? Plants the faults of cluster/mutants/*.mutants, one at a time, and says which test kills each.
# usage: cluster/mutants.sh [--check] [--suites PATTERN] [--table FILE] [NAME ...]
#   --check     only see that every fault still fits its file
#   --table     write the table of docs/TESTS.md there
#   NAME        these faults only (a part of a name will do)
# All faults are built into one program, each behind a switch (QUINTET_MUTANT), in a copy under ${MUTANTS_DIR:-.build-mutants}.
# First every suite runs by itself and says which switches it passes; then each fault meets the suites that pass its
# switch, the quickest first, until one fails. Exit code 1 when a fault survives that is not named as one that may.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 cluster/mutants.py "$@"
