# SPDX-License-Identifier: Apache-2.0
"""The catalogue lint: every rule finds what it is for, by name, and a start refuses each finding."""
import re

import pytest

from lifecycle_support import ROOT, forget, new_home, refused, run, serving, sql

TENANT_TABLE = ("CREATE TABLE chancery.bad (tenant_id uuid NOT NULL, id int, PRIMARY KEY (tenant_id, id));"
                " ALTER TABLE chancery.bad ENABLE ROW LEVEL SECURITY;"
                " ALTER TABLE chancery.bad FORCE ROW LEVEL SECURITY;"
                " CREATE POLICY p ON chancery.bad USING (tenant_id = (SELECT chancery.current_tenant()))"
                " WITH CHECK (tenant_id = (SELECT chancery.current_tenant()));")
DROP = "DROP TABLE IF EXISTS chancery.worse, chancery.bad CASCADE"
FUNCTION = ("CREATE FUNCTION chancery.bad() RETURNS int LANGUAGE sql SECURITY DEFINER{}"
            " AS 'SELECT 1'; COMMENT ON FUNCTION chancery.bad() IS '{}'")

# rule: (what makes the finding, the name it must give, what unmakes it)
WRONGS = {
    "T1": ("CREATE TABLE chancery.bad (tenant_id uuid PRIMARY KEY)", "bad", DROP),
    "T2": (TENANT_TABLE + "ALTER TABLE chancery.bad NO FORCE ROW LEVEL SECURITY", "bad", DROP),
    "T3": ("CREATE TABLE chancery.bad (id int); COMMENT ON TABLE chancery.bad IS 'not global'", "bad", DROP),
    "T4": (TENANT_TABLE + "DROP POLICY p ON chancery.bad; CREATE POLICY p ON chancery.bad"
           " USING (tenant_id = (SELECT chancery.current_tenant()))", "p on bad", DROP),
    "T5": (TENANT_TABLE + "CREATE POLICY open ON chancery.bad FOR SELECT USING (true)", "open on bad", DROP),
    "T6": ("CREATE TABLE chancery.bad (tenant_id uuid)", "bad", DROP),
    "V1": ("CREATE VIEW chancery.bad AS SELECT * FROM chancery.tenant", "bad", "DROP VIEW chancery.bad"),
    "V2": ("CREATE MATERIALIZED VIEW chancery.bad AS SELECT * FROM chancery.tenant;"
           " GRANT SELECT ON chancery.bad TO chancery_app", "bad", "DROP MATERIALIZED VIEW chancery.bad"),
    "F1": (FUNCTION.format(" SET search_path = chancery, pg_temp", "just so"), "bad()",
           "DROP FUNCTION chancery.bad"),
    "F2": (FUNCTION.format("", "definer: a test"), "bad()", "DROP FUNCTION chancery.bad"),
    "K1": (TENANT_TABLE + "ALTER TABLE chancery.bad ADD CONSTRAINT half UNIQUE (id);"
           " CREATE TABLE chancery.worse (tenant_id uuid NOT NULL, id int CONSTRAINT half_key"
           " REFERENCES chancery.bad (id))", "half_key on worse", DROP),
    "U1": (TENANT_TABLE + "CREATE UNIQUE INDEX everywhere ON chancery.bad (id)", "everywhere", DROP),
    "S1": ("CREATE SEQUENCE chancery.bad; GRANT SELECT ON chancery.bad TO chancery_app", "bad",
           "DROP SEQUENCE chancery.bad"),
    "P1": (TENANT_TABLE + "GRANT TRUNCATE ON chancery.bad TO chancery_app", "TRUNCATE on bad", DROP),
    "P2": ("GRANT CREATE ON SCHEMA chancery TO chancery_app", "chancery",
           "REVOKE CREATE ON SCHEMA chancery FROM chancery_app"),
    "R1": ("ALTER ROLE chancery_app BYPASSRLS", "chancery_app", "ALTER ROLE chancery_app NOBYPASSRLS"),
    "R2": ("GRANT chancery_owner TO chancery_app", "chancery_owner",
           "REVOKE chancery_owner FROM chancery_app"),
    "R3": (TENANT_TABLE + "ALTER TABLE chancery.bad OWNER TO chancery_app", "bad", DROP),
}


@pytest.fixture(scope="module")
def home():
    path = new_home()
    with serving(path):
        yield path
    forget(path)


def findings(home):
    """[(rule, name)] of a lint, which every migrate runs."""
    done = run("migrate", "--home", home)
    found = re.findall(r"catalogue lint (\w+): .*: (.*)", done.stderr)
    assert done.returncode == (1 if found else 0), done.stderr
    return found


def test_every_rule_has_a_story():
    rules = re.findall(r'^RULE\("(\w+)"', (ROOT / "service" / "lint.def").read_text(), re.M)
    assert sorted(rules) == sorted(WRONGS)


def test_the_schema_itself_is_clean(home):
    assert findings(home) == []


@pytest.mark.parametrize("rule", WRONGS)
def test_rule(home, rule):
    make, name, unmake = WRONGS[rule]
    sql(home, make)
    try:
        found = findings(home)
    finally:
        sql(home, unmake)
    assert (rule, name) in found
    assert findings(home) == []


def test_exceptions_are_comments(home):
    sql(home, "CREATE TABLE chancery.bad (id int); COMMENT ON TABLE chancery.bad IS 'global: a test'")
    assert findings(home) == []
    sql(home, DROP + ";" + TENANT_TABLE + "CREATE UNIQUE INDEX everywhere ON chancery.bad (id);"
        " COMMENT ON INDEX chancery.everywhere IS 'global: a test'")
    assert findings(home) == []
    sql(home, DROP)


def test_a_start_on_a_finding_is_refused():
    home = new_home()
    with serving(home):
        sql(home, "CREATE TABLE chancery.bad (tenant_id uuid PRIMARY KEY)")
    said = refused(home)
    assert "catalogue lint T1" in said and ": bad" in said
    forget(home)
