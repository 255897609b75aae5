#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh FILE.sql…: the migrations as C initialisers {name, text}, in the order given. Refuses names
# that are not NNNN_words.sql, gaps in the numbers, and bytes that C text cannot carry as they are.
set -eu
number=0
for file in "$@"; do
    name=${file##*/}
    number=$((number + 1))
    case $name in
    [0-9][0-9][0-9][0-9]_[a-z]*.sql) ;;
    *) echo "$file: not of the form NNNN_words.sql" >&2; exit 1 ;;
    esac
    if [ "${name%%_*}" != "$(printf %04d "$number")" ]; then
        echo "$file: number $(printf %04d "$number") is missing" >&2; exit 1
    fi
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$file"; then
        echo "$file: has control characters" >&2; exit 1
    fi
    if ! head -n 1 "$file" | grep -q '^-- .'; then
        echo "$file: the first line must be a comment that says its purpose" >&2; exit 1
    fi
    printf '{"%s",\n' "$name"
    # '?' too: C17 still knows trigraphs.
    sed -e 's/\\/\\\\/g; s/"/\\"/g; s/?/\\?/g; s/\t/\\t/g; s/^/ "/; s/$/\\n"/' "$file"
    printf '},\n'
done
