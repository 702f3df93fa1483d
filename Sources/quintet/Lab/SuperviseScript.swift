extension LabScripts {
    /// Runs there as long as a worker is wanted, in a session of its own. It is replaced by renaming, since shells read
    /// their scripts while they run them.
    package static let supervise = #"""
        #!/bin/sh
        # Keeps worker NUMBER of this machine running. Started by `quintet lab start`, ended by `quintet lab stop`
        # (SIGTERM), which it hands on to the worker once.
        # supervise.sh NUMBER NICENESS PROGRAM ARGUMENT ...
        set -u
        cd "$(dirname "$0")" || exit 1
        number=$1 niceness=$2
        shift 2
        log=worker-$number.log
        boot=$(cat /proc/sys/kernel/random/boot_id)
        # A number, and when it began: a number alone may be another's later.
        identity() { echo "$1 $(sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d' ' -f20) $boot"; }
        note() { printf '%s\n' "$2" > "$1.tmp" && mv -f "$1.tmp" "$1"; }
        tell() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ)  quintet lab: $1" >> "$log"; }
        seconds() { cut -d. -f1 /proc/uptime; }
        stopping='' child='' nap=''
        leave() {
            [ -z "$stopping" ] || return 0
            stopping=1
            [ -z "$child" ] || kill -TERM "$child" 2> /dev/null
            [ -z "$nap" ] || kill "$nap" 2> /dev/null
        }
        trap leave TERM INT
        trap '' HUP
        note "worker-$number.supervisor" "$(identity $$)"
        starts=0 pause=5 why=''
        while [ -z "$stopping" ]; do
            if [ "$(cat "$log" 2> /dev/null | wc -c)" -gt 10000000 ]; then mv -f "$log" "$log.old"; fi
            begun=$(seconds)
            nice -n "$niceness" "$@" >> "$log" 2>&1 < /dev/null &
            child=$!
            # The wish may have come before there was a child to tell.
            [ -z "$stopping" ] || kill -TERM "$child" 2> /dev/null
            me=$(identity "$child")
            note "worker-$number.process" "$me"
            starts=$((starts + 1))
            note "worker-$number.starts" "$starts"
            # A signal ends the waiting, not the worker.
            while :; do
                code=0
                wait "$child" || code=$?
                [ "$(identity "$child")" = "$me" ] && kill -0 "$child" 2> /dev/null || break
            done
            child=''
            rm -f "worker-$number.process"
            [ -z "$stopping" ] || break
            case $code in
            0) why='it was asked to leave'; break ;;
            2) why='it was started wrongly'; break ;;
            esac
            [ $(($(seconds) - begun)) -lt 60 ] || pause=5
            tell "the worker ended with $code; it is started again in $pause s"
            sleep "$pause" &
            nap=$!
            [ -z "$stopping" ] || kill "$nap" 2> /dev/null
            wait "$nap"
            nap=''
            [ "$pause" -ge 300 ] || pause=$((pause * 2))
        done
        if [ -n "$why" ]; then
            tell "the worker ended with $code: $why"
            note "worker-$number.ended" "$code"
        fi
        rm -f "worker-$number.supervisor" "worker-$number.process"

        """#
}
