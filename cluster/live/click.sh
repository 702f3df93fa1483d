#!/usr/bin/env bash
# The live page, clicked through in headless Chromium against a coordinator with two workers on phantoms:
#
#   cluster/live/click.sh OUT [QUINTET]      OUT: a new folder for screenshots; QUINTET: the program, default the release build
#
# Needs the network once: playwright from PyPI, and as root Debian's chromium where there is none.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:?say where the screenshots go: click.sh OUT}
quintet=${2:-$here/../../.build/release/quintet}
environment=${QUINTET_LIVE_VENV:-${TMPDIR:-/tmp}/quintet-live-venv-$(id -u)}

if ! command -v chromium >/dev/null; then
    [ "$(id -u)" -eq 0 ] || { echo "click.sh: say: apt-get install chromium" >&2; exit 1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
if ! "$environment/bin/python" -c 'import playwright' 2>/dev/null; then
    python3 -m venv "$environment"
    "$environment/bin/pip" -q install playwright
fi
exec "$environment/bin/python" "$here/click.py" "$quintet" "$out"
