#!/usr/bin/env bash
# Inputs made by libFuzzer of small slices in every way of storing them, through quintet-dicom's own code under
# AddressSanitizer and UndefinedBehaviorSanitizer. Needs clang with libFuzzer (Swift brings one), root (apt) and PyPI.
#     cluster/dicom/fuzz.sh [INPUTS]     default: 1000000
# DCMTK=source builds Debian's source of DCMTK in the same way first (ten minutes on two cores), so that its errors are
# seen and its branches looked for, too. JOBS says how many processes share the inputs. OUT keeps corpus and crashes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
inputs=${1:-1000000}
jobs=${JOBS:-$(nproc)}
clang=${CLANGXX:-$(command -v clang++)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=${OUT:-$work/out}
mkdir -p "$out/corpus" "$out/crashes" "$work/objects"
flags=(-std=c++17 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined)
include=() libraries=()
if [ "${DCMTK:-}" = source ]; then
    "$here/build_dcmtk.sh" "${DCMTK_BUILD:-$work/dcmtk}" "$clang"
    include=(-isystem "${DCMTK_BUILD:-$work/dcmtk}/install/include")
    libraries=(-L "${DCMTK_BUILD:-$work/dcmtk}/install/lib")
fi
for source in "$top"/Sources/quintet-dicom/*.cpp; do
    [ "$(basename "$source")" = Main.cpp ] || "$clang" "${flags[@]}" -fsanitize=fuzzer-no-link \
        ${include[@]+"${include[@]}"} -c "$source" -o "$work/objects/$(basename "$source").o"
done
names=(dcmseg dcmfg dcmiod dcmjpeg dcmjpls)
if [ "${DCMTK:-}" = source ]; then
    names+=(dcmtkcharls dcmimage dcmimgle ijg8 ijg12 ijg16)
fi
names+=(dcmdata oflog ofstd)
"$clang" "${flags[@]}" -fuse-ld=lld -fsanitize=fuzzer -I "$top/Sources/quintet-dicom" ${include[@]+"${include[@]}"} \
    "$here/fuzz.cpp" "$work"/objects/*.o ${libraries[@]+"${libraries[@]}"} "${names[@]/#/-l}" -lz -lpthread -o "$work/fuzz"
command -v dcmcjpls > /dev/null || apt-get install -y -qq --no-install-recommends dcmtk > /dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install pydicom numpy nibabel
"$work/venv/bin/python" - "$work/small.nii.gz" <<'PYTHON'
import sys

import nibabel
import numpy as np

hu = np.random.default_rng(19).integers(-1000, 400, (16, 16, 6)).astype(np.int16)
nibabel.save(nibabel.Nifti1Image(hu, np.diag([-1.5, -1.5, 3, 1])), sys.argv[1])
PYTHON
"$work/venv/bin/python" "$here/make_dicom.py" "$work/small.nii.gz" "$work/cases" 6
# Of each case one slice; cases that differ in their files' company alone are one.
for case in "$work"/cases/*/; do
    first=$(find "$case" -type f | sort | head -1)
    cp "$first" "$out/corpus/seed-$(basename "$case")"
done
echo "== $(find "$out/corpus" -name 'seed-*' | wc -l) seeds, $inputs inputs in $jobs processes"
# DCMTK asks for what a header claims before it reads it: quintet-dicom's limit of address space says no, as this does.
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=0
export UBSAN_OPTIONS=print_stacktrace=1
pids=()
for job in $(seq "$jobs"); do
    mkdir -p "$work/corpus-$job"
    "$work/fuzz" -runs=$((inputs / jobs)) -seed="$job" -max_len=8192 -timeout=600 -rss_limit_mb=4096 \
        -malloc_limit_mb=8192 -print_final_stats=1 -artifact_prefix="$out/crashes/" "$work/corpus-$job" "$out/corpus" \
        > "$out/fuzz-$job.log" 2>&1 &
    pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
cp -n "$work"/corpus-*/* "$out/corpus/" 2> /dev/null || true
for job in $(seq "$jobs"); do
    grep -E '^fuzz: |stat::number_of_executed|stat::average_exec' "$out/fuzz-$job.log" || true
    grep -E '^#[0-9]+.*(DONE|pulse|RELOAD|NEW|REDUCE)' "$out/fuzz-$job.log" | tail -1 || true
    grep -E 'ERROR: |SUMMARY: |runtime error' "$out/fuzz-$job.log" || true
done
[ "$status" = 0 ] && echo "no crash" || echo "crashes: $(find "$out/crashes" -type f | wc -l) in $out/crashes"
exit "$status"
