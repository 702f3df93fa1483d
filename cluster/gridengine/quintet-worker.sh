#!/usr/bin/env bash
# Workers as an array of Grid Engine (Sun, Son of, Open Cluster Scheduler, Altair). The program and the cluster's token
# (mode 0600) lie where all machines see them:
#     QUINTET_COORDINATOR=lab1:7311 QUINTET_TOKEN_FILE=$HOME/cluster.token \
#         qsub -v QUINTET_COORDINATOR,QUINTET_TOKEN_FILE -t 1-20 quintet-worker.sh
# Several processors each, where the site has a parallel environment for it: -pe smp 4. QUINTET: the program, default
# quintet.
#$ -N quintet-worker
#$ -S /bin/bash
#$ -cwd
#$ -j y
#$ -r y
#$ -notify
#$ -t 1-4
# What the preset needs: README.md. Many sites call it h_vmem or mem_free: -l mem_free=4G
#
# -notify has Grid Engine tell a minute ahead (a queue's `notify`): SIGUSR2 before it kills (qdel, h_rt), SIGUSR1 before
# it suspends or at a soft limit (s_rt). Either way the worker saves a checkpoint, hands its work back and leaves within
# 10 s, and the job queues again (99), which one that was deleted does not. Told by the coordinator to leave, it is done.
set -uo pipefail
: "${QUINTET_COORDINATOR:?quintet-worker.sh: HOST:PORT of the coordinator}"
: "${QUINTET_TOKEN_FILE:?quintet-worker.sh: the file of the token}"
cache=${TMPDIR:-/tmp}/quintet-${JOB_ID:-0}-${SGE_TASK_ID:-0}
trap 'rm -rf "$cache"' EXIT
told=no worker=
trap 'told=yes; kill -TERM $worker 2> /dev/null' USR1 USR2 TERM
"${QUINTET:-quintet}" worker --name "sge-${JOB_ID:-0}-${SGE_TASK_ID:-0}" --threads "${NSLOTS:-1}" --cache "$cache" &
worker=$!
# Told to leave while it was being started.
[ $told = no ] || kill -TERM $worker
code=0
# A trap ends a wait before the worker has ended.
while kill -0 $worker 2> /dev/null; do wait $worker; code=$?; done
[ $told = no ] || exit 99
exit $code
