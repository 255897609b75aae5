-- Counts the tags of an asset in the database, so that one can be set without reading the others first.

ALTER TABLE asset ADD CONSTRAINT asset_tags_count
    CHECK (jsonb_array_length(jsonb_path_query_array(tags, '$.keyvalue()', '{}', true)) <= 100);
