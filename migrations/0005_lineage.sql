-- The provenance graph: nodes for everything that has a history, immutable edges for what made what.
-- Edges have no foreign keys: their ends are looked up by the statement that writes them, nodes are never deleted, and
-- every prediction would lock its deployment's node.

CREATE TABLE lineage_node (
    tenant_id  uuid        NOT NULL,
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    kind       text        NOT NULL CONSTRAINT lineage_node_kind CHECK (kind IN
               ('dataset-version', 'model-version', 'job', 'approval', 'deployment', 'prediction')),
    name       text        NOT NULL CONSTRAINT lineage_node_name CHECK (octet_length(name) BETWEEN 1 AND 512),
    project    text        NOT NULL,
    digest     bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lineage_node_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT lineage_node_by_name UNIQUE (tenant_id, name)
);
COMMENT ON TABLE lineage_node IS 'Append-only. name is the path of the thing: projects/credit/models/risk/versions/3.';
CALL tenant_table('lineage_node', 'SELECT, INSERT');
CALL append_only('lineage_node');

CREATE TABLE lineage_edge (
    tenant_id   uuid        NOT NULL,
    src         bigint      NOT NULL,
    dst         bigint      NOT NULL,
    kind        text        NOT NULL CONSTRAINT lineage_edge_kind CHECK (kind IN ('consume', 'produce', 'approve', 'deploy', 'predict')),
    at          timestamptz NOT NULL DEFAULT now(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    request_id  uuid,
    CONSTRAINT lineage_edge_key PRIMARY KEY (tenant_id, src, dst, kind) INCLUDE (at),
    CONSTRAINT lineage_edge_loop CHECK (src <> dst)
);
COMMENT ON TABLE lineage_edge IS 'Append-only: src is upstream of dst. at is when it happened, recorded_at when we knew, request_id ties it to its audit entry.';
CREATE INDEX lineage_edge_back ON lineage_edge (tenant_id, dst) INCLUDE (src, kind, at);
CALL tenant_table('lineage_edge', 'SELECT, INSERT');
CALL append_only('lineage_edge');
