#!/usr/bin/env bash
# `make test-packages`: installs the Debian package in a bare Debian, runs the demo there as an ordinary user, and takes
# it away again; then the tarball likewise, unpacked. Needs root, the network and half a gigabyte of disk.
#     cluster/package/test.sh [SUITE]      default: bookworm; Ubuntu's jammy and noble are known, too
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${1:-bookworm}
package=$(ls "$top"/dist/quintet_*.deb)
tarball=$(ls "$top"/dist/quintet-*.tar.gz)
command -v debootstrap > /dev/null || { echo "test.sh: debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }
root=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
chmod 755 "$root"
mounted=()
clean() {
    for place in "${mounted[@]}"; do umount -l "$place" || true; done
    rm -rf --one-file-system "$root"
}
trap clean EXIT
say() { echo "== $*"; }
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root "$@"; }

say "a bare $suite"
bare=("$suite" "$root")
case $suite in
jammy | noble)
    # The libraries are in universe, this debootstrap may be older than the suite, and Debian has no keys of Ubuntu: the
    # first packages are taken on trust, for a root that is thrown away.
    bare=(--components=main,universe --no-check-gpg "$suite" "$root" "" gutsy) ;;
esac
debootstrap --variant=minbase "${bare[@]}" > "$root.log" 2>&1 || { tail -5 "$root.log" >&2; exit 1; }
rm -f "$root.log"
for place in proc dev; do
    mount --rbind "/$place" "$root/$place"
    mount --make-rslave "$root/$place"
    mounted+=("$root/$place")
done
cp /etc/resolv.conf "$root/etc/resolv.conf" 2> /dev/null || true
before=$(inside find / -xdev \( -path /proc -o -path /dev -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
    -o -path /var/lib/apt -o -path /tmp \) -prune -o -print | sort)

say "installed"
cp "$package" "$root/tmp/quintet.deb"
inside apt-get install -y -qq --no-install-recommends /tmp/quintet.deb > /dev/null
inside quintet --version
inside sh -c '! command -v swift'
inside id quintet
inside test -f /usr/lib/systemd/system/quintet-worker.service
inside test -s /usr/share/man/man1/quintet-train.1.gz
[ "$(inside stat -c '%U %a' /var/lib/quintet)" = "quintet 700" ]

say "the demo, by an ordinary user"
inside useradd -m somebody
inside su somebody -c 'cd && quintet demo --out demo --quiet && ls demo && quintet apply --help > /dev/null'

say "a coordinator and a worker by the package's own user and token, as their units start them"
inside sh -c 'quintet token new /etc/quintet/token && chown quintet:quintet /etc/quintet/token'
inside su quintet -s /bin/sh -c '
    set -e
    export QUINTET_TOKEN_FILE=/etc/quintet/token
    quintet coordinator --state /var/lib/quintet --listen 127.0.0.1:0 --port-file /var/lib/quintet/port --quiet &
    coordinator=$!
    while [ ! -s /var/lib/quintet/port ]; do sleep 0.1; done
    export QUINTET_COORDINATOR=127.0.0.1:$(cat /var/lib/quintet/port)
    quintet worker --cache /var/cache/quintet --quiet &
    worker=$!
    tries=0
    until quintet status --json | grep -q "\"isConnected\":true"; do
        tries=$((tries + 1)); [ $tries -lt 100 ] || { quintet status; exit 1; }
        sleep 0.2
    done
    quintet status | head -3
    kill -TERM $worker && wait $worker
    kill -TERM $coordinator && wait $coordinator'

say "removed: state and token stay"
inside apt-get remove -y -qq quintet > /dev/null
inside test -f /etc/quintet/token
inside sh -c '! command -v quintet'

say "purged: nothing stays"
inside apt-get purge -y -qq quintet > /dev/null
inside apt-get autoremove -y -qq > /dev/null
inside userdel -r somebody 2> /dev/null
after=$(inside find / -xdev \( -path /proc -o -path /dev -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
    -o -path /var/lib/apt -o -path /tmp \) -prune -o -print | sort)
left=$(comm -13 <(echo "$before") <(echo "$after") | grep -vE '^/etc/(ld.so.cache|.*-)$|^/usr/lib/ssl|^/etc/ssl|^/var/lib/(pam|systemd)|^/run/' || true)
[ -z "$left" ] || { echo "test.sh: left behind:" >&2; echo "$left" >&2; exit 1; }

say "the tarball, unpacked by an ordinary user, beside Debian's libraries"
inside apt-get install -y -qq --no-install-recommends libniftiio2 libsqlite3-0 libssl3 > /dev/null
inside useradd -m somebody
cp "$tarball" "$root/home/somebody/quintet.tar.gz"
inside su somebody -c 'cd && tar xzf quintet.tar.gz && quintet-*/bin/quintet --version'
say "passed"
