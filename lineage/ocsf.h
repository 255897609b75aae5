/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_OCSF_H
#define LINEAGE_OCSF_H

#include "lineage/audit_view.h"

/* An entry as an event of the Open Cybersecurity Schema Framework 1.3: class API Activity (6003).
 * The caller owns it. index is the leaf's. */
json_t *ocsf_event(const struct audit_view *v, const char *tenant_id, int64_t index,
                   const char *version);

#endif
