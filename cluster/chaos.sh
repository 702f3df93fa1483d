#!/usr/bin/env bash
# A coordinator and four workers train and segment while anyone is killed at random; every result must be the
# undisturbed run's, byte by byte. Real processes, sockets and files; a tiny network.
#     cluster/chaos.sh [KILLS] [--zombies N] [--absence SECONDS] [--seed N] [--min-wait S] [--max-wait S]
#         KILLS      so many SIGKILLs of workers, the coordinator and the client, one every 1 to 5 s; default 500
#         --zombies  instead: so many workers stopped past their lease, then woken; nothing of theirs may count
#         --absence  instead: the coordinator is away for so long; how much training goes on meanwhile
# Prints a table of figures; exit code 1 with the reasons when a promise was broken. $QUINTET names the program.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export QUINTET=${QUINTET:-$here/../.build/release/quintet}
exec python3 "$here/chaos.py" "$@"
