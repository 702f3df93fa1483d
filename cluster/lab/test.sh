#!/usr/bin/env bash
# `make test-lab`: `quintet lab` against real sshds on this machine: temporary users with homes of their own, each behind
# a port of its own, one with tcsh for its shell; beside them a machine of another architecture, one where nobody
# listens and one that takes a connection and says nothing. Meanwhile a training goes on, whose workers are killed,
# lost with their supervisors, updated one machine after the other and stopped; its replicas must have the bytes of an
# undisturbed run. Needs root and python3; installs openssh-server and tcsh where they are missing, removes its users,
# and leaves nothing running.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
quintet=${QUINTET:-$top/.build/release/quintet}
[ "$(id -u)" = 0 ] || { echo "test.sh: users and sshds need root" >&2; exit 1; }
[ -x "$quintet" ] || { echo "test.sh: there is no $quintet; say: make build" >&2; exit 1; }
if [ ! -x /usr/sbin/sshd ] || [ ! -x /bin/tcsh ]; then
    echo "== installing openssh-server and tcsh"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openssh-server tcsh > /dev/null
fi
work=$(mktemp -d -p /var/tmp)
chmod 755 "$work"
machines=(a b c)
pids=()
clean() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    for name in "${machines[@]}"; do
        id "quintet-$name" > /dev/null 2>&1 || continue
        # All of them are of this test: it made the user.
        for pid in $(ps -o pid= -u "quintet-$name"); do kill -KILL "$pid" 2> /dev/null || true; done
        sleep 0.2
        userdel -f "quintet-$name" 2> /dev/null || true
    done
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean EXIT
say() { echo "== $*"; }
fail() {
    echo "test.sh: $*" >&2
    tail -n 5 "$work"/coordinator.log "$work"/home/*/.local/share/quintet/hosts/*/worker-*.log >&2 2> /dev/null || true
    exit 1
}

say "three sshds, $(ssh -V 2>&1 | cut -d, -f1)"
mkdir -p "$work/home" "$work/fake" /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
cp "$work/key.pub" "$work/authorized"
chmod 644 "$work/authorized"
printf '#!/bin/sh\n[ "$1" = -m ] && echo aarch64 && exit\nexec /usr/bin/uname "$@"\n' > "$work/fake/uname"
chmod 755 "$work/fake/uname"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
machine() { # NAME SHELL [LINE OF sshd_config]
    useradd --create-home --home-dir "$work/home/$1" --shell "$2" "quintet-$1"
    usermod -p '*' "quintet-$1"
    ssh-keygen -q -t ed25519 -N '' -f "$work/host-$1"
    local port
    port=$(free_port)
    cat > "$work/sshd-$1" << EOF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host-$1
PidFile $work/sshd-$1.pid
AuthorizedKeysFile $work/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers quintet-$1
${3:-}
EOF
    /usr/sbin/sshd -D -e -f "$work/sshd-$1" 2> "$work/sshd-$1.log" & pids+=($!)
    echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$work/host-$1.pub")" >> "$work/known"
    printf 'Host lab%s\n  Port %s\n  User quintet-%s\n' "$1" "$port" "$1" >> "$work/config"
}
machine a /bin/bash
machine b /bin/tcsh
machine c /bin/sh "SetEnv PATH=$work/fake:/usr/bin:/bin"
printf 'Host labd\n  Port %s\n' "$(free_port)" >> "$work/config"
python3 -c '
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(50); print(s.getsockname()[1], flush=True); time.sleep(3600)
' > "$work/mute" & pids+=($!)
for _ in $(seq 50); do [ -s "$work/mute" ] && break; sleep 0.1; done
printf 'Host labe\n  Port %s\n' "$(cat "$work/mute")" >> "$work/config"
cat >> "$work/config" << EOF
Host *
  HostName 127.0.0.1
  IdentityFile $work/key
  IdentitiesOnly yes
  UserKnownHostsFile $work/known
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
EOF
cat > "$work/hosts" << EOF
# The lab of this test.
laba  workers=2 threads=1 nice=5
labb  threads=1      # its shell is tcsh
labc                 # another architecture
labd                 # nobody listens
labe                 # takes the connection and says nothing
EOF
grep '^lab[ab]' "$work/hosts" > "$work/good"

cd "$work"
say "an undisturbed run begins"
"$quintet" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$quintet" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet
train=(train --data data --replicas 3 --iterations "${ITERATIONS:-2000}" --slab 8 --channels 4,8,8 --checkpoint-seconds 2 --quiet)
# Beside the other one: they share nothing but processors.
QUINTET_COORDINATOR= "$quintet" "${train[@]}" --run calm & calm=$!
pids+=($calm)

"$quintet" token new token > /dev/null
"$quintet" coordinator --state state --listen 127.0.0.1:0 --port-file port --token-file token --lease-seconds 10 \
    2> coordinator.log & pids+=($!)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
QUINTET_COORDINATOR=127.0.0.1:$(cat port) QUINTET_TOKEN_FILE=$work/token
export QUINTET_COORDINATOR QUINTET_TOKEN_FILE
ssh=(--ssh "ssh -F $work/config")
program=$quintet
lab() { "$program" lab "$1" "$2" "${ssh[@]}" "${@:3}"; }
# code EXPECTED COMMAND ...: its output is in ./out and ./err.
code() {
    local expected=$1 got=0
    shift
    "$@" > out 2> err || got=$?
    [ "$got" = "$expected" ] || { cat out err >&2; fail "'$*' ended with $got, not $expected"; }
}
# of HOST EXPRESSION: of `lab status --json`; h is the host's part.
of() {
    lab status good --json 2> /dev/null | python3 -c "
import json, sys
h = [h for h in json.load(sys.stdin)['hosts'] if h['host'] == '$1'][0]
w = {w['number']: w for w in h['workers']}
print($2)"
}
until_is() { # HOST EXPRESSION VALUE
    local got=''
    for _ in $(seq 60); do got=$(of "$1" "$2" || true); [ "$got" = "$3" ] && return; sleep 0.5; done
    fail "$1: $2 is '$got', not '$3'"
}
connected() { "$quintet" status --json 2> /dev/null | grep -o '"isConnected":true' | wc -l; }
folder() { echo "$work/home/$1/.local/share/quintet"; }
here=$(uname -n | tr -cd 'A-Za-z0-9._-')

say "a dry run touches nothing"
code 3 lab start hosts --dry-run
grep -q 'laba: would copy the program, [0-9]* MB, and start workers 1, 2' err || { cat err >&2; fail "what it would do is not said"; }
[ ! -e "$(folder a)" ] || fail "the dry run has left something"

say "start: two machines work, three are named"
SECONDS=0
code 3 lab start hosts
echo "   $SECONDS s, $(du -m "$quintet" | cut -f1) MiB copied twice"
cat out | sed 's/^/   /'
grep -qx 'done: laba labb' out && grep -qx 'refused: labc labd labe' out || fail "not those machines"
grep -q 'labc: refused: it is Linux aarch64' err || fail "labc's architecture is not named"
grep -q 'labd: refused: .*Connection refused' err || fail "labd's reason is not named"
grep -q 'labe: refused: .*timed out' err || fail "labe's reason is not named"
[ "$(grep -n '^labb: copying' err | cut -d: -f1)" -lt "$(grep -n '^labe: refused' err | cut -d: -f1)" ] \
    || fail "labe has held up labb"
[ ! -e "$work/home/c/.local" ] || fail "something was left on a machine of another architecture"
[ "$(connected)" = 3 ] || fail "there are $(connected) workers, not 3"
for name in a b; do
    [ "$(stat -c %a "$(folder $name)/hosts/$here/token")" = 600 ] || fail "the token is not its owner's alone"
    cmp token "$(folder $name)/hosts/$here/token"
done
[ -z "$(grep -alF "$(cat token)" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null)" ] \
    || fail "the token is in a command line or environment"
niceness() { ps -o ni= -p "$1" | tr -d ' '; }
supervisor=$(cut -d' ' -f1 "$(folder a)/hosts/$here/worker-1.supervisor")
expected=$(($(niceness "$supervisor") + 5))
[ "$(niceness "$(of laba "w[1]['process']")")" = $((expected < 19 ? expected : 19)) ] || fail "the worker's niceness is not 5 more"
# No login holds them: its processes end by themselves.
for _ in $(seq 50); do pgrep -f '^sshd: quintet-' > /dev/null || break; sleep 0.2; done
pgrep -f '^sshd: quintet-' > /dev/null && fail "a login is still there"
code 0 lab start good
[ "$(grep -c 'runs already' err)" = 2 ] || fail "a second start is not idle"

say "a training begins"
"$quintet" "${train[@]}" --run storm & client=$!
pids+=($client)
running() { kill -0 $client 2> /dev/null || fail "the training ended before it was disturbed; give it more ITERATIONS"; }
sleep 3
code 3 lab status hosts
sed 's/^/   /' out
running

say "a worker is killed"
victim=$(of laba "w[1]['process']")
kill -9 "$victim"
until_is laba "w[1]['startCount'], w[1]['state'], w[1]['isConnected']" "2 running True"
code 0 lab logs good --only laba --lines 50
grep -q 'laba worker 1: .*the worker ended with 137; it is started again in 5 s' out || fail "the log does not say so"
running

say "a worker and its supervisor are killed: start mends it"
kill -9 "$(cut -d' ' -f1 "$(folder b)/hosts/$here/worker-1.supervisor")" "$(of labb "w[1]['process']")"
until_is labb "w[1]['state']" gone
code 0 lab start good
grep -q 'laba: runs already' err && grep -q 'labb: 1 worker started' err || { cat err >&2; fail "not only labb was started"; }
until_is labb "w[1]['isConnected']" True
running

say "another program: start refuses, update replaces it one machine after the other"
cp "$quintet" "$work/other"
echo >> "$work/other"
program=$work/other
code 1 lab start good
grep -q 'quintet lab update replaces them' err || fail "what replaces them is not said"
( fewest=3; while [ ! -e updated ]; do n=$(connected); [ "$n" -ge "$fewest" ] || fewest=$n; echo "$fewest" > fewest; sleep 0.2; done ) &
counter=$!
SECONDS=0
code 0 lab update good
touch updated
wait $counter
echo "   $SECONDS s; of 3 workers at least $(cat fewest) were connected"
[ "$(cat fewest)" -ge 1 ] || fail "all workers were away at once"
version=$(sha256sum "$work/other" | cut -c1-12)
for host in laba labb; do
    until_is $host "all('$version' in w['version'] and w['isConnected'] for w in h['workers'])" True
done
[ "$(ls "$(folder a)/versions" | wc -l)" = 2 ] || fail "the version before is gone"
code 0 lab update good
[ "$(grep -c 'is up to date' err)" = 2 ] || fail "a second update is not idle"
running

say "an update that fails ends before the next machine"
cp "$work/other" "$work/third"
echo >> "$work/third"
program=$work/third
stopped=$(of laba "w[2]['process']")
before=$(of labb "w[1]['process']")
kill -STOP "$stopped"
code 1 lab update good
kill -CONT "$stopped"
cat out err | grep -v copying | sed 's/^/   /'
grep -q "laba: refused: worker 2 (process [0-9]*) did not leave within 30 s" err && grep -qx 'not touched: labb' out \
    || fail "the failure is not named so"
[ "$(of labb "w[1]['process']")" = "$before" ] || fail "labb was touched"
for _ in $(seq 60); do [ -z "$(pgrep -u quintet-a -x quintet)" ] && break; sleep 0.5; done
code 0 lab update good
until_is laba "[w['isConnected'] for w in h['workers']]" '[True, True]'
running

say "Ctrl-C amidst a copy"
cat > slow.py << 'EOF'
# 20 MB/s from here to PORT: so that a copy takes its time.
import socket, sys, threading, os, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def back():
    while (data := s.recv(65536)): os.write(1, data)
    os._exit(0)
threading.Thread(target=back, daemon=True).start()
while (data := os.read(0, 65536)):
    s.sendall(data)
    time.sleep(len(data) / 20e6)
s.shutdown(socket.SHUT_WR)
time.sleep(60)
EOF
cp "$work/third" "$work/fourth"
echo >> "$work/fourth"
versions=$(ls "$(folder b)/versions")
"$work/fourth" lab update good --only labb \
    --ssh "ssh -F $work/config -o 'ProxyCommand=python3 $work/slow.py %p'" > out 2> err & copy=$!
for _ in $(seq 200); do [ "$(stat -c %s "$(folder b)/versions/.$here.tmp" 2> /dev/null || echo 0)" -gt 5000000 ] && break; sleep 0.05; done
[ -e "$(folder b)/versions/.$here.tmp" ] || fail "the copy has not begun"
SECONDS=0
kill -INT $copy
got=0
wait $copy || got=$?
[ "$got" = 130 ] && grep -q interrupted err || { cat out err >&2; fail "it ended with $got"; }
for _ in $(seq 50); do [ -e "$(folder b)/versions/.$here.tmp" ] || break; sleep 0.1; done
[ "$(ls -A "$(folder b)/versions")" = "$versions" ] || fail "something is left: $(ls -A "$(folder b)/versions")"
echo "   gone within $((SECONDS + 1)) s, and nothing is left there"
[ -n "$(of labb "w[1]['isConnected']")" ] || fail "labb's worker is gone"
running

say "compared"
wait $client || fail "the training failed"
wait $calm || fail "the undisturbed training failed"
for replica in 0 1 2; do cmp calm/replica-$replica.safetensors storm/replica-$replica.safetensors; done
"$quintet" status --history --json | grep -o '"outcome" *: *"[a-z ]*"' | sort | uniq -c

say "stop"
code 3 lab stop hosts
grep -q 'laba: workers 1, 2 left' err && grep -q 'labb: worker 1 left' err || { cat err >&2; fail "not all have left"; }
for name in a b; do
    [ -z "$(pgrep -u "quintet-$name" || true)" ] || fail "left there: $(ps -u "quintet-$name" -o args=)"
done
[ "$(connected)" = 0 ] || fail "the coordinator still has workers"
code 0 lab status good --json
say "passed: three replicas have the undisturbed run's bytes"
