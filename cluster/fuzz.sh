#!/usr/bin/env bash
# Throws random bytes at the frame decoder and the message decoding, with the address sanitizer (libFuzzer).
# usage: cluster/fuzz.sh [RUNS]   default: 10000000, about four minutes on one core
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10000000}
work=.build/fuzz
mkdir -p "$work/corpus"
# The package manager cannot link libFuzzer, so this goes by the compiler alone.
swiftc -parse-as-library -O -sanitize=fuzzer,address Sources/Protocol/*.swift cluster/fuzz/FuzzTarget.swift \
    -module-cache-path "$work/modules" -o "$work/fuzz" 2> "$work/compile.log" ||
    { cat "$work/compile.log" >&2; exit 1; }
# A small quarantine, so that the memory shown is the decoder's.
ASAN_OPTIONS=quarantine_size_mb=4:malloc_context_size=0 "$work/fuzz" -runs="$runs" -max_len=4096 -rss_limit_mb=256 \
    -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" 2>&1 | grep -vE '^#[0-9]+|NEW_FUNC|Uses:|dictionary'
