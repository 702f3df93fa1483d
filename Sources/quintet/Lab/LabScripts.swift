/// What runs on a lab's machines, in the POSIX shell and with the tools that Debian calls essential. Every script
/// answers in lines "quintet-lab KEY VALUE"; whatever else a login shell prints is passed over.
package enum LabScripts {
    /// Where everything lies there. A home folder may be shared by all machines: what is one machine's has its name.
    private static let common = #"""
        set -u
        LC_ALL=C; export LC_ALL
        umask 077
        say() { printf 'quintet-lab %s %s\n' "$1" "$(printf %s "$2" | tr '\n' ' ')"; }
        refuse() { say refused "$1"; exit 0; }
        [ -n "${HOME:-}" ] && [ -d "$HOME" ] || refuse 'there is no home folder'
        root=$HOME/.local/share/quintet
        node=$(uname -n | tr -cd 'A-Za-z0-9._-')
        [ -n "$node" ] || refuse 'the machine has no name'
        here=$root/hosts/$node
        boot=$(cat /proc/sys/kernel/random/boot_id 2> /dev/null)
        # "PROCESS TICKS BOOT" of a file: whether that very process lives. A number alone may be another's by now.
        lives() {
            [ -f "$1" ] || return 1
            read -r process ticks machine < "$1" || return 1
            case $process in ''|*[!0-9]*) return 1 ;; esac
            [ "$machine" = "$boot" ] || return 1
            fields=$(sed 's/.*) //' "/proc/$process/stat" 2> /dev/null)
            set -f; set -- $fields; set +f
            [ $# -ge 20 ] && [ "$1" != Z ] && [ "${20}" = "$ticks" ]
        }
        # Numbers of the workers that were started here.
        numbers() {
            for file in "$here"/worker-*.supervisor "$here"/worker-*.process "$here"/worker-*.ended; do
                [ -f "$file" ] || continue
                file=${file##*/worker-}
                echo "${file%%.*}"
            done | sort -nu
        }
        """#

    /// One lab command at a time on a machine. Nothing that outlives the script may inherit the lock.
    private static let alone = #"""

        mkdir -p "$here" "$root/versions" 2> /dev/null || refuse "$root cannot be made; is the disk full or not yours?"
        exec 9> "$here/lock" || refuse "$here cannot be written; is the disk full or not yours?"
        flock -w 20 9 || refuse 'another quintet lab is at work there'
        """#

    /// - Parameters:
    ///   - version: the program's folder, to see whether it is there with that digest.
    ///   - digest: nil where nobody wants to know; it reads the whole program.
    package static func probe(version: String, digest: String?) -> String {
        let wanted = digest.map { digest in
            """

            program=$root/versions/\(Shell.quoted(version))/quintet
            [ "$(sha256sum 2> /dev/null < "$program" | cut -d' ' -f1)" = \(Shell.quoted(digest)) ] && say program yes
            """
        } ?? ""
        return common + #"""

            say machine "$(uname -s) $(uname -m)"
            say libc "$(getconf GNU_LIBC_VERSION 2> /dev/null)"
            say node "$node"
            say load "$(cut -d' ' -f1 /proc/loadavg) $(nproc)"
            for tool in flock setsid sha256sum nice nproc; do
                command -v "$tool" > /dev/null || say missing "$tool"
            done
            link=$(readlink "$here/quintet" 2> /dev/null); link=${link%/quintet}; say linked "${link##*/}"
            say settings "$(cat "$here/settings" 2> /dev/null)"
            for number in $(numbers); do
                file=$here/worker-$number state=gone process=0 version=-
                lives "$file.supervisor" && state=restarting
                if lives "$file.process"; then
                    [ "$state" = restarting ] && state=running || state=unsupervised
                    version=$(readlink "/proc/$process/exe"); version=${version%/quintet}; version=${version##*/}
                elif [ -f "$file.ended" ] && [ "$state" = gone ]; then
                    state=ended-$(cat "$file.ended")
                fi
                say worker "$number $state ${process:-0} $(cat "$file.starts" 2> /dev/null || echo 0) ${version:--}"
                say last "$number $(tail -n 1 "$file.log" 2> /dev/null | cut -c1-300)"
            done
            """# + wanted + "\nsay end probe"
    }

    /// The program comes behind the script. It takes its place whole and after it has run once, or not at all.
    package static func install(version: String, digest: String) -> String {
        common + alone + #"""

            digest=\#(Shell.quoted(digest))
            folder=$root/versions/\#(Shell.quoted(version))
            temporary=$root/versions/.$node.tmp
            trap 'rm -f "$temporary"' EXIT
            trap 'exit 1' HUP INT TERM
            trap '' PIPE
            rm -f "$temporary"
            trouble=$(cat 2>&1 > "$temporary") || refuse "the program cannot be written: $trouble"
            [ "$(sha256sum < "$temporary" | cut -d' ' -f1)" = "$digest" ] || refuse 'the program did not arrive whole'
            chmod 755 "$temporary"
            trouble=$("$temporary" --version 2>&1) \
                || refuse "the program does not run there: $trouble"
            mkdir -p "$folder" && mv -f "$temporary" "$folder/quintet" \
                || refuse "the program cannot be moved to $folder"
            say end install
            """#
    }

    /// The token comes behind the script. Workers that run already are left alone.
    package static func launch(
        _ host: LabHost, _ settings: LabSettings, fingerprint: String, tokenBytes: Int
    ) -> String {
        let cache = host.cache.map { path in
            path.hasPrefix("~/") ? "\"$HOME\"/" + Shell.quoted(String(path.dropFirst(2))) : Shell.quoted(path)
        }
        var starts = ""
        for number in 1...host.workerCount {
            let options = host.workerOptions(number).map(Shell.quoted) + (cache.map { ["--cache", $0] } ?? [])
            let threads = host.threadCount == nil && host.workerCount > 1 ? " --threads \"$share\"" : ""
            starts += "\nlaunch \(number) \(host.niceness) \"$program\" worker --coordinator "
                + "\(Shell.quoted(settings.coordinator)) --token-file \"$here/token\" "
                + options.joined(separator: " ") + threads
        }
        return common + alone + #"""

            program=$root/versions/\#(Shell.quoted(settings.version))/quintet
            [ -x "$program" ] || refuse "the program is not there: $program"
            # At the end of a pipe it is a process of its own, which cannot end the script.
            put() {
                rm -f "$here/$1.tmp"
                cat > "$here/$1.tmp" && mv -f "$here/$1.tmp" "$here/$1" && return 0
                rm -f "$here/$1.tmp"
                say refused "$here/$1 cannot be written"
                return 1
            }
            rm -f "$here/token.tmp"
            cat > "$here/token.tmp"
            [ "$(wc -c < "$here/token.tmp")" -eq \#(tokenBytes) ] \
                || { rm -f "$here/token.tmp"; refuse 'the token did not arrive whole'; }
            mv -f "$here/token.tmp" "$here/token" || refuse 'the token cannot be written'
            printf %s \#(Shell.quoted(supervise)) | put supervise.sh || exit 0
            echo \#(Shell.quoted(fingerprint)) | put settings || exit 0
            ln -s "$root/versions/"\#(Shell.quoted(settings.version))/quintet "$here/quintet.tmp.$$" \
                && mv -fT "$here/quintet.tmp.$$" "$here/quintet"
            share=$(($(nproc) / \#(host.workerCount))); [ "$share" -ge 1 ] || share=1
            launch() {
                lives "$here/worker-$1.supervisor" && return
                # One that has lost its supervisor leaves first, as at a stop.
                if lives "$here/worker-$1.process"; then
                    kill -TERM "$process" 2> /dev/null
                    try=0
                    while lives "$here/worker-$1.process"; do
                        [ "$try" -lt 150 ] || { say failed "$1 process $process does not leave"; return; }
                        try=$((try + 1))
                        sleep 0.2
                    done
                fi
                rm -f "$here/worker-$1.process" "$here/worker-$1.supervisor" "$here/worker-$1.ended" \
                    "$here/worker-$1.starts"
                setsid sh "$here/supervise.sh" "$@" < /dev/null > /dev/null 2>&1 9>&- &
                for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
                    lives "$here/worker-$1.process" && say started "$1" && return
                    [ -f "$here/worker-$1.ended" ] && break
                    sleep 0.2
                done
                say failed "$1 $(tail -n 1 "$here/worker-$1.log" 2> /dev/null | cut -c1-300)"
            }
            """# + starts + "\nsay end launch"
    }

    /// SIGTERM once to each: a worker takes a second one for impatience and ends without handing its work back.
    package static func stop(seconds: Int) -> String {
        common + #"""

            [ -d "$here" ] || { say end stop; exit 0; }
            """# + alone + #"""

            all='' staying=''
            for number in $(numbers); do
                file=$here/worker-$number
                if lives "$file.supervisor" || lives "$file.process"; then
                    kill -TERM "$process" 2> /dev/null
                    all="$all $number"
                else
                    rm -f "$file.supervisor" "$file.process" "$file.ended" "$file.starts"
                fi
            done
            left=$((\#(seconds) * 5))
            while [ "$left" -gt 0 ]; do
                staying=''
                for number in $all; do
                    file=$here/worker-$number
                    if lives "$file.supervisor" || lives "$file.process"; then staying="$staying $number"; fi
                done
                [ -n "$staying" ] || break
                left=$((left - 1))
                sleep 0.2
            done
            for number in $all; do
                file=$here/worker-$number
                if lives "$file.process" || lives "$file.supervisor"; then
                    say stays "$number $process"
                else
                    say left "$number"
                    rm -f "$file.supervisor" "$file.process" "$file.ended" "$file.starts"
                fi
            done
            say end stop
            """#
    }

    package static func logs(lineCount: Int) -> String {
        common + #"""

            for file in "$here"/worker-*.log; do
                [ -f "$file" ] || continue
                number=${file##*/worker-}
                tail -n \#(lineCount) "$file" | sed "s/^/quintet-lab log ${number%.log} /"
            done
            say end logs
            """#
    }
}
