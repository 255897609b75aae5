/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCUMENT_RECORD_H
#define DOCUMENT_RECORD_H

#include "core/request.h"

/* Everything on record about one ready version of a model, gathered for documents about it:
 *   tenant project project_description policy
 *   version     {node kind name number id state digest size description asset_description tags
 *                manifest created_by created_at ready_at files: [{path size sha256}]}
 *   job         {id spec requested_by created_at started_at finished_at}, or null
 *   inputs      of the job, like version
 *   sources     [{node kind sha256}]: what else led to it, of the same project
 *   approvals   [{id action subject alias state required requested_by reason evidence_digest
 *                 subject_digest created_at closed_at
 *                 decisions: [{by verdict reason evidence_digest at}]}]
 *   deployments [{id endpoint approval from until by}]
 * Times are RFC 3339. Nothing in it depends on when it is asked for. ERR_NOT_FOUND for no such
 * version; owned by the arena. */
MUST_CHECK enum err record_of(struct db *db, const char *project, const char *model, int64_t number,
                              json_t **out);

/* A document about the version, made from its record. */
struct document {
    const json_t *record;
    const char *url; /* what the service is reached by */
    struct arena *arena;
    json_t *missing; /* names of what should be on record and is not */
};

/* Each gives a new object. It is complete only when nothing is missing. */
json_t *document_cyclonedx(struct document *d); /* CycloneDX 1.6 with a model card */
json_t *document_spdx(struct document *d);      /* SPDX 3.0.1, AI and Dataset profiles */
json_t *document_slsa(struct document *d);      /* in-toto Statement v1, SLSA provenance v1 */
json_t *document_approval(struct document *d);  /* in-toto Statement v1, our own predicate */
json_t *document_dossier(struct document *d);   /* EU AI Act, Annex IV */

/* A dossier as one page that needs nothing else and prints well. */
void dossier_html(const json_t *dossier, struct text *out);

/* A text member; "" for none. */
const char *record_text(const json_t *object, const char *member);
/* A time without its fraction of a second. */
const char *record_second(struct arena *a, const char *time);
void document_lacks(struct document *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
