# SPDX-License-Identifier: Apache-2.0
"""Forgetting what entries say: one person's, or all that are old; the log still proves itself."""
import subprocess
import time

from service import BUILD, PATIENCE, person


def entries(client, query=""):
    found, path = [], "/v1/audit?limit=1000&" + query
    while path:
        page = client.ok("GET", path)
        found += page["value"]
        path = page.get("nextLink")
    return found


def verified(world, folder, *flags):
    """An export by the client, proven offline."""
    common = ["--url", world.service.url, "--ca", world.service.ca, "--token", world["auditor"].token]
    environment = {"CHANCERY_CONFIG": str(folder) + ".json", "PATH": "/usr/bin:/bin", "CHANCERY_URL": world.service.url,
                   "CHANCERY_CA": world.service.ca, "CHANCERY_TOKEN": world["auditor"].token}
    del common
    out = subprocess.run([BUILD / "chancery", "audit", "export", folder], capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr
    (folder.parent / "vkey").write_text(world["auditor"].get("/v1/audit/log/vkey").text)
    return subprocess.run([BUILD / "chancery", "audit", "verify", folder, "--vkey", folder.parent / "vkey", *flags],
                          capture_output=True, text=True, env=environment)


def test_a_persons_words_are_erased_and_the_log_still_verifies(world, tmp_path):
    admin, auditor = world.admin, world["auditor"]
    mallory = person(world.service, admin, "mallory.smith", [("data-scientist", "credit")])
    mallory.ok("PUT", "/v1/projects/credit/datasets/diary", {"description": "the unmistakable okapi"})
    mallory.get("/v1/audit")
    kept = len(entries(auditor, "actor=the-data-scientist"))
    assert entries(auditor, "q=okapi")
    assert world["security-operator"].post("/v1/audit/erasures", {"principal": "mallory.smith", "reason": "x"}
                                           ).status_code == 403
    admin.ok("PATCH", "/v1/users/mallory.smith", {"display_name": "Okapi friend"})
    about = entries(auditor, "object=users/mallory.smith&action=patch_user")[0]
    assert about["object"] == "users/mallory.smith"
    asked = admin.ok("POST", "/v1/audit/erasures", {"principal": "mallory.smith", "reason": "GDPR art. 17"})
    assert asked["state"] == "pending" and entries(auditor, "q=okapi")
    decision = f"/v1/audit/erasures/{asked['id']}/decision"
    assert admin.post(decision, {"verdict": "approve"}).status_code == 403, "it takes another person"
    assert world["auditor"].post(decision, {"verdict": "approve"}).status_code == 403
    assert world.foreign_admin.post(decision, {"verdict": "approve"}).status_code == 404
    second = world["tenant-admin"]
    done = second.ok("POST", decision + "?wait=sequenced", {"verdict": "approve"})
    assert done["state"] == "approved" and second.post(decision, {"verdict": "reject"}).status_code == 409
    assert [e["state"] for e in second.ok("GET", "/v1/audit/erasures")["value"]] == ["approved"]
    about = auditor.ok("GET", f"/v1/audit/entries/{about['id']}")
    assert about["erased"] and about["object"].startswith("users/0") and "fault" not in about
    silent = entries(auditor, "actor=mallory.smith")
    assert done["erased"] >= len(silent) >= 3
    assert all(e["erased"] and e["detail"] is None and e["actor_name"] is None and "fault" not in e for e in silent)
    assert entries(auditor, "q=okapi") == [] and entries(auditor, "q=mallory") == []
    record = entries(auditor, "action=post_audit_erasure_decision&outcome=ok")[0]
    assert {e["id"] for e in silent} <= set(record["statement"].split("\n")[1:]) and "mallory" not in str(record)
    request = entries(auditor, "action=post_audit_erasure&outcome=ok")[0]
    assert request["detail"]["detail"]["reason"] == "GDPR art. 17" and "mallory" not in str(request)
    assert len(entries(auditor, "actor=the-data-scientist")) == kept
    check = auditor.ok("GET", "/v1/audit/check")
    assert check["faults"] == 0 and check["complete"]
    proof = verified(world, tmp_path / "log", "--payloads")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert f"{done['erased']} are erased" in proof.stdout + proof.stderr
    assert auditor.get(f"/v1/audit/entries/{silent[0]['id']}/proof").status_code == 200


def test_leaves_name_nobody(world):
    """Not in what they were about either: the tree keeps its leaves for ever."""
    admin = world.admin
    quokka = person(world.service, admin, "quokka.jones", [("reader", "credit")])
    admin.post("/v1/groups", {"name": "marsupials"})
    admin.ok("POST", "/v1/groups/marsupials/members", {"principal": "quokka.jones"})
    quokka.post("/v1/me/password", {"current": "no", "new": "no"})
    world.service.client().post("/v1/login", {"tenant": "acme", "user": "quokka.jones", "password": "wrong"})
    world.service.client().post("/v1/login", {"tenant": "acme", "user": "quokka.jons", "password": "wrong"})
    told = [e["object"] for e in entries(world["auditor"]) if "quokka" in str(e["object"])]
    assert {"users/quokka.jones", "groups/marsupials/quokka.jones", "bindings/quokka.jones/reader"} <= set(told)
    assert "quokka" not in world.service.sql("SELECT string_agg(leaf || coalesce(object, ''), '') FROM chancery.audit_entry")
    assert entries(world["auditor"], "object=users/quokka.jones")


def test_an_erasure_that_is_rejected_erases_nothing(world):
    asked = world.admin.ok("POST", "/v1/audit/erasures", {"principal": "the-reader", "reason": "by mistake"})
    done = world["tenant-admin"].ok("POST", f"/v1/audit/erasures/{asked['id']}/decision", {"verdict": "reject"})
    assert done["state"] == "rejected" and "erased" not in done
    own = world.admin.ok("POST", "/v1/audit/erasures", {"principal": "the-tenant-admin", "reason": "about the second"})
    refused = world["tenant-admin"].post(f"/v1/audit/erasures/{own['id']}/decision", {"verdict": "approve"})
    assert refused.status_code == 403, "nobody decides about their own"


def test_nobody_is_erased_who_is_not_there(world):
    assert world.admin.post("/v1/audit/erasures", {"principal": "nobody-here", "reason": "x"}).status_code == 404
    assert world.foreign_admin.post("/v1/audit/erasures", {"principal": "the-reader", "reason": "x"}).status_code == 404
    assert not any(e["erased"] for e in entries(world["auditor"], "actor=the-reader"))


def test_payloads_can_be_erased_and_nothing_else(world):
    """Not by the service's role, and by nobody into other words."""
    owner = ("SET ROLE chancery_owner; SELECT set_config('app.tenant', (SELECT tenant_id::text FROM chancery.tenant"
             " LIMIT 1), false); ")
    for role, statement in (("chancery_app", "UPDATE chancery.audit_payload SET sealed = NULL"),
                            ("postgres", "UPDATE chancery.audit_payload SET sealed = NULL"),
                            ("postgres", owner + "UPDATE chancery.audit_payload SET sealed = 'x'"),
                            ("postgres", "DELETE FROM chancery.audit_payload"),
                            ("chancery_app", "UPDATE chancery.audit_subject_key SET wrapped = NULL, destroyed_at = now()"),
                            ("postgres", owner + "UPDATE chancery.audit_subject_key SET subject = 'x'"),
                            ("postgres", "DELETE FROM chancery.audit_subject_key"),
                            ("chancery_app", "DELETE FROM chancery.audit_root"),
                            ("postgres", "UPDATE chancery.audit_root SET wrapped = NULL")):
        out = subprocess.run(["psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", world.service.socket(), "-U", role, "-d",
                              "chancery"], input=statement, capture_output=True, text=True, cwd="/")
        assert out.returncode != 0, f"{role} may: {statement}"
        assert any(w in out.stderr for w in ("append-only", "permission denied", "only be erased", "only be destroyed")), out.stderr


def test_old_payloads_go_by_policy_which_says_so(world):
    admin, auditor, sql = world.admin, world["auditor"], world.service.sql
    for body in ({"days": 179}, {"days": 0}, {}):
        assert admin.put("/v1/audit/retention/change", body).status_code == 400
    assert admin.put("/v1/audit/retention/other", {"days": 400}).status_code == 404
    assert auditor.put("/v1/audit/retention/change", {"days": 400}).status_code == 403
    old = "action = 'post_binding' AND outcome = 'ok'"
    sql("SET session_replication_role = replica; UPDATE chancery.audit_entry SET at = now() - interval '300 days'"
        f" WHERE {old}")
    left = (f"SELECT count(*) FROM chancery.audit_entry JOIN chancery.audit_payload USING (tenant_id, id) WHERE {old}"
            " AND sealed IS NOT NULL AND tenant_id = (SELECT tenant_id FROM chancery.tenant WHERE name = 'acme')")
    before = int(sql(left))
    assert before >= 5
    admin.ok("PUT", "/v1/audit/retention/change", {"days": 400})
    time.sleep(2)
    assert int(sql(left)) == before
    admin.ok("PUT", "/v1/audit/retention/change", {"days": 200})
    end = time.monotonic() + PATIENCE
    while int(sql(left)) and time.monotonic() < end:
        time.sleep(0.2)
    assert int(sql(left)) == 0
    record = entries(auditor, "action=audit_retention")[0]
    assert record["detail"]["detail"] == {"class": "change", "erased": before} and "fault" not in record
    change = [e for e in entries(auditor, "action=put_audit_retention&outcome=ok")][0]
    assert change["changes"] == [{"path": "days", "before": 400, "after": 200}]
    assert auditor.ok("GET", "/v1/audit/retention")["value"] == [{"class": "change", "days": 200}]
    admin.ok("DELETE", "/v1/audit/retention/change")
    assert auditor.ok("GET", "/v1/audit/retention")["value"] == []
    assert sql("SELECT min(days) FROM chancery.audit_retention").strip() == ""
