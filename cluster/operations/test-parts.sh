# The parts of test.sh, which reads this file.

# Two workers and a waiting client; `disturbed` is the run's folder.
lab() {
    coordinator "$1-coordinator" "$1-state" "${2:-127.0.0.1:0}" "${3:-$QUINTET}"
    address=${4:-127.0.0.1}:$port
    worker "$1-w1" "$address" "${5:-$QUINTET}"
    worker "$1-w2" "$address" "${5:-$QUINTET}"
    launch "$1-client" $(train "${6:-$QUINTET}") --run "$1" --coordinator "$address"
}

part_backup() {
    say "backup: while two workers train"
    lab backup
    until_safe 20; running backup-client
    "$here/sizing" backup-state
    say "backup: who listens"
    listening() { ss -ltnpH | grep -c "pid=${is[$1]}," || true; }
    [ "$(listening backup-coordinator) $(listening backup-w1) $(listening backup-client)" = "1 0 0" ] \
        || fail "somebody else than the coordinator listens"
    "$here/backup" backup-state backups
    until_safe $(($(safe) + 20)); running backup-client
    "$here/backup" backup-state backups | tee second.txt
    grep -q '[0-9] blobs' second.txt
    [ "$(find backups -name '*.sqlite' | wc -l)" = 2 ] || fail "there are not two backups"
    [ "$(find backups -type f -links 2 | wc -l)" -ge 5 ] || fail "the data set was copied again"

    say "backup: blobs are removed between the copy of the database and theirs"
    cat > slow-sqlite << 'END'
#!/usr/bin/env bash
# The first copy of a database takes so long that its checkpoints are gone when it is there.
sqlite3 "$@" || exit
case "$*" in *.backup*) [ -e slowed ] || { touch slowed; sleep 8; } ;; esac
END
    chmod +x slow-sqlite
    # So that the copy names checkpoints which the backup before does not have.
    until_safe $(($(safe) + 20)); running backup-client
    SQLITE=$work/slow-sqlite "$here/backup" backup-state backups | tee third.txt
    grep -q 'removed meanwhile' third.txt || fail "no blob was removed meanwhile"
    running backup-client
    "$here/rehearse" backups | tail -1

    say "backup: a run comes after it; then coordinator and state are lost"
    launch backup-late $(train "$QUINTET" 2 1 100) --run late --coordinator "$address"
    says backup-late.log 'run 2 at'
    murder backup-coordinator
    rm -rf backup-state
    "$here/restore" backups backup-state
    running backup-client
    coordinator backup-coordinator2 backup-state "127.0.0.1:$port"
    until_workers 2
    ends_badly backup-late
    says backup-late.log 'is not there any more'
    launch backup-late2 $(train "$QUINTET" 2 1 100) --run late --coordinator "$address"
    ! says backup-late2.log 'run [0-9]* at' | grep 'run [12] at' || fail "the number of a lost run was given again"
    ends_well backup-client
    compare backup
    ends_well backup-late2
    cmp calm-second/replica-0.safetensors late/replica-0.safetensors

    say "backup: what is refused, and what is found"
    refused 'is not empty' "$here/restore" backups backup-state
    refused 'holds other things' "$here/backup" backup-state calm
    refused 'inside of' "$here/backup" backup-state backup-state/backups
    refused 'no coordinator.s state' "$here/backup" calm elsewhere
    cp -r "$(ls -d backups/20* | tail -1)" rotten
    blob=$(find rotten/blobs -type f -size +4k | sort | head -1)
    printf 'x' | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
    refused "missing or damaged in the backup: .*${blob##*/}" "$here/restore" rotten from-rotten
}

part_move() {
    say "move: workers know the coordinator by a name"
    cp /etc/hosts hosts
    echo "127.0.0.1 quintet-lab" >> hosts
    mount --bind "$work/hosts" /etc/hosts
    lab move 127.0.0.1:0 "$QUINTET" quintet-lab
    # A third one that knows it by its number.
    worker move-w3 "127.0.0.1:$port"
    until_safe 20
    "$here/backup" move-state move-backups
    refused 'its coordinator is running' "$here/retire" move-state 127.0.0.2:7311
    running move-client
    old_port=$port
    began_moving=$SECONDS
    end move-coordinator
    "$here/backup" move-state move-backups
    cp -r move-state move-forgotten    # as it is where nobody retires it
    "$here/retire" move-state "127.0.0.2:$port"
    "$here/restore" --same-numbers move-backups elsewhere
    coordinator move-coordinator2 elsewhere "127.0.0.2:$port"
    # In place: a bind mount shows the file that it was made with.
    sed 's/^127.0.0.1 quintet-lab/127.0.0.2 quintet-lab/' hosts > hosts.new; cat hosts.new > hosts
    until_workers 2 "127.0.0.2:$port"
    say "move: two workers have followed the name after $((SECONDS - began_moving)) s; the third dials where nobody is"
    says move-w3.log 'no coordinator'
    running move-client

    say "move: the old one is started by mistake"
    refused 'cannot make the folder' "$QUINTET" coordinator --state move-state --listen "127.0.0.1:$old_port"
    say "move: the same where nobody has retired it: two coordinators of one run"
    coordinator move-coordinator3 move-forgotten "127.0.0.1:$old_port"
    until_workers 1 "127.0.0.1:$old_port"
    says move-coordinator3.log 'of move-w3.* checkpoint'
    end move-coordinator3
    say "move: the third worker is told the new address"
    end move-w3
    worker move-w3b "127.0.0.2:$port"
    ends_well move-client
    compare move
    umount /etc/hosts
}

part_disk() {
    say "disk: the state folder's disk fills up"
    mkdir -p small
    mount -t tmpfs -o size=12m tmpfs small
    coordinator disk-coordinator small/state 127.0.0.1:0
    address=127.0.0.1:$port
    worker disk-w1 "$address"; worker disk-w2 "$address"
    launch disk-client $(train "$QUINTET") --run disk --coordinator "$address"
    until_safe 20
    running disk-client
    dd if=/dev/zero of=small/ballast bs=64k status=none 2> /dev/null || true
    df --output=size,used,avail small | tail -1
    says disk-coordinator.log 'full\|No space'
    for _ in $(seq 100); do status | grep -q '"problem"' && break; sleep 0.2; done
    status | grep -o '"problem":"[^"]*"' | sort -u | head -2
    status | grep -q '"problem"' || fail "status names no problem"
    before=$(safe)
    sleep 5
    say "disk: full for 5 s; safe was iteration $before and is $(safe)"
    running disk-client
    until_workers 2
    "$here/backup" small/state disk-backups
    say "disk: the coordinator is killed while its disk is full, and started again"
    murder disk-coordinator
    launch disk-coordinator2 "$QUINTET" coordinator --state small/state --listen "$address" --lease-seconds 5
    sleep 3
    if alive disk-coordinator2; then fail "it has started on the full disk"; fi
    unset "is[disk-coordinator2]"
    says disk-coordinator2.log 'make room on the disk'
    say "disk: there is room again"
    rm small/ballast
    coordinator disk-coordinator2 small/state "$address"
    until_safe "$((before + 1))"
    ! status | grep -q '"problem"' || fail "status still names a problem"
    ends_well disk-client
    compare disk
    [ "$(sqlite3 small/state/state.sqlite 'PRAGMA integrity_check')" = ok ]
    end "${!is[@]}"
    umount small
}

part_lost() {
    say "lost: the state is gone and there is no backup"
    lab lost
    until_safe 20; running lost-client
    # A client that comes back only when somebody else has submitted something.
    launch lost-sleeper $(train "$QUINTET" 3 1 100) --run sleeper --coordinator "$address"
    says lost-sleeper.log 'run 2 at'
    kill -STOP "${is[lost-sleeper]}"
    murder lost-coordinator
    rm -rf lost-state
    "$here/fresh" lost-state
    refused 'is not empty' "$here/fresh" lost-state
    coordinator lost-coordinator2 lost-state "127.0.0.1:$port"
    until_workers 2
    ends_badly lost-client
    says lost-client.log 'is not there any more'
    says lost-w1.log 'abandoned'
    say "lost: the same command begins again from the first iteration; data are in the workers' caches"
    launch lost-client2 $(train "$QUINTET") --run lost --coordinator "$address"
    $(train "$QUINTET" 2 1 100) --run second --coordinator "$address" --quiet
    cmp calm-second/replica-0.safetensors second/replica-0.safetensors
    kill -CONT "${is[lost-sleeper]}"
    ends_badly lost-sleeper
    says lost-sleeper.log 'is not there any more'
    ends_well lost-client2
    compare lost
    say "lost: answers that had been fetched"
    mkdir archive
    cp phantoms/healthy/healthy-0*.nii.gz phantoms/diseased/*.nii.gz archive/
    "$QUINTET" segment --run calm --in archive --out masks-calm --quiet 2> /dev/null
    launch lost-segment "$QUINTET" segment --run calm --in archive --out masks --coordinator "$address"
    for _ in $(seq 300); do ls masks/*.nii.gz > /dev/null 2>&1 && break; sleep 0.1; done
    murder lost-coordinator2
    rm -rf lost-state
    "$here/fresh" lost-state
    coordinator lost-coordinator3 lost-state "$address"
    if wait "${is[lost-segment]}"; then echo "it had ended"; fi
    unset "is[lost-segment]"
    tail -1 lost-segment.log
    ls masks
    "$QUINTET" segment --run calm --in archive --out masks --coordinator "$address" 2> segment-again.log
    tail -2 segment-again.log
    for mask in masks-calm/*.nii.gz; do cmp "$mask" "masks/${mask##*/}"; done
    say "lost: what has ended is in its folder"
    "$here/inventory" calm lost
    refused 'unfinished' "$here/inventory" sleeper
    cp -r calm spoilt
    printf 'x' | dd of=spoilt/replica-1.safetensors bs=1 seek=2000 conv=notrunc status=none
    refused 'replica-1.safetensors' "$here/inventory" spoilt
}

# Of before, with protocol, schema and arithmetic of today; the last of protocol 3 and schema 3.
alike=bb28c77
speaks_otherwise=213ae06

until_checkpoint_by() { says "$1" "of $2.* checkpoint"; }
problem() { status | grep -o '"problem":"[^"]*"' | head -1; }

part_upgrade() {
    say "upgrade: the programs of before"
    old=$("$here/old-program" $alike)
    # Of the same protocol, whose arithmetic is another: so is that of today's with its plainest kernels.
    older=$work/computes-otherwise
    printf '#!/bin/sh\nQUINTET_KERNELS=direct exec "%s" "$@"\n' "$QUINTET" > "$older"; chmod +x "$older"
    oldest=$("$here/old-program" $speaks_otherwise)

    say "upgrade: coordinator, two workers and client of before; the coordinator is upgraded first, then a worker"
    cp "$old" installed
    lab upgrade 127.0.0.1:0 "$work/installed" 127.0.0.1 "$old" "$old"
    until_safe 10; running upgrade-client
    "$here/upgrade" upgrade-state upgrade-backups "$QUINTET" installed
    running upgrade-client
    end upgrade-coordinator
    coordinator upgrade-coordinator2 upgrade-state "127.0.0.1:$port" "$work/installed"
    until_workers 2
    until_checkpoint_by upgrade-coordinator2.log upgrade-w1; running upgrade-client
    end upgrade-w1
    worker upgrade-w1b "$address"
    until_checkpoint_by upgrade-coordinator2.log upgrade-w1b; running upgrade-client
    status | grep -o '"build":"[^"]*"' | sort | uniq -c
    ends_well upgrade-client
    compare upgrade
    end "${!is[@]}"

    say "upgrade: and back: the coordinator of before on a state of today, with workers and client of today"
    "$here/rehearse" upgrade-backups "$old" | tail -1
    lab downgrade
    until_safe 10; running downgrade-client
    end downgrade-coordinator
    coordinator downgrade-coordinator2 downgrade-state "127.0.0.1:$port" "$old"
    until_workers 2
    until_checkpoint_by downgrade-coordinator2.log downgrade-w2; running downgrade-client
    ends_well downgrade-client
    compare downgrade
    end "${!is[@]}"

    say "upgrade: a worker that computes otherwise gets nothing of a run that has begun, and the run waits for its like"
    $(train "$older" 1 1 150) --run calm-older --quiet
    coordinator otherwise-coordinator otherwise-state 127.0.0.1:0
    address=127.0.0.1:$port
    worker otherwise-w1 "$address" "$older"
    launch otherwise-client $(train "$older" 1 1 150) --run otherwise --coordinator "$address"
    until_safe 10; running otherwise-client
    end otherwise-w1
    worker otherwise-w2 "$address"
    until_workers 1
    for _ in $(seq 50); do [ -z "$(problem)" ] || break; sleep 0.2; done
    problem | grep . || fail "status does not say why the run waits"
    running otherwise-client
    worker otherwise-w3 "$address" "$older"
    ends_well otherwise-client
    cmp calm-older/replica-0.safetensors otherwise/replica-0.safetensors
    end "${!is[@]}"

    say "upgrade: versions that do not fit, either way"
    local older_text='speaks protocol 3, the coordinator .* protocol 4: this program is older, update it'
    coordinator unlike-coordinator unlike-state 127.0.0.1:0
    refused "$older_text" timeout 60 "$oldest" worker --coordinator "127.0.0.1:$port" --cache cache-unlike
    refused "$older_text" timeout 60 "$oldest" status --coordinator "127.0.0.1:$port"
    says unlike-coordinator.log 'speaks protocol 3, this coordinator 4'
    end unlike-coordinator
    refused 'has schema 4; this quintet knows 3' "$oldest" coordinator --state unlike-state --listen 127.0.0.1:0
    refused 'nothing was changed' "$here/upgrade" upgrade-state upgrade-backups "$oldest" installed
    coordinator unlike-coordinator2 unlike-old-state 127.0.0.1:0 "$oldest"
    refused 'speaks protocol 4, the coordinator .* protocol 3: the program there is older, update it' timeout 60 \
        "$QUINTET" worker --coordinator "127.0.0.1:$port" --cache cache-unlike

    say "upgrade: from protocol 3, in the middle of a training: workers and client are refused and end"
    address=127.0.0.1:$port
    worker unlike-w1 "$address" "$oldest"
    launch unlike-client $(train "$oldest" 1 1 150) --run unlike --coordinator "$address"
    says unlike-coordinator2.log 'of unlike-w1.* checkpoint'
    end unlike-coordinator2
    coordinator unlike-coordinator3 unlike-old-state "$address"
    local who kept
    for who in unlike-w1 unlike-client; do
        for _ in $(seq 150); do alive $who || break; sleep 0.2; done
        ! alive $who || fail "$who has not ended"
        ends_badly $who; says $who.log 'this program is older'
    done
    kept=$(safe)
    [ "$kept" -gt 0 ] || fail "the checkpoint is lost"
    worker unlike-w2 "$address"
    says unlike-coordinator3.log "leased to unlike-w2.*, from iteration $kept"
    says unlike-coordinator3.log 'run 1 ended'
    # Both compute alike.
    $(train "$oldest" 1 1 150) --run calm-oldest --quiet
    $(train "$QUINTET" 1 1 150) --run calm-short --quiet
    cmp calm-oldest/replica-0.safetensors calm-short/replica-0.safetensors
    [ "$(sqlite3 unlike-old-state/state.sqlite "SELECT digest FROM outputs WHERE role = 'replica'")" = \
        "$(sha256sum < calm-short/replica-0.safetensors | cut -d' ' -f1)" ] || fail "the upgraded run has other bytes"
}

part_alarms() {
    say "alarms: what cannot start"
    refused 'would let anyone in' env -u QUINTET_TOKEN_FILE "$QUINTET" coordinator --state open --listen '*:0'
    cp token loose; chmod 644 loose
    refused 'others' "$QUINTET" coordinator --state loose-state --listen 127.0.0.1:0 --token-file loose
    coordinator alarms-coordinator alarms-state 127.0.0.1:0
    address=127.0.0.1:$port
    refused 'is in use by another process' "$QUINTET" coordinator --state alarms-state --listen 127.0.0.1:0
    refused 'in use\|already' "$QUINTET" coordinator --state other-state --listen "$address"

    say "alarms: who is turned away"
    "$QUINTET" token new other-token > /dev/null
    refused 'token' timeout 60 "$QUINTET" worker --coordinator "$address" --cache cache-other --token-file other-token
    says alarms-coordinator.log 'turned away: .*token'
    refused 'token' timeout 60 env -u QUINTET_TOKEN_FILE "$QUINTET" status --coordinator "$address"
    says alarms-coordinator.log 'TLS'

    say "alarms: nobody is there to work; a worker is killed"
    launch alarms-client $(train "$QUINTET") --run alarms --coordinator "$address"
    says alarms-client.log 'waiting for a worker'
    worker alarms-w1 "$address"
    until_safe 20
    murder alarms-w1
    says alarms-coordinator.log 'lapsed: no sign of life'

    say "alarms: a checkpoint rots on the coordinator's disk"
    end alarms-coordinator
    newest=$(sqlite3 alarms-state/state.sqlite 'SELECT digest FROM checkpoints ORDER BY iteration DESC LIMIT 1')
    printf 'x' | dd of="alarms-state/blobs/${newest:0:2}/$newest" bs=1 seek=3000 conv=notrunc status=none
    "$here/backup" alarms-state alarms-backups > rotten.txt && fail "the backup has not noticed"
    tail -2 rotten.txt
    grep -q "$newest" rotten.txt || fail "the backup does not name it"
    coordinator alarms-coordinator2 alarms-state "$address"
    worker alarms-w2 "$address"; worker alarms-w3 "$address"
    says alarms-coordinator2.log 'damaged'
    ends_well alarms-client
    compare alarms
    ls alarms-state/blobs/damaged | head -2
}
