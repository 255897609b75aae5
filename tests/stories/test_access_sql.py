# SPDX-License-Identifier: Apache-2.0
"""The evaluator against one SQL statement that joins everything with everything, on random worlds.

ACCESS_QUESTIONS=1000000 asks as many; 50,000 otherwise.
"""
import os
import subprocess

import pytest
from service import BUILD

COUNT = int(os.environ.get("ACCESS_QUESTIONS", "50000"))

LOAD = r"""
CREATE TEMP TABLE raw (n bigserial, line jsonb);
\copy raw (line) from '{path}' with (format csv, quote E'\x01', delimiter E'\x02')
CREATE TEMP TABLE numbered AS SELECT n, line, count(*) FILTER (WHERE line ? 'world') OVER (ORDER BY n) AS w FROM raw;
CREATE TEMP TABLE world AS SELECT w, line -> 'world' AS d FROM numbered WHERE line ? 'world';
CREATE TEMP TABLE role AS SELECT (r.n - 1)::int AS role, a.v::int AS action
  FROM raw, jsonb_array_elements(line -> 'roles') WITH ORDINALITY r(v, n), jsonb_array_elements(r.v) a(v) WHERE line ? 'roles';
CREATE TEMP TABLE person AS SELECT w, (x.n - 1)::int AS p, (x.v ->> 'active')::bool AND (d ->> 'active')::bool AS active,
  (x.v ->> 'owner')::int AS owner FROM world, jsonb_array_elements(d -> 'principals') WITH ORDINALITY x(v, n);
CREATE TEMP TABLE asset AS SELECT w, (x.n + 4)::int AS scope, (x.v ->> 'project')::int + 2 AS project,
  (x.v ->> 'level')::int AS level FROM world, jsonb_array_elements(d -> 'assets') WITH ORDINALITY x(v, n);
CREATE TEMP TABLE member AS SELECT w, m.* FROM world, jsonb_to_recordset(d -> 'members')
  AS m("group" int, principal int, child int, "from" bigint, until bigint);
CREATE TEMP TABLE shared AS SELECT w, s.* FROM world, jsonb_to_recordset(d -> 'shares') AS s(scope int, "with" int, whole bool);
CREATE TEMP TABLE given AS SELECT w, g.* FROM world, jsonb_to_recordset(d -> 'grants')
  AS g(principal int, "group" int, scope int, role int, kind text, level int, "from" bigint, until bigint);
CREATE TEMP TABLE question AS SELECT n, w, (line -> 'q' ->> 0)::int AS p, (line -> 'q' ->> 1)::int AS action,
  (line -> 'q' ->> 2)::int AS scope, (line -> 'q' ->> 3)::bigint AS now, (line ->> 'allowed')::bool AS allowed
  FROM numbered WHERE line ? 'q';
CREATE INDEX ON given (w); CREATE INDEX ON member (w); CREATE INDEX ON asset (w, scope); ANALYZE;
"""

ASK = """
WITH RECURSIVE inside (w, "group", principal, f, u, depth) AS (
    SELECT w, "group", principal, "from", until, 1 FROM member WHERE principal >= 0
    UNION ALL
    SELECT m.w, m."group", i.principal, greatest(m."from", i.f), least(m.until, i.u), i.depth + 1
      FROM inside i JOIN member m ON m.w = i.w AND m.child = i."group" WHERE i.depth < 5),
held AS (
    SELECT g.w, g.principal AS p, g.scope, g.role, g.kind, g.level, g."from" AS f, g.until AS u FROM given g WHERE "group" = -1
    UNION ALL SELECT g.w, x.p, g.scope, g.role, g.kind, g.level, g."from", g.until FROM given g JOIN person x ON x.w = g.w
     WHERE "group" = -2
    UNION ALL SELECT g.w, i.principal, g.scope, g.role, g.kind, g.level, greatest(g."from", i.f), least(g.until, i.u)
      FROM given g JOIN inside i ON i.w = g.w AND i."group" = g."group"),
counted AS (
    SELECT q.n, bool_or(h.kind = 'allow' AND (h.level < 0 OR coalesce(a.level, 0) <= h.level)) AS allow,
           bool_or(h.kind = 'deny') AS deny, bool_or(h.kind = 'ceiling') AS under
      FROM question q LEFT JOIN asset a ON a.w = q.w AND a.scope = q.scope
      JOIN held h ON h.w = q.w AND h.p = q.p AND q.now >= h.f AND q.now < h.u
       AND (h.scope = q.scope OR h.scope = 0 OR (h.scope = 1 AND q.scope >= 2) OR h.scope = a.project)
      JOIN role r ON r.role = h.role AND r.action = q.action
     GROUP BY q.n),
reading AS (SELECT a::int AS action FROM raw, jsonb_array_elements_text(line -> 'reads') AS a WHERE line ? 'reads'),
through AS (
    SELECT x.n, bool_or(x.allow AND NOT x.deny) AS allow FROM (
        SELECT q.n, s."with", bool_or(h.kind = 'allow' AND (h.level < 0 OR a.level <= h.level)) AS allow, bool_or(h.kind = 'deny') AS deny
          FROM question q JOIN reading g ON g.action = q.action
          JOIN (SELECT DISTINCT w, scope, "with" FROM shared WHERE whole) s ON s.w = q.w AND s.scope = q.scope
          JOIN asset a ON a.w = q.w AND a.scope = q.scope
          JOIN held h ON h.w = q.w AND h.p = q.p AND h.scope = s."with" AND q.now >= h.f AND q.now < h.u
          JOIN role r ON r.role = h.role AND r.action = q.action GROUP BY q.n, s."with") x GROUP BY x.n),
answered AS (
    SELECT q.n, q.allowed, x.active AND coalesce(o.active, true) AND (coalesce(c.allow, false) OR coalesce(t.allow, false)) AND NOT coalesce(c.deny, false)
           AND (coalesce(c.under, false) OR NOT EXISTS (SELECT FROM given k WHERE k.w = q.w AND k.kind = 'ceiling'
                AND k.principal = q.p)) AS naive
      FROM question q JOIN person x ON x.w = q.w AND x.p = q.p LEFT JOIN person o ON o.w = q.w AND o.p = x.owner
      LEFT JOIN counted c ON c.n = q.n LEFT JOIN through t ON t.n = q.n)
SELECT count(*), count(*) FILTER (WHERE allowed), count(*) FILTER (WHERE naive IS DISTINCT FROM allowed),
       (SELECT count(*) FROM through WHERE allow) FROM answered;
"""


@pytest.mark.parametrize("seed", range(-(-COUNT // 100000)))
def test_sql_gives_the_same_answer_to_every_question(service, tmp_path, seed):
    count = min(COUNT, 100000)
    path = tmp_path / "questions"
    with open(path, "wb") as out:
        subprocess.run([BUILD / "tests/tools/ask_policy", str(count), str(seed), "shares"], stdout=out, check=True)
    for place in (path, *path.parents[:3]):
        place.chmod(0o755)
    asked, allowed, differ, shared = service.sql(LOAD.replace("{path}", str(path)) + ASK).strip().split("|")
    assert (int(asked), int(differ)) == (count, 0)
    assert int(allowed) > count // 40 and int(shared) > count // 2000
