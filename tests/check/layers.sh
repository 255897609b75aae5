#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes point down only: core < lineage < auth < registry < compute < service. The engine knows the
# ground floor's pure part only, the command line the proofs as well.
set -eu
bad=0
deny() { # FOLDER PATTERN [grep options]
    folder=$1 pattern=$2
    shift 2
    if grep -rnE "$@" --include='*.[ch]' --include='*.def' "#include \"($pattern)" "$folder"; then
        echo "layers: $folder may not include that" >&2
        bad=1
    fi
}
deny core 'lineage/|auth/|registry/|compute/|service/|clients/'
deny lineage 'auth/|registry/|compute/|service/|clients/'
deny auth 'registry/|compute/|service/|clients/'
deny registry 'compute/|service/|clients/'
deny compute 'service/|clients/'
deny service 'clients/'
deny compute/engine 'core/(db|row|request|route|config|service)\.h|lineage/|auth/|registry/|compute/(endpoint|handlers|inspection|job|job_end|job_run|job_spec|job_work|launch|oip|runner|serving|spawn|work)\.'
deny clients 'core/(db|row|request|route|config|service)\.h|auth/|registry/|compute/|service/|lineage/(audit|sequencer|log|edge|graph/|document/)'
exit $bad
