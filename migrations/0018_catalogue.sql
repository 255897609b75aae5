-- The words of assets of every kind, for the catalogue's full text search.

ALTER TABLE asset ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    to_tsvector('simple', translate(name, '._-', '   ')) || to_tsvector('simple', name) || to_tsvector('simple', description)
    || jsonb_to_tsvector('simple', tags, '["key", "string"]')) STORED;
COMMENT ON COLUMN asset.search IS 'Words of name, description and tags.';
