#!/usr/bin/env bash
# Throws made-up bytes at everything that reads bytes from outside, with libFuzzer and the address sanitizer.
# usage: cluster/fuzz.sh [RUNS] [TARGET...]
#   RUNS     inputs for each target; default 1000000
#   TARGET   Frames (frames, every message, manifests), NIfTI, MetaImage, SafeTensors, Votes; default all
# Begins with the corpus under Tests/, which `make test` replays. What is new goes to .build-fuzz/TARGET; with
# KEEP=1 the smallest set that reaches the same code replaces the corpus. A crash is left at .build-fuzz/TARGET/crash-*:
# mend it and add the file to the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-1000000}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(Frames NIfTI MetaImage SafeTensors Votes)
build=.build-fuzz

# target: module, the file that is called, and where its corpus lies; how many MiB the process may have at most. What
# frames may take is promised (row 13 of the scorecard), the sanitizer's own memory included.
describe() {
    memory=256
    case $1 in
    Frames) memory=64 module=Protocol file=Tests/ProtocolTests/HostileFrames.swift corpus=Tests/ProtocolTests/Corpus/Frames ;;
    NIfTI | MetaImage) module=Imaging file=Tests/ImagingTests/HostileImages.swift corpus=Tests/ImagingTests/Corpus/$1 ;;
    SafeTensors)
        module=ModelCore file=Tests/ModelCoreTests/HostileTensors.swift corpus=Tests/ModelCoreTests/Corpus/SafeTensors ;;
    Votes)
        module=VotingAggregator file=Tests/VotingAggregatorTests/HostileVotes.swift
        corpus=Tests/VotingAggregatorTests/Corpus/Votes ;;
    *) echo "fuzz.sh: there is no target '$1'; there are Frames, NIfTI, MetaImage, SafeTensors, Votes" >&2; exit 2 ;;
    esac
}

# The package manager compiles the modules with both sanitizers, and cannot link them: that is done by hand.
make_fuzzer() {
    ${BUSY:-} swift build -c release --sanitize=address -Xswiftc -sanitize=fuzzer --scratch-path "$build" --target "$module" \
        > "$build/compile.log" 2>&1 || { cat "$build/compile.log" >&2; exit 1; }
    local release=$build/release
    [ -d "$release" ] || release=$(echo "$build"/*/release)
    local objects=()
    for part in Numerics CKernels CNIfTI Protocol Imaging ModelCore VotingAggregator; do
        case $module:$part in
        Protocol:Protocol | *:Numerics | *:CKernels) ;;
        Imaging:CNIfTI | Imaging:Imaging | ModelCore:ModelCore) ;;
        VotingAggregator:CNIfTI | VotingAggregator:Imaging | VotingAggregator:VotingAggregator) ;;
        *) continue ;;
        esac
        [ "$module" = Protocol ] && [ "$part" != Protocol ] && continue
        while IFS= read -r object; do objects+=("$object"); done < <(find "$release/$part.build" -name '*.o')
    done
    local libraries=()
    case $module in Imaging | VotingAggregator) libraries=(-lniftiio -lznz -lz -lm) ;; *) libraries=(-lm) ;; esac
    local maps=(-Xcc "-I$PWD/Sources/CNIfTI/include")
    for map in "$PWD/Sources/CZlib" "$PWD/$release/CKernels.build" "$PWD/$release/CNIfTI.build"; do
        maps+=(-Xcc "-fmodule-map-file=$map/module.modulemap")
    done
    swiftc -parse-as-library -O -sanitize=fuzzer,address -I "$release/Modules" "${maps[@]}" \
        -module-cache-path "$build/modules" "$file" "cluster/fuzz/$1.swift" "${objects[@]}" "${libraries[@]}" \
        -o "$build/fuzz-$1" 2> "$build/link.log" || { cat "$build/link.log" >&2; exit 1; }
}

for target in "${targets[@]}"; do
    describe "$target"
    mkdir -p "$build/$target/found" "$corpus"
    make_fuzzer "$target"
    echo "== $target: $runs inputs"
    # A small quarantine and short traces, so that the memory shown is the reader's and not the sanitizer's.
    export ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=16:malloc_context_size=0:detect_leaks=0
    nice -n 19 "$build/fuzz-$target" -runs="$runs" -max_len="${MAX_LEN:-4096}" -timeout=5 -rss_limit_mb="$memory" \
        -print_final_stats=1 -artifact_prefix="$build/$target/" "$build/$target/found" "$corpus" 2>&1 |
        grep -vE '^#[0-9]+|NEW_FUNC|Uses:|dictionary|^INFO: (Seed|Loaded|A corpus|seed)'
    if [ "${KEEP:-0}" = 1 ]; then
        mkdir -p "$build/$target/kept"
        rm -f "$build/$target/kept"/*
        "$build/fuzz-$target" -merge=1 -max_len=1024 "$build/$target/kept" "$corpus" "$build/$target/found" \
            > "$build/$target/merge.log" 2>&1
        rm -f "$corpus"/*
        cp "$build/$target/kept"/* "$corpus/"
        echo "the corpus has $(ls "$corpus" | wc -l) inputs of $(cat "$corpus"/* | wc -c) bytes"
    fi
done
