#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what is missing of Debian's packages: deps.sh build|test|peers|check|fuzz|bench…. Silent when nothing is.
set -eu
build="gcc make pkg-config libmicrohttpd-dev libpq-dev libssl-dev libjwt-dev libjansson-dev libopenblas-dev
    liblapacke-dev libcurl4-openssl-dev libgnutls28-dev libargon2-dev libseccomp-dev zlib1g-dev libp11-kit-dev postgresql"
test="python3 python3-pytest python3-requests python3-cryptography curl softhsm2 opensc strace"
# Not apache2, which would start a service of the machine.
peers="apache2-bin libapache2-mod-auth-openidc python3-authlib chromium chromium-driver"
check="clang-format clang-tidy cppcheck clang"
fuzz="clang libclang-rt-14-dev"
bench="python3-sklearn python3-numpy python3-pytest wrk postgresql-contrib"
wanted=
for group in "$@"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $build $test" ;;
    peers) wanted="$wanted $build $test $peers" ;;
    check) wanted="$wanted $build $check" ;;
    fuzz) wanted="$wanted $build $fuzz" ;;
    bench) wanted="$wanted $build $bench" ;;
    *) echo "deps.sh: no such group: $group" >&2; exit 2 ;;
    esac
done
missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
# The private cluster is the service's own: Debian's need not start.
$sudo mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
