#!/usr/bin/env bash
# Listens to the loopback interface while an archive is segmented by a coordinator, a worker and a client, and looks
# for the token and for voxels in what went over it. Twice: with a token nothing may be found; without one the voxels
# must be, or the search would prove nothing. Needs root (a raw socket) and python3; installs nothing.
# usage: cluster/capture.sh        after: make build
set -euo pipefail
cd "$(dirname "$0")/.."
quintet=${QUINTET:-$PWD/.build/release/quintet}
[ -x "$quintet" ] || { echo "capture.sh: there is no $quintet; run: make build" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "capture.sh: a raw socket needs root" >&2; exit 1; }
command -v python3 >/dev/null || { echo "capture.sh: python3 is missing: apt-get install python3" >&2; exit 1; }
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

"$quintet" phantom --out phantoms --count 2 --diseased 1 --spacing 5,4,4 --quiet
"$quintet" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --spacing 8,7,7 --plane 32,48 \
    --quiet > /dev/null
"$quintet" train --data data --run run --replicas 1 --iterations 4 --slab 8 --channels 4,8 --strides 2 --batch 1 \
    --quiet > /dev/null
"$quintet" token new token

# One cluster at work, with every packet of its port written to a file.
session() { # NAME [--token-file token]
    local name=$1
    shift
    rm -f port
    "$quintet" coordinator --state "state-$name" --listen 127.0.0.1:0 --port-file port "$@" > "$name.coordinator" 2>&1 &
    local coordinator=$!
    pids+=("$coordinator")
    for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
    local port
    port=$(tr -d '[:space:]' < port)
    python3 "$script" record "$port" "$name.packets" &
    local recorder=$!
    pids+=("$recorder")
    for _ in $(seq 50); do [ -e "$name.packets" ] && break; sleep 0.1; done
    "$quintet" worker --coordinator "127.0.0.1:$port" --cache "cache-$name" "$@" > "$name.worker" 2>&1 &
    local worker=$!
    pids+=("$worker")
    "$quintet" segment --run run --in phantoms/diseased --masks phantoms/lungs --out "masks-$name" \
        --coordinator "127.0.0.1:$port" "$@" --quiet > "$name.client" 2>&1 ||
        { cat "$name.client" >&2; exit 1; }
    kill "$worker" "$coordinator"
    wait "$worker" "$coordinator" || true
    sleep 0.5
    kill "$recorder"
    wait "$recorder" 2>/dev/null || true
}

script=$work/packets.py
cat > "$script" << 'PYTHON'
import base64, os, signal, socket, struct, sys

def record(port, path):
    """Every TCP payload from and to the port on the loopback interface, one behind the other by connection."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
    raw.bind(("lo", 0))
    raw.settimeout(0.2)
    running = True
    def end(*_):
        nonlocal running
        running = False
    signal.signal(signal.SIGTERM, end)
    with open(path, "wb") as file:
        while running:
            try:
                packet, address = raw.recvfrom(1 << 17)
            except socket.timeout:
                continue
            if address[2] == socket.PACKET_OUTGOING or packet[12:14] != b"\x08\x00" or packet[23] != 6:
                continue
            header = 14 + 4 * (packet[14] & 15)
            source, target = struct.unpack("!HH", packet[header:header + 4])
            if port not in (source, target):
                continue
            total = struct.unpack("!H", packet[16:18])[0]
            body = packet[header + 4 * (packet[header + 12] >> 4):(14 + total) if total else len(packet)]
            if body:
                sequence = struct.unpack("!I", packet[header + 4:header + 8])[0]
                file.write(struct.pack("!HHII", source, target, sequence, len(body)) + body)

def streams(path):
    flows, data = {}, open(path, "rb").read()
    position = 0
    while position < len(data):
        source, target, sequence, count = struct.unpack("!HHII", data[position:position + 12])
        flows.setdefault((source, target), {})[sequence] = data[position + 12:position + 12 + count]
        position += 12 + count
    return [b"".join(parts[key] for key in sorted(parts)) for parts in flows.values()]

def search(path, token, files):
    """How many of the needles are found: the token's forms, and pieces of the files that were sent."""
    haystack = streams(path)
    text = open(token).read().strip()
    key = bytes.fromhex(text)
    forms = [text.encode(), text.upper().encode(), key, base64.b64encode(key).rstrip(b"=")]
    pieces = []
    for name in files:
        content = open(name, "rb").read()
        step = max(64, len(content) // 200)
        pieces += [content[at:at + 32] for at in range(64, len(content) - 32, step)]
    hits = lambda needles: sum(any(needle in stream for stream in haystack) for needle in needles)
    return sum(map(len, haystack)), len(haystack), hits(forms), len(forms), hits(pieces), len(pieces), \
        sum(stream.count(b"QNTT") for stream in haystack)

if sys.argv[1] == "record":
    record(int(sys.argv[2]), sys.argv[3])
else:
    count, flows, keys, key_count, found, wanted, marks = search(sys.argv[2], sys.argv[3], sys.argv[4:])
    print(f"{count} bytes in {flows} directions; token found {keys} of {key_count} forms; "
          f"voxels found {found} of {wanted} pieces; protocol's mark found {marks} times")
    # Everything crosses the wire at least once: less than that was not listened to, and proves nothing.
    sent = sum(os.path.getsize(name) for name in sys.argv[4:])
    if count < sent:
        print(f"only {count} bytes were recorded of at least {sent} that were sent")
        sys.exit(4)
    sys.exit(0 if (found == 0 and keys == 0 and marks == 0) else 3)
PYTHON

sent=(phantoms/diseased/*.nii.gz phantoms/lungs/diseased-*.nii.gz run/replica-0.safetensors)
session open
session closed --token-file token
code=0
echo -n "without a token: "
python3 "$script" search open.packets token "${sent[@]}" || code=$?
[ "$code" = 3 ] || { echo "capture.sh: the search does not even find what is sent in the open" >&2; exit 1; }
echo -n "with a token:    "
python3 "$script" search closed.packets token "${sent[@]}" ||
    { echo "capture.sh: something that should be secret was found, or nothing was listened to" >&2; exit 1; }
cmp -s masks-open/diseased-00.nii.gz masks-closed/diseased-00.nii.gz ||
    { echo "capture.sh: the two answers differ" >&2; exit 1; }
echo "the answers of both are the same"
