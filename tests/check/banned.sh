#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A rule exists only if a program checks it: functions we never call, TRY where it may not stand, SQL
# that is put together, files and folders that outgrew their idea, licence lines.
set -eu
bad=0
sources=$(git ls-files '*.c' '*.h' | grep -v '^tests/')
complain() { echo "banned: $1" >&2; bad=1; }
# shellcheck disable=SC2086
grep -nE '(^|[^a-zA-Z_>.])(strcpy|strcat|sprintf|strncpy|strtok|atoi|atol|atof|gets|alloca|strerror|localtime|gmtime|rand|system|popen)\(' $sources | grep -vE '^(core/log\.c|clients/)' &&
    complain "a function of the list in tests/check/banned.sh"
# shellcheck disable=SC2086
grep -nE '(PQexec|PQexecParams|PQsendQuery|PQsendQueryParams)\(' $sources | grep -v '^service/' | grep -v '^core/db' &&
    complain "statements are prepared: use QUERY"
for f in $(git ls-files '*.c' '*.h' '*.def' '*.sh' '*.py' Makefile); do
    [ -s "$f" ] || continue
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$f has no licence line"
done
for f in $sources; do
    lines=$(wc -l <"$f")
    [ "$lines" -le 500 ] || complain "$f has $lines lines (500)"
done
for f in */README.md [!t]*/*/README.md; do
    lines=$(wc -l <"$f")
    [ "$lines" -le 60 ] || complain "$f has $lines lines (60)"
done
git grep -nIE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.py' '*.sql' && complain "unfinished work"
exit $bad
