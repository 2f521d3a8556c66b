#!/usr/bin/env bash
# A throw-away TimescaleDB (Apache edition, Debian's own package) for the tests.
#
#   timescaledb.sh start DIR [PORT]   a fresh cluster each time; prints the superuser URL, also into DIR/url
#   timescaledb.sh stop DIR           ends everything that runs in DIR; the tree stays for next time
#
# bookworm has no TimescaleDB package, trixie has: the server lives in a trixie tree below DIR and runs
# chrooted as that tree's postgres user. Invariants: only DIR/tree is ever removed; only processes whose
# root directory is DIR/tree are ever signalled; nothing listens beyond loopback.
set -euo pipefail
umask 022 # the tree's own users must be able to read it

readonly SUITE=trixie
readonly PG_MAJOR=17
readonly PACKAGES=("postgresql-$PG_MAJOR" "postgresql-$PG_MAJOR-timescaledb")
readonly RECIPE="1 $SUITE ${PACKAGES[*]}"     # a tree made by another recipe is made again
readonly PG_BIN=/usr/lib/postgresql/$PG_MAJOR/bin
readonly CLUSTER=/var/lib/postgresql/twinfeed # inside the tree
readonly TREE_MAX_DAYS=30                     # then it is made again, for Debian's updates
readonly START_WAIT_S=60
readonly STOP_WAIT_S=30

say() { printf 'timescaledb: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Every command in the tree: no host environment, no stdin.
in_tree() {
    chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive HOME=/ "$@" </dev/null
}

as_postgres() { in_tree runuser -u postgres -- "$@"; }

tree_pids() {
    local proc
    for proc in /proc/[0-9]*; do
        if [[ $(readlink "$proc/root" 2>/dev/null) == "$tree" ]]; then
            echo "${proc#/proc/}"
        fi
    done
}

# Deepest first, so that a mount inside a mount goes before it.
unmount_tree() {
    local at
    awk -v below="$tree/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r |
        while read -r at; do umount "$at" || umount --lazy "$at"; done
}

# The postmaster is asked first (SIGINT: fast shutdown with a checkpoint), the rest is killed.
stop_server() {
    local postmaster pid pids tick
    mapfile -t pids < <(tree_pids)
    postmaster=$(head -n 1 "$tree$CLUSTER/postmaster.pid" 2>/dev/null || true)
    for pid in "${pids[@]}"; do
        if [[ $pid == "$postmaster" ]]; then kill -INT "$pid" 2>/dev/null || true; fi
    done
    for ((tick = 0; tick < STOP_WAIT_S * 10; tick++)); do
        if [[ -z $postmaster || ! -d /proc/$postmaster ]]; then break; fi
        if [[ $(readlink "/proc/$postmaster/root" 2>/dev/null) != "$tree" ]]; then break; fi
        sleep 0.1
    done
    for pid in $(tree_pids); do
        say "killing process $pid, which did not stop"
        kill -KILL "$pid" 2>/dev/null || true
    done
    unmount_tree
}

# The marker is written last: an interrupted build is never taken for a tree.
build_tree() {
    if [[ $(cat "$dir/tree.complete" 2>/dev/null) == "$RECIPE" &&
        -z $(find "$dir/tree.complete" -mtime "+$TREE_MAX_DAYS") ]]; then return; fi
    local log=$dir/build.log
    say "making a $SUITE tree with ${PACKAGES[*]} in $dir (a minute or two; log: $log)"
    rm -rf --one-file-system "$dir/tree.complete" "$tree"
    if ! make_tree >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "the $SUITE tree could not be made"
    fi
    echo "$RECIPE" >"$dir/tree.complete"
}

# One && chain, because bash ignores `set -e` in the condition that calls this.
make_tree() {
    debootstrap --variant=minbase --force-check-gpg "$SUITE" "$tree" &&
        printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d" &&
        chmod 755 "$tree/usr/sbin/policy-rc.d" &&
        echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/unsafe-io" &&
        mkdir -p "$tree/etc/postgresql-common" &&
        echo 'create_main_cluster = false' >"$tree/etc/postgresql-common/createcluster.conf" &&
        in_tree apt-get -q update &&
        in_tree apt-get -q install -y --no-install-recommends "${PACKAGES[@]}" &&
        in_tree apt-get clean
}

# A new cluster with PostgreSQL's defaults, but for fsync: the tests count what survives a kill of a process,
# which needs none.
make_cluster() {
    local port=$1 password=$2
    rm -rf --one-file-system "$tree$CLUSTER"
    (umask 077 && echo "$password" >"$tree/tmp/password")
    in_tree chown postgres /tmp/password
    as_postgres "$PG_BIN/initdb" --pgdata="$CLUSTER" --username=postgres --pwfile=/tmp/password \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log"
    rm -f "$tree/tmp/password"
    # Each test database with the extension holds a scheduler: PostgreSQL's 8 workers would run out.
    cat >>"$tree$CLUSTER/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
fsync = off
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
max_worker_processes = 40
timescaledb.max_background_workers = 24
CONF
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    local port=${1:-} password log=$CLUSTER/server.log
    stop_server # what a killed run left behind
    mkdir -p "$dir"
    build_tree
    chmod 1777 "$tree/dev/shm" # PostgreSQL's shared memory; debootstrap leaves it to root
    port=${port:-$(free_port)}
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    make_cluster "$port" "$password"
    if ! as_postgres "$PG_BIN/pg_ctl" --pgdata="$CLUSTER" --log="$log" --wait \
        --timeout="$START_WAIT_S" start >/dev/null; then
        tail -n 30 "$tree$log" >&2
        die "the server did not start"
    fi
    say "running on port $port (log: $tree$log)"
    (umask 077 && echo "postgresql://postgres:$password@127.0.0.1:$port/postgres" >"$dir/url")
    cat "$dir/url"
}

if [[ $# -lt 2 || ! $1 =~ ^(start|stop)$ ]]; then
    die "usage: timescaledb.sh start DIR [PORT] | stop DIR"
fi
if [[ $EUID -ne 0 ]]; then die "needs root: it makes a tree and chroots into it"; fi
dir=$(readlink -m "$2")
readonly dir tree=$dir/tree
case $1 in
    start) start "${3:-}" ;;
    stop) stop_server ;;
esac
