#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make docker/secrets once: a random password for PostgreSQL, and the configuration that uses it. The
# directory is for its owner only; the files inside can be read by the users of the containers.
set -eu
cd "$(dirname "$0")"
if [ -e secrets ]; then
    echo "docker/secrets is there already" >&2
    exit 1
fi
umask 077
mkdir secrets
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$password" > secrets/postgres_password
printf 'database = postgresql://postgres:%s@postgres:5432/chancery\n' "$password" > secrets/chancery.conf
chmod 0444 secrets/postgres_password secrets/chancery.conf
