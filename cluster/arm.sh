#!/usr/bin/env bash
# The same bytes on ARM: compiles the kernels for this processor and for 64-bit ARM, runs both (the latter under qemu)
# on the same numbers and compares what they made. Needs an x86-64 machine, Swift's clang, and on Debian
#     apt-get install qemu-user-static libc6-dev-arm64-cross libgcc-12-dev-arm64-cross binutils-aarch64-linux-gnu
# Exit code 1 when a digest differs.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in clang qemu-aarch64-static aarch64-linux-gnu-ld; do
    command -v "$tool" > /dev/null || { echo "arm.sh: $tool is missing; the head of this script says what to install" >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# As in Package.swift.
flags=(-std=gnu17 -O3 -ffp-contract=off -fno-math-errno)
for folder_of_kernels in Sources/CKernels/*/; do flags+=("-I$folder_of_kernels"); done
sources=(Sources/CKernels/*/*.c cluster/arm/same_bits.c)
clang "${flags[@]}" "${sources[@]}" -lpthread -lm -o "$folder/here"
libraries=$(echo /usr/lib/gcc-cross/aarch64-linux-gnu/*/)
clang "${flags[@]}" --target=aarch64-linux-gnu -fuse-ld=/usr/bin/aarch64-linux-gnu-ld --sysroot=/ \
    -isystem /usr/aarch64-linux-gnu/include -B "$libraries" -L "$libraries" -B /usr/aarch64-linux-gnu/lib \
    -L /usr/aarch64-linux-gnu/lib -static "${sources[@]}" -lpthread -lm -o "$folder/arm"
qemu-aarch64-static "$folder/arm" > "$folder/arm.txt"
status=0
# portable, AVX2, AVX-512 (quintet_network.h), as far as this processor has them.
for variant in 1 2 3; do
    case $variant in
    2) grep -qw avx2 /proc/cpuinfo || continue ;;
    3) grep -qw avx512dq /proc/cpuinfo || continue ;;
    esac
    "$folder/here" "$variant" > "$folder/here.txt"
    if diff "$folder/here.txt" "$folder/arm.txt" > "$folder/differences"; then
        echo "$(wc -l < "$folder/arm.txt") digests of ARM and of kernels $variant here: all equal"
    else
        echo "ARM and kernels $variant here differ:" >&2
        cat "$folder/differences" >&2
        status=1
    fi
done
exit $status
