#!/usr/bin/env bash
# Installs what Quintet needs on Debian or Ubuntu. The one place where system packages are named.
#     install-packages.sh          what `make build` needs
#     install-packages.sh dicom    what `make dicom` needs
set -euo pipefail

packages=(
    build-essential  # the C library's headers and the linker
    libnifti-dev     # NIfTI files; brings zlib
    zlib1g-dev       # compressed NIfTI and MetaImage, PNG
    libsqlite3-dev   # the coordinator's state
    libssl-dev       # TLS and SHA-256
    libmicrohttpd-dev # the header of what serves metrics; opened at run time
    pkg-config       # how the package manager finds the two above
)

dicom_packages=(
    build-essential  # the compiler of C++, too
    libdcmtk-dev     # DICOM files, with JPEG, JPEG-LS and RLE
)

target=build
if [ "${1:-}" = dicom ]; then
    packages=("${dicom_packages[@]}")
    target=dicom
elif ! command -v swift >/dev/null; then
    echo "quintet: no Swift compiler found. Install Swift 6.0 or newer (https://www.swift.org/install/linux)," >&2
    echo "         put its usr/bin on PATH, and run the same command again." >&2
    exit 1
fi

if ! command -v dpkg-query >/dev/null; then
    echo "quintet: this is no Debian or Ubuntu. Install the equivalents of these, then run 'make $target':" >&2
    echo "         ${packages[*]}" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "quintet: installing ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
    run=()
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
    run=(sudo)
else
    echo "quintet: installing needs an administrator's rights. Ask one to run:" >&2
    echo "         apt-get install ${missing[*]}" >&2
    echo "         and run the same command again." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update -qq
"${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
