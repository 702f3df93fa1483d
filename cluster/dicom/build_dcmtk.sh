#!/usr/bin/env bash
# Debian's source of DCMTK, with its patches, built for fuzz.sh: under the sanitizers, with coverage. Some minutes.
#     cluster/dicom/build_dcmtk.sh DIR CLANG++
set -euo pipefail
dir=$1
clang=$2
[ -d "$dir/install/lib" ] && exit 0
command -v cmake > /dev/null || apt-get install -y -qq --no-install-recommends cmake make > /dev/null
command -v dpkg-source > /dev/null || apt-get install -y -qq --no-install-recommends dpkg-dev > /dev/null
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
cd "$dir"
# Of our own, so that the machine's stay as they are.
. /etc/os-release
for suite in "debian $VERSION_CODENAME" "debian-security $VERSION_CODENAME-security"; do
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/$suite main"
done > apt/sources.list
apt=(apt-get -qq -o Dir::Etc::SourceList="$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache")
"${apt[@]}" update
"${apt[@]}" source dcmtk > /dev/null
flags="-g1 -O1 -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link -w"
cmake -S "$(echo dcmtk-*/)" -B build -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_C_COMPILER="${clang%++}" \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_BUILD_TYPE=None -DBUILD_SHARED_LIBS=OFF \
    -DBUILD_APPS=OFF \
    -DDCMTK_MODULES="ofstd;oflog;dcmdata;dcmimgle;dcmimage;dcmjpeg;dcmjpls;dcmiod;dcmfg;dcmseg" \
    -DDCMTK_DEFAULT_DICT=builtin -DDCMTK_WITH_TIFF=OFF -DDCMTK_WITH_PNG=OFF -DDCMTK_WITH_XML=OFF \
    -DDCMTK_WITH_OPENSSL=OFF -DDCMTK_WITH_ICU=OFF -DDCMTK_WITH_OPENJPEG=OFF -DDCMTK_WITH_SNDFILE=OFF \
    -DDCMTK_WITH_WRAP=OFF -DDCMTK_WITH_DOXYGEN=OFF -DCMAKE_INSTALL_PREFIX="$dir/install" -DCMAKE_INSTALL_LIBDIR=lib \
    > cmake.log
cmake --build build -j "$(nproc)" > build.log 2>&1
cmake --install build > install.log
