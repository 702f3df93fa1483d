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
    says backup-late2.log 'run 1000002 at'
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
    refused 'cannot\|Not a directory\|exists' "$QUINTET" coordinator --state move-state --listen "127.0.0.1:$old_port"
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
    say "disk: the coordinator is killed while its disk is full, and started again"
    murder disk-coordinator
    launch disk-coordinator2 "$QUINTET" coordinator --state small/state --listen "$address" --lease-seconds 5
    sleep 3
    alive disk-coordinator2 && echo "it has started on the full disk" || { tail -1 disk-coordinator2.log; unset "is[disk-coordinator2]"; }
    say "disk: there is room again"
    rm small/ballast
    alive disk-coordinator2 2> /dev/null || coordinator disk-coordinator3 small/state "$address"
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
    murder lost-coordinator
    rm -rf lost-state
    coordinator lost-coordinator2 lost-state "127.0.0.1:$port"
    until_workers 2
    ends_badly lost-client
    says lost-client.log 'is not there any more'
    says lost-w1.log 'abandoned'
    say "lost: the same command begins again from the first iteration; data are in the workers' caches"
    launch lost-client2 $(train "$QUINTET") --run lost --coordinator "$address"
    ends_well lost-client2
    compare lost
    say "lost: what has ended is in its folder"
    "$here/inventory" calm lost
    cp -r calm spoilt
    printf 'x' | dd of=spoilt/replica-1.safetensors bs=1 seek=2000 conv=notrunc status=none
    refused 'replica-1.safetensors' "$here/inventory" spoilt
}
