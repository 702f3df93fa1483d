#!/usr/bin/env bash
# `make test-netns`: several hosts on one machine, each a network namespace, whose network is disturbed while they train
# and segment. Every result must have the bytes of an undisturbed run, and whatever is over must be over within minutes.
#     cluster/netns/test.sh [DISTURBANCE]...        all of them where none is named
#
#     coordinator ---- router ---- client           10.77.0.2, 10.77.1.2; behind the NAT are networks that the router
#                       |   |                       has no way to, so that the workers there can only dial out
#                  worker 1  NAT ---- workers 2, 3
#
#     calm        nothing is disturbed
#     cut         links of client and workers are down for 6 s
#     cut-long    those of the workers behind the NAT, for 40 s, which is longer than a lease
#     flap        all down for 1 s and up for 2 s, ten times
#     mute        nothing of the workers and the client reaches the coordinator for 40 s, the other way all does
#     deaf        nothing of the coordinator reaches them for 40 s, the other way all does
#     reset       a firewall resets every connection for 5 s
#     slow-10     the coordinator's line carries 10 Mbit/s in each direction
#     slow-1      1 Mbit/s
#     far         100 ms there and 100 ms back, 5% of packets lost, 5% out of order
#     narrow      the NAT's line carries packets of 1280 bytes, the interfaces say 1500; routers say so
#     hole        the same, but the routers' "fragmentation needed" is lost (a black hole)
#     forget      the NAT forgets its connections and drops what it does not know
#     move        the coordinator's address changes behind its name, and back
# Lines, ways and narrow ones are so from beginning to end. The others are done twice, in the middle of the archive and
# of the training; printed is how long it then takes until all workers have been heard again, and until work moves.
# Needs root; installs iproute2, nftables, conntrack and python3 where they are missing. What the kernel lacks is said
# and skipped. Leaves no namespace behind, by Ctrl-C neither. QUINTET names the program, ITERATIONS how long each of
# three replicas trains, LIMIT_SECONDS how long one disturbance may last (600).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export QUINTET=${QUINTET:-$here/../../.build/release/quintet}
all=(calm cut cut-long flap mute deaf reset slow-10 slow-1 far narrow hole forget move)
say() { echo "== $*"; }
[ "$(id -u)" = 0 ] || { echo "test.sh: namespaces need root" >&2; exit 1; }
[ -x "$QUINTET" ] || { echo "test.sh: there is no $QUINTET; make build" >&2; exit 1; }
for name in "$@"; do
    [[ " ${all[*]} " = *" $name "* ]] || { echo "test.sh: there is no disturbance $name: ${all[*]}" >&2; exit 2; }
done
missing=()
for pair in ip:iproute2 tc:iproute2 nft:nftables conntrack:conntrack python3:python3; do
    command -v "${pair%:*}" > /dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi

work=$(mktemp -d -p /var/tmp)
net=qn$$                                              # what all namespaces' names begin with
hosts=(coordinator client worker1 worker2 worker3)
spaces=(router nat "${hosts[@]}")
at() { local space=$1; shift; ip netns exec "$net-$space" "$@"; }
on() { local space=$1; shift; ip -n "$net-$space" "$@"; }

# Processes in a namespace are ours: its name has this script's number.
processes() { local space; for space in "$@"; do ip netns pids "$net-$space" 2> /dev/null || true; done; }
end_processes() {
    local signal pids
    for signal in TERM KILL; do
        pids=$(processes "$@")
        [ -n "$pids" ] || return 0
        kill -$signal $pids 2> /dev/null || true
        for _ in $(seq 60); do
            [ -n "$(processes "$@")" ] || return 0
            sleep 0.2
        done
    done
}
clean() {
    trap '' INT TERM HUP
    end_processes "${spaces[@]}"
    local space
    for space in "${spaces[@]}"; do
        ip netns del "$net-$space" 2> /dev/null || true
        rm -rf "/etc/netns/$net-$space"
    done
    rmdir /etc/netns 2> /dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP
fail() {
    echo "test.sh: $*" >&2
    for log in "$work/with-${scenario:-none}"/*.log; do
        [ ! -f "$log" ] || { echo "-- ${log##*/}"; tail -n 6 "$log"; } >&2
    done
    exit 1
}

# A line between two namespaces: NAME1 INTERFACE1 ADDRESS1 NAME2 INTERFACE2 ADDRESS2.
line() {
    ip link add "$2" netns "$net-$1" type veth peer name "$5" netns "$net-$4"
    # One packet is one packet, no bundle of 64 KiB that is lost or delayed as a whole.
    on "$1" link set "$2" gso_max_segs 1; on "$4" link set "$5" gso_max_segs 1
    on "$1" addr add "$3" dev "$2"; on "$4" addr add "$6" dev "$5"
    on "$1" link set "$2" up; on "$4" link set "$5" up
}
name_coordinator() {
    local space
    for space in "${hosts[@]}"; do
        printf '127.0.0.1 localhost\n%s coordinator.lab\n' "$1" > "/etc/netns/$net-$space/hosts"
    done
}
address=10.77.0.2
build_network() {
    local space number
    for space in "${spaces[@]}"; do
        mkdir -p "/etc/netns/$net-$space"
        ip netns add "$net-$space"
        on "$space" link set lo up
    done
    name_coordinator $address
    for space in router nat; do at $space sysctl -q -w net.ipv4.ip_forward=1; done
    line router to-coord 10.77.0.1/24 coordinator eth0 $address/24
    line router to-client 10.77.1.1/24 client eth0 10.77.1.2/24
    line router to-worker1 10.77.2.1/24 worker1 eth0 10.77.2.2/24
    line router to-nat 10.77.3.1/24 nat eth0 10.77.3.2/24
    on coordinator route add default via 10.77.0.1
    on client route add default via 10.77.1.1
    on worker1 route add default via 10.77.2.1
    on nat route add default via 10.77.3.1
    for number in 2 3; do
        line nat to-worker$number 192.168.$number.1/24 worker$number eth0 192.168.$number.2/24
        on worker$number route add default via 192.168.$number.1
    done
    at nat nft -f - << RULES
table ip nat {
    chain out { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }
    chain pass { type filter hook forward priority filter; policy drop
        ct state invalid drop
        iifname "to-worker*" accept
        ct state established,related accept
    }
}
RULES
    # As home and hospital routers do: a connection that it has not seen begin is none.
    at nat sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
}

# The disturbances. What lasts has a begin_ and an end_, what passes a once_.
legs=(to-client to-worker1 to-nat)
links() { local leg; for leg in "${@:2}"; do on router link set "$leg" "$1"; done; }
rules() { at router nft -f - <<< "table ip disturbance { chain pass { type filter hook forward priority 0; $1; }; }"; }
no_rules() { at router nft delete table ip disturbance; }
rate() {
    at router tc qdisc replace dev to-coord root tbf rate "$1" burst 16k latency 400ms
    at coordinator tc qdisc replace dev eth0 root tbf rate "$1" burst 16k latency 400ms
}
no_rate() { at router tc qdisc del dev to-coord root; at coordinator tc qdisc del dev eth0 root; }
far() {
    at router python3 "$here/relay.py" far 100 5 5 & disown
    for _ in $(seq 50); do on router link show far > /dev/null 2>&1 && break; sleep 0.1; done
    on router link set far up txqueuelen 5000
    on router route add default dev far table 100
    for leg in to-coord "${legs[@]}"; do on router rule add iif "$leg" table 100; done
}
no_far() { for leg in to-coord "${legs[@]}"; do on router rule del iif "$leg" table 100; done; end_processes router; }
narrow() { on router link set to-nat mtu "$1"; on nat link set eth0 mtu "$1"; }
silence_routers() {
    for space in router nat; do
        at $space nft add table ip hole
        at $space nft add chain ip hole out '{ type filter hook output priority 0; }'
        at $space nft add rule ip hole out icmp type destination-unreachable drop
    done
}
move() {
    local old=$address
    [ $address = 10.77.0.2 ] && address=10.77.0.3 || address=10.77.0.2
    on coordinator addr del "$old/24" dev eth0
    on coordinator addr add $address/24 dev eth0
    on coordinator route replace default via 10.77.0.1
    name_coordinator $address
}
begin_slow-10() { rate 10mbit; }
end_slow-10() { no_rate; }
begin_slow-1() { rate 1mbit; }
end_slow-1() { no_rate; }
begin_far() { far; }
end_far() { no_far; }
begin_narrow() { narrow 1280; }
end_narrow() { narrow 1500; }
begin_hole() { narrow 1280; silence_routers; }
end_hole() { narrow 1500; at router nft delete table ip hole; at nat nft delete table ip hole; }
once_cut() { links down "${legs[@]}"; sleep 6; links up "${legs[@]}"; }
once_cut-long() { links down to-nat; sleep 40; links up to-nat; }
once_flap() { for _ in $(seq 10); do links down "${legs[@]}"; sleep 1; links up "${legs[@]}"; sleep 2; done; }
once_mute() { rules 'oifname "to-coord" drop'; sleep 40; no_rules; }
once_deaf() { rules 'iifname "to-coord" drop'; sleep 40; no_rules; }
once_reset() { rules 'meta l4proto tcp reject with tcp reset'; sleep 5; no_rules; }
once_forget() { at nat conntrack -F > /dev/null 2>&1; }
once_move() { move; }
is_there() { declare -F "$1" > /dev/null; }

# What this kernel has not, by trying; empty when it has all that the disturbance needs.
lacking() {
    case $1 in
    slow-*) rate 10mbit 2> /dev/null && no_rate || echo "the token bucket filter (sch_tbf)" ;;
    far) [ -c /dev/net/tun ] || echo "TUN devices" ;;
    reset) rules 'meta l4proto tcp reject with tcp reset' 2> /dev/null && no_rules || echo "nft's reject" ;;
    esac
}

build_network 2> "$work/network.log" || { cat "$work/network.log" >&2; fail "this kernel lacks veth, nft or its NAT"; }
at client "$QUINTET" --version > /dev/null || fail "the program does not run in a namespace"

say "the undisturbed run, in one process"
cd "$work"
"$QUINTET" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$QUINTET" phantom --out fine --count 0 --diseased 2 --spacing 4,4,4 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet 2> /dev/null
train=(train --data "$work/data" --replicas 3 --iterations "${ITERATIONS:-80}" --slab 8 --channels 4,8,8
    --checkpoint-seconds 2 --label storm)
segment=(segment --run "$work/calm" --in "$work/fine/diseased" --label archive)
"$QUINTET" "${train[@]}" --run calm --quiet
"$QUINTET" "${segment[@]}" --out calm-masks --quiet
"$QUINTET" token new token 2> /dev/null > /dev/null

look() { at coordinator env QUINTET_COORDINATOR=127.0.0.1:7311 QUINTET_TOKEN_FILE="$work/token" "$here/look.py" "$@"; }
seconds() { echo "$(( $(date +%s) - began ))"; }
wait_for() {
    local pid=$1 what=$2
    for _ in $(seq "${LIMIT_SECONDS:-600}"); do
        kill -0 "$pid" 2> /dev/null || { wait "$pid" || fail "$what failed"; return 0; }
        sleep 1
    done
    fail "$what has not ended after ${LIMIT_SECONDS:-600} s"
}
disturb() {
    is_there "once_$scenario" || return 0
    kill -0 "$1" 2> /dev/null || fail "the $2 ended before it was disturbed; give it more ITERATIONS"
    "once_$scenario"
    local found
    found=$(look recovery) || fail "work does not go on"
    echo "   $scenario in the $2: $found"
}
run() {
    scenario=$1
    local reason number
    reason=$(lacking "$scenario")
    [ -z "$reason" ] || { say "$scenario: skipped, this kernel lacks $reason"; skipped=$((skipped + 1)); return 0; }
    mkdir "with-$scenario"; cd "with-$scenario"
    export QUINTET_COORDINATOR=coordinator.lab:7311 QUINTET_TOKEN_FILE=$work/token
    at coordinator "$QUINTET" coordinator --state state --listen '*:7311' 2> coordinator.log &
    look workers 0 || fail "not all connect"
    ! is_there "begin_$scenario" || "begin_$scenario"
    began=$(date +%s)
    for number in 1 2 3; do
        at worker$number nice "$QUINTET" worker --name worker$number --threads 1 --cache cache$number \
            2> worker$number.log &
    done
    look workers 3 || fail "not all connect"
    local archive training
    at client "$QUINTET" "${segment[@]}" --out masks > /dev/null 2> segment.log & archive=$!
    look result archive || fail "the archive does not begin"
    disturb $archive archive
    # Only now: workers cut off go on computing, and might have done it all by the end of the first disturbance.
    at client "$QUINTET" "${train[@]}" --run storm > /dev/null 2> train.log & training=$!
    look checkpoint storm || fail "the training does not begin"
    disturb $training training
    wait_for $archive "the archive"; wait_for $training "the training"
    say "$scenario: all done after $(seconds) s"
    ! is_there "end_$scenario" || "end_$scenario"
    end_processes "${hosts[@]}"
    cd "$work"
    for number in 0 1 2; do
        cmp {calm,"with-$scenario/storm"}/replica-$number.safetensors || fail "a replica differs"
    done
    diff -r --exclude='.*' calm-masks "with-$scenario/masks" || fail "the archive's answers differ"
    rm -rf "with-$scenario"
}
skipped=0
for scenario in "${@:-${all[@]}}"; do run "$scenario"; done
say "passed: replicas and masks have the undisturbed run's bytes ($skipped skipped)"
