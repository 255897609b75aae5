#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main story, from an empty home to the proof of the log, told with the command line client.
# usage: demo.sh [BUILD]   (DEMO_KEEP=1 leaves the home for inspection)
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
data=$root/tests/data
work=$(mktemp -d "${TMPDIR:-/tmp}/chancery-demo-XXXXXX")
chmod 711 "$work" # the private database runs as a user of its own
home=$work/home
service=

# --- how the story is told ---------------------------------------------------------------------

say() { printf '   %s\n' "$*"; }
step() { printf '\n%s. %s\n' "$1" "$2"; }
show() { # the beginning, if it is long
    local lines
    lines=$(wc -l <"$1")
    sed "s/^/   | /; ${2:-16}q" "$1"
    [ "$lines" -le "${2:-16}" ] || printf '   | ... and %d lines more\n' $((lines - ${2:-16}))
}
fail() {
    printf '\ndemo: FAILED: %s\n' "$*" >&2
    [ ! -s "$work/service.log" ] || { echo "last lines of the service:" >&2 && tail -n 5 "$work/service.log" >&2; }
    exit 1
}

# as PERSON ARGUMENTS...: the client with that person's own profile.
as() {
    local person=$1
    shift
    CHANCERY_CONFIG=$work/$person.json "$build/chancery" "$@"
}

# done_by PERSON ARGUMENTS...: it must succeed; what it prints is shown and kept in $work/out.
done_by() {
    local person=$1
    shift
    if ! as "$person" "$@" >"$work/out" 2>"$work/err"; then
        cat "$work/out" "$work/err" >&2
        fail "$person could not: $*"
    fi
    say "$person: $*"
    show "$work/out"
}

# refused CODE PERSON ARGUMENTS...: it must be refused (exit code 1) for that reason.
refused() {
    local reason=$1 person=$2 code=0
    shift 2
    as "$person" "$@" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" = 1 ] || { cat "$work/out" "$work/err" >&2; fail "$person: $*: exit code $code where 1 was due"; }
    grep -q "^chancery: $reason: " "$work/err" || { cat "$work/err" >&2; fail "$person: $*: refused, but not for $reason"; }
    say "$person: $*"
    say "  refused, as it must be: $(sed 's/^chancery: //' "$work/err")"
}

# field NAME: a member of the object that the client printed as JSON on standard input.
field() { sed -n "s/^  \"$1\": \"\\{0,1\\}\\([^\",]*\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" | head -n 1; }
password() { head -c 18 /dev/urandom | base64; }
has() { grep -q -- "$1" "$work/out" || fail "this does not say \"$1\": $(cat "$work/out")"; }

# --- the service ---------------------------------------------------------------------------------

start() {
    rm -f "$home/runtime.json"
    "$build/chanceryd" serve --home "$home" --listen "$1" >>"$work/service.log" 2>&1 &
    service=$!
    for _ in $(seq 600); do
        [ ! -s "$home/runtime.json" ] || break
        kill -0 "$service" 2>/dev/null || fail "the service did not start"
        sleep 0.1
    done
    [ -s "$home/runtime.json" ] || fail "the service was not ready after a minute"
    CHANCERY_URL=$(sed 's/.*"url" *: *"\([^"]*\)".*/\1/' "$home/runtime.json" | head -n 1)
    CHANCERY_CA=$(sed 's/.*"ca" *: *"\([^"]*\)".*/\1/' "$home/runtime.json" | head -n 1)
    export CHANCERY_URL CHANCERY_CA
}

stop() {
    [ -n "$service" ] || return 0
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
    service=
}

finish() {
    stop
    if [ -n "${DEMO_KEEP:-}" ]; then echo "the home is in $work"; else rm -rf "$work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

# sequenced: wait until every entry so far is in the signed tree.
sequenced() {
    for _ in $(seq 200); do
        as auditor --json audit list --limit 1 >"$work/last"
        ! grep -q '"index": null' "$work/last" || { sleep 0.1; continue; }
        return 0
    done
    fail "the newest entry was not sequenced within 20 seconds"
}

# sign_up PERSON ROLE [OPTIONS...]: the admin makes a user and gives the role; they sign in.
sign_up() {
    local person=$1 role=$2 secret
    shift 2
    secret=$(password)
    CHANCERY_NEW_PASSWORD=$secret as admin --quiet user create "$person" >/dev/null
    as admin --quiet role grant "$person" "$role" "$@" >/dev/null
    CHANCERY_PASSWORD=$secret as "$person" login --tenant acme --user "$person" >/dev/null
    say "$person: $role${*:+ ($*)}"
}

# --- the story -------------------------------------------------------------------------------------

step 1 "An empty home: the first administrator, a project, four people with four roles"
start 127.0.0.1:0
listen=${CHANCERY_URL#https://}
code=$(sed 's/.*"bootstrap_code_file" *: *"\([^"]*\)".*/\1/' "$home/runtime.json" | head -n 1)
cp "$code" "$work/code"
CHANCERY_PASSWORD=$(password) done_by admin bootstrap --tenant acme --user admin --code-file "$work/code"
CHANCERY_PASSWORD=$(password) refused credentials intruder bootstrap --tenant evil --user intruder --code-file "$work/code"
done_by admin project create credit --description "Who may borrow"
sign_up scientist data-scientist --project credit
as admin --quiet role grant scientist approver --project credit >/dev/null
say "scientist: approver as well, which does not make their own work theirs to approve"
sign_up approver approver --project credit
sign_up deployer deployer --project credit
sign_up auditor auditor
export CHANCERY_PROJECT=credit
done_by admin project policy credit

step 2 "The scientist registers data: a digest and a schema, not a file name"
done_by scientist dataset upload "$data/breast_cancer.csv" --name cancer
has "schema of 569 rows"
has "diagnosis"
done_by scientist dataset upload "$data/diabetes.csv"
has "schema of 442 rows"
[ "$(as scientist --json dataset show cancer 1 | field digest)" ] || fail "the version has no digest"

step 3 "Training waits for a second pair of eyes, then runs and makes a model version"
as scientist --json job train --input cancer:1 --output risk --target diagnosis --trainer logistic \
    --seed 7 --test-fraction 0.25 >"$work/job"
job=$(field id <"$work/job")
[ "$(field state <"$work/job")" = waiting ] || fail "the job did not wait for approval"
say "scientist: job $job waits"
done_by approver approve list
train_request=$(as approver --quiet approve list)
[ "$(field approval <"$work/job")" = "$train_request" ] || fail "the job does not name the request it waits for"
refused four-eyes scientist approve accept "$train_request" --reason "it is fine, trust me"
done_by approver approve show "$train_request"
has "what is to be run"
done_by approver approve accept "$train_request" --reason "the data set is cleared for this use"
done_by scientist job watch "$job"
has "succeeded"
done_by scientist model show risk 1
has "accuracy"

step 4 "Promotion: evidence first, approval by another, and only then deployment"
done_by deployer endpoint create risk
refused unapproved deployer endpoint deploy risk risk 1
request=$(as scientist --quiet model promote risk 1 --alias production --reason "better than guessing")
say "scientist: asked for production, request $request"
refused four-eyes scientist approve accept "$request" --reason "mine"
done_by approver approve show "$request"
has "accuracy"
done_by approver approve accept "$request" --reason "the metrics hold"
done_by deployer endpoint deploy risk risk 1

step 5 "Inference: one row over the Open Inference Protocol, a whole dataset as a job"
done_by deployer predict risk "$data/breast_cancer.csv" --rows 3
has "models/risk/versions/1"
done_by scientist job predict --model risk:1 --input cancer:1 --output scores --watch
has "succeeded"
done_by scientist dataset show scores 1

step 6 "Revocation stops the endpoint at once, and a restart does not bring it back"
done_by approver approve revoke "$request" --reason "the data turned out to be biased"
refused http-403 deployer predict risk "$data/breast_cancer.csv" --rows 1 --model risk
refused unapproved deployer endpoint deploy risk risk 1
stop
start "$listen"
refused http-403 deployer predict risk "$data/breast_cancer.csv" --rows 1 --model risk
done_by deployer endpoint history risk
has "revoked"

step 7 "The auditor: where it came from, where it went, who did what, and proof that nobody edited that"
prediction=$(as auditor --json lineage downstream models/risk/versions/1 | grep -o 'projects/credit/predictions/[0-9a-f-]*' | head -n 1)
[ -n "$prediction" ] || fail "the prediction is not in the lineage"
done_by auditor lineage upstream "$prediction"
has "models/risk/versions/1"
has "datasets/cancer/versions/1"
has "approvals/$request"
has "approvals/$train_request"
done_by auditor lineage downstream datasets/cancer/versions/1
has "models/risk/versions/1"
done_by auditor lineage impact datasets/cancer/versions/1
has "risk"
sequenced
done_by auditor audit list --limit 8
done_by auditor audit export "$work/log"
cp "$work/log/vkey" "$work/vkey" # the auditor keeps the key apart from the log
done_by auditor audit verify "$work/log" --vkey "$work/vkey" --payloads
has "are proven"
say "somebody with the database's superuser makes a refused approval look granted:"
socket=$home/postgres/socket
[ ! -e "$home/postgres.socket_dir" ] || socket=$(cat "$home/postgres.socket_dir")
leaf=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d chancery <<'SQL'
SET session_replication_role = replica;
UPDATE chancery.audit_entry e SET leaf = replace(e.leaf, '"outcome":"four-eyes"', '"outcome":"ok"'), outcome = 'ok'
  FROM chancery.audit_leaf l
 WHERE l.tenant_id = e.tenant_id AND l.seq = e.seq AND e.outcome = 'four-eyes'
   AND e.seq = (SELECT min(seq) FROM chancery.audit_entry WHERE outcome = 'four-eyes')
RETURNING l.index;
SQL
)
[ -n "$leaf" ] || fail "there was no refused approval to tamper with"
say "leaf $leaf is rewritten"
as auditor audit export "$work/log2" >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "the second export failed"; }
code=0
as auditor audit verify "$work/log2" --vkey "$work/vkey" --payloads >"$work/out" 2>"$work/err" || code=$?
show "$work/out"
[ "$code" = 4 ] || fail "verification ended with $code where 4 was due"
has "^leaf $leaf: "
say "auditor: found, and named"
done_by auditor audit check
has "$leaf .* leaf"

step 8 "Another tenant on the same installation: everything of acme's is as if it were not there"
as admin --json tenant create globex | field bootstrap_code >"$work/code"
CHANCERY_PASSWORD=$(password) done_by globex bootstrap --tenant globex --user boss --code-file "$work/code"
done_by globex project create own

# absent WHAT PATH NOWHERE: a 404 that is byte for byte the one for what never was.
absent() {
    local code=0
    as globex api GET "$2" >"$work/there" 2>"$work/err" || code=$?
    [ "$code" = 1 ] && grep -q '^chancery: not-found: ' "$work/err" || fail "$1 is not a 404 for globex: $(cat "$work/err")"
    as globex api GET "$3" >"$work/nowhere" 2>/dev/null && fail "$3 is there"
    cmp -s "$work/there" "$work/nowhere" || fail "$1 is told apart from what never was: $(cat "$work/there")"
    say "globex: $1: 404, byte for byte as for what never was"
}
nobody=01900000-0000-7000-8000-000000000000
entry=$(as auditor --quiet audit list --limit 1)
deployment=$(as deployer --quiet endpoint history risk | head -n 1)
absent "the project" /v1/projects/credit /v1/projects/nowhere
absent "the dataset" /v1/projects/credit/datasets/cancer /v1/projects/nowhere/datasets/cancer
absent "the dataset's version" /v1/projects/credit/datasets/cancer/versions/1 /v1/projects/nowhere/datasets/x/versions/1
absent "the model" /v1/projects/credit/models/risk /v1/projects/nowhere/models/risk
absent "the model's file" /v1/projects/credit/models/risk/versions/1/files/model.onnx /v1/projects/nowhere/models/x/versions/1/files/y
absent "the endpoint" /v1/projects/credit/endpoints/risk /v1/projects/nowhere/endpoints/x
absent "the job" "/v1/projects/own/jobs/$job" "/v1/projects/own/jobs/$nobody"
absent "the job, in its project" "/v1/projects/credit/jobs/$job" "/v1/projects/nowhere/jobs/$nobody"
absent "the training request" "/v1/projects/own/approvals/$train_request" "/v1/projects/own/approvals/$nobody"
absent "the promotion request" "/v1/projects/own/approvals/$request" "/v1/projects/own/approvals/$nobody"
absent "the audit entry" "/v1/audit/entries/$entry" "/v1/audit/entries/$nobody"
absent "the proof of it" "/v1/audit/entries/$entry/proof" "/v1/audit/entries/$nobody/proof"
absent "the lineage" "/v1/lineage?node=projects/credit/models/risk/versions/1&direction=both" \
    "/v1/lineage?node=projects/nowhere/models/risk/versions/1&direction=both"
absent "the deployment" "/v1/lineage?node=projects/credit/endpoints/risk/deployments/$deployment&direction=both" \
    "/v1/lineage?node=projects/own/endpoints/x/deployments/$nobody&direction=both"
absent "the people" /v1/users/scientist /v1/users/nobody

printf '\ndemo: every step held\n'
