#!/usr/bin/env bash
# DICOM as scanners and archives leave it, made by pydicom and DCMTK's tools of a CT in NIfTI: each series must be equal
# to it voxel by voxel, or be refused by name. Needs root (apt), PyPI, and `make build dicom`.
#     cluster/dicom/check.sh CT.nii.gz [SLICES]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
ct=${1:-${CT:-}}
[ -n "$ct" ] || { echo "check.sh: name a CT, or set CT: cluster/dicom/check.sh CT.nii.gz" >&2; exit 2; }
slices=${2:-24}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v dcmcjpls > /dev/null || apt-get install -y -qq --no-install-recommends dcmtk > /dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install pydicom numpy nibabel
"$work/venv/bin/python" "$here/make_dicom.py" "$ct" "$work/cases" "$slices"
"$work/venv/bin/python" "$here/compare.py" "${QUINTET_DICOM:-$top/.build/dicom/quintet-dicom}" "$ct" "$work/cases"
