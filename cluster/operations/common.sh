# What the scripts beside it share; read by them, not run. SQLITE names another sqlite3.
# Messages of cp and sha256sum are read.
export LC_ALL=C
sqlite=${SQLITE:-sqlite3}
name=${0##*/}
fail() { echo "$name: $*" >&2; exit 1; }
say() { echo "$name: $*"; }
usage() { sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "$0" >&2; exit 2; }

command -v "$sqlite" > /dev/null || fail "sqlite3 is missing: apt-get install sqlite3"

# Of a database that a coordinator may be writing to: waits for it rather than fail.
sql() { "$sqlite" -batch -noheader -cmd '.timeout 10000' "$@"; }

check_state() {
    [ -f "$1/state.sqlite" ] || fail "$1 is no coordinator's state folder: it holds no state.sqlite"
    # "QNTT", which the coordinator writes into the file's header.
    [ "$(sql "$1/state.sqlite" 'PRAGMA application_id')" = 1364087892 ] || fail "$1/state.sqlite is not Quintet's"
}

is_in_use() { [ -e "$1/lock" ] && ! flock --nonblock "$1/lock" true; }

# The digests of the blobs that a database refers to; files that lie elsewhere have no copy in the state folder.
digests() { sql "$1" 'SELECT digest FROM blobs WHERE external_path IS NULL ORDER BY digest'; }

# Digests on standard input as paths below blobs/.
as_paths() { sed 's|^\(..\)|\1/\1|'; }

# In the database $1: runs and pieces of work get numbers that no earlier coordinator has given. A coordinator counts
# from 1; a client or worker that waits for a run of a lost state would take another of the same number for its own.
# Minutes since 2026 are further than one run a minute comes, and a run has at most three million pieces of work.
number_from_now() {
    local minutes=$((($(date +%s) - 1767225600) / 60))
    sql "$1" "UPDATE numbers SET last_run = max(last_run + 1, $minutes), last_work = last_work + $minutes * 3000000"
    say "new runs are numbered from $(sql "$1" 'SELECT last_run + 1 FROM numbers')"
}
