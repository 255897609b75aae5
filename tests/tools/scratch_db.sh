#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A database of its own for one test program, with all migrations applied.
#   scratch_db.sh start        prints "HOST NAME DIR": connect as chancery_app, or as postgres to tamper
#   scratch_db.sh stop HOST NAME DIR
# Makes a throw-away cluster; with SCRATCH_PGHOST set (a socket directory where "postgres" may log in
# freely) only a database there, and DIR is "-".
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_owner() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$*"; else sh -c "$*"; fi; }

start() {
    dir=-
    host=${SCRATCH_PGHOST:-}
    name=scratch_$$
    if [ -z "$host" ]; then
        host=$(mktemp -d /tmp/chancery-db-XXXXXX)
        dir=$host
        [ "$(id -u)" != 0 ] || chown postgres "$dir"
        as_owner "$bin/initdb -D $dir/data -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8" >/dev/null
        as_owner "$bin/pg_ctl -D $dir/data -s -w -l $dir/log -o \"-c listen_addresses= -c fsync=${SCRATCH_FSYNC:-off} \
            -c unix_socket_directories=$dir -c timezone=UTC\" start" >/dev/null
    fi
    export PGHOST="$host" PGUSER=postgres
    psql -qXd postgres -c "CREATE DATABASE $name" >/dev/null
    for role in "chancery_owner" "chancery_app LOGIN"; do
        psql -qXd postgres -c "CREATE ROLE $role" >/dev/null 2>&1 || true
    done
    psql -qXd "$name" -v ON_ERROR_STOP=1 -c "CREATE SCHEMA chancery AUTHORIZATION chancery_owner" \
        -c "GRANT USAGE ON SCHEMA chancery TO chancery_app" \
        -c "ALTER DATABASE $name SET search_path = chancery" \
        -c "ALTER DATABASE $name SET timezone = 'UTC'"
    for file in migrations/*.sql; do
        { echo "SET ROLE chancery_owner;"; cat "$file"; } | psql -qX1d "$name" -v ON_ERROR_STOP=1 -f - >/dev/null
    done
    echo "$host $name $dir"
}

stop() {
    if [ "$3" = - ]; then
        psql -qX -h "$1" -U postgres -d postgres -c "DROP DATABASE $2 WITH (FORCE)"
        return
    fi
    as_owner "$bin/pg_ctl -D $3/data -s -m immediate stop"
    rm -rf "$3"
}

"$@"
