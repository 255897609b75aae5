# SPDX-License-Identifier: Apache-2.0
"""Finding entries: filters, words, pages, exports of what was found, changes, and the live tail."""
import csv
import io
import json
import threading
import time

import pytest
from service import PATIENCE


@pytest.fixture(scope="module")
def story(world):
    admin = world.admin
    for i in range(30):
        admin.ok("PUT", f"/v1/projects/amber-{i}", {"description": f"quarterly zeppelin report {i}"})
    admin.ok("PUT", "/v1/projects/formula", {"description": "=cmd('calc')"})
    assert world["reader"].put("/v1/projects/amber-1", {}).status_code in (403, 404)
    admin.ok("PUT", "/v1/projects/last?wait=sequenced", {"description": "a lone walrus"})
    return world


def find(client, query):
    found, path = [], "/v1/audit?" + query
    while path:
        page = client.ok("GET", path)
        found += page["value"]
        path = page.get("nextLink")
    return found


def test_words_are_found_in_what_entries_say(story):
    auditor = story["auditor"]
    assert len(find(auditor, "q=zeppelin&limit=7")) == 30
    assert len(find(auditor, 'q="zeppelin report 17"')) == 1
    assert len(find(auditor, "q=zeppelin -17")) == 29
    assert [e["object"] for e in find(auditor, "q=walrus")] == ["projects/last"] or len(find(auditor, "q=walrus")) == 1
    assert find(auditor, "q=nowhere") == []
    assert len(find(auditor, "q=zeppelin&actor=admin&outcome=ok")) == 30
    assert find(auditor, "q=zeppelin&actor=the-reader") == []


def test_words_are_found_after_they_were_gathered_too(story):
    end = time.monotonic() + PATIENCE
    behind = ("SELECT count(*) FROM chancery.audit_log l LEFT JOIN chancery.audit_text_head h USING (tenant_id)"
              " WHERE l.size > coalesce(h.size, 0)")
    while story.service.sql(behind).strip() != "0" and time.monotonic() < end:
        time.sleep(0.2)
    assert story.service.sql(behind).strip() == "0"
    assert len(find(story["auditor"], "q=zeppelin")) == 30
    plan = story.service.sql("SET search_path = chancery; SET enable_seqscan = off; EXPLAIN SELECT seq FROM audit_text"
                             " WHERE words @@ 'zeppelin'")
    assert "audit_text_words" in plan


def test_another_tenants_words_are_not_found(story):
    assert find(story.foreign_admin, "q=zeppelin") == []
    assert story["reader"].get("/v1/audit?q=zeppelin").status_code == 403


def test_the_filter_is_exported_as_json_lines(story):
    for reply in (story["auditor"].get("/v1/audit/export?q=zeppelin&order=asc"),
                  story["auditor"].get("/v1/audit/export?q=zeppelin&order=asc&format=jsonl")):
        assert reply.status_code == 200 and reply.headers["Content-Type"] == "application/jsonl"
        lines = [json.loads(line) for line in reply.text.splitlines()]
        assert lines == find(story["auditor"], "q=zeppelin&order=asc")
    record = find(story["auditor"], "action=get_audit_export&limit=1")[0]
    assert record["detail"]["detail"]["count"] == 30


def test_the_filter_is_exported_as_csv(story):
    auditor = story["auditor"]
    by_header = auditor.get("/v1/audit/export?action=put_project&order=asc", headers={"Accept": "text/csv"})
    reply = auditor.get("/v1/audit/export?action=put_project&order=asc&format=csv")
    assert reply.content == by_header.content and reply.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    entries = find(auditor, "action=put_project&order=asc")
    assert [r["id"] for r in rows] == [e["id"] for e in entries]
    assert [json.loads(r["detail"]) for r in rows] == [e["detail"] for e in entries]
    assert not [v for r in rows for v in r.values() if v and v[0] in "=+-@"]
    assert auditor.get("/v1/audit/export?format=xml").status_code == 400
    assert story["reader"].get("/v1/audit/export").status_code == 403


def test_an_export_is_larger_than_a_page(story):
    lines = story["auditor"].get("/v1/audit/export").text.splitlines()
    assert len(lines) >= len(find(story["auditor"], "limit=1000")) - 2 > 60


def test_the_tail_tells_entries_as_they_come(story):
    auditor, got, started = story["auditor"], [], threading.Event()

    def listen():
        reply = auditor.session.get(story.service.url + "/v1/audit/tail", stream=True, timeout=PATIENCE,
                                    headers={"Authorization": "Bearer " + auditor.token})
        started.set()
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        for line in reply.iter_lines():
            if line.startswith(b"data: "):
                got.append(json.loads(line[6:]))
            if len([e for e in got if e["action"] == "put_project"]) == 3:
                reply.close()
                return

    thread = threading.Thread(target=listen)
    thread.start()
    assert started.wait(PATIENCE)
    for i in range(3):
        story.admin.ok("PUT", f"/v1/projects/live-{i}", {})
    thread.join(PATIENCE)
    assert not thread.is_alive()
    indexes = [e["index"] for e in got]
    assert indexes == list(range(indexes[0], indexes[0] + len(indexes)))
    again = auditor.session.get(story.service.url + "/v1/audit/tail", stream=True, timeout=PATIENCE,
                                headers={"Authorization": "Bearer " + auditor.token, "Last-Event-ID": str(indexes[0])})
    first = next(line for line in again.iter_lines() if line.startswith(b"id: "))
    again.close()
    assert first == b"id: %d" % (indexes[0] + 1)
