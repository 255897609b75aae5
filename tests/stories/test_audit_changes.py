# SPDX-License-Identifier: Apache-2.0
"""An entry of a change says what differs: member by member, before and after."""
import subprocess

from service import BUILD, DATA, PASSWORD


def newest(world, action):
    entry = world["auditor"].ok("GET", f"/v1/audit?action={action}&outcome=ok&limit=1")["value"][0]
    assert "fault" not in entry
    return entry


def changes(world, action):
    return {c["path"]: (c["before"], c["after"]) for c in newest(world, action).get("changes", [])}


def test_projects_and_their_policy(world):
    admin = world.admin
    admin.ok("PUT", "/v1/projects/walnut", {"description": "one"})
    assert changes(world, "put_project") == {}, "what is new has no before"
    admin.ok("PUT", "/v1/projects/walnut", {"description": "two"})
    assert changes(world, "put_project")["description"] == ("one", "two")
    admin.ok("PATCH", "/v1/projects/walnut", {"description": "three"})
    assert changes(world, "patch_project")["description"] == ("two", "three")
    policy = admin.ok("GET", "/v1/projects/credit/policy")
    admin.ok("PUT", "/v1/projects/credit/policy", policy | {"approval_hours": 48})
    shown = changes(world, "put_project_policy")
    assert shown["policy.approval_hours"] == (policy["approval_hours"], 48) and "description" not in shown
    admin.ok("DELETE", "/v1/projects/walnut")
    shown = changes(world, "delete_project")
    assert shown["description"] == ("three", None) and shown["name"] == ("walnut", None)


def test_assets_versions_tags_and_aliases(world):
    scientist = world["data-scientist"]
    at = "/v1/projects/credit/datasets/pecan"
    scientist.ok("PUT", at, {"description": "one", "tags": {"a": "1"}})
    scientist.ok("PATCH", at, {"description": "two", "tags": {"a": "2", "b": "3"}})
    shown = changes(world, "patch_asset")
    assert shown["description"] == ("one", "two")
    assert shown["tags.a"] == ("1", "2") and shown["tags.b"] == (None, "3")
    scientist.ok("DELETE", at + "/tags/b")
    shown = changes(world, "delete_asset_tag")
    assert shown["tags.b"] == ("3", None) and "description" not in shown
    numbers = [scientist.upload_dataset("credit", "pecan", DATA / "iris.csv")["number"] for _ in range(2)]
    scientist.ok("PATCH", f"{at}/versions/{numbers[0]}", {"description": "clean"})
    assert changes(world, "patch_version")["description"] == ("", "clean")
    scientist.ok("PUT", f"{at}/versions/{numbers[0]}/tags/season", {"value": "dry"})
    assert changes(world, "put_version_tag")["tags.season"] == (None, "dry")
    for number in numbers:
        scientist.ok("PUT", at + "/aliases/newest", {"version": number})
    assert changes(world, "put_alias")["version"] == tuple(numbers)
    scientist.ok("DELETE", at + "/aliases/newest")
    assert changes(world, "delete_alias")["version"] == (numbers[1], None)
    assert scientist.patch(at, {"description": "x" * 3000}).status_code == 400
    refused = world["auditor"].ok("GET", "/v1/audit?action=patch_asset&outcome=invalid&limit=1")["value"][0]
    assert "changes" not in refused, "what was refused changed nothing"
    owner = world["project-owner"]
    owner.ok("DELETE", at)
    assert changes(world, "delete_asset")["name"] == ("pecan", None)


def test_users_roles_groups_and_settings(world):
    admin = world.admin
    admin.ok("POST", "/v1/users", {"name": "clerk", "password": PASSWORD, "display_name": "One"})
    admin.ok("PATCH", "/v1/users/clerk", {"display_name": "Two", "password": PASSWORD + "-new"})
    entry = newest(world, "patch_user")
    assert {c["path"] for c in entry["changes"]} == {"display_name"} and PASSWORD not in str(entry)
    binding = admin.ok("POST", "/v1/bindings", {"principal": "clerk", "role": "reader", "scope": "project",
                                                "project": "credit"})
    admin.ok("DELETE", f"/v1/bindings/{binding['id']}")
    assert changes(world, "delete_binding")["role"] == ("reader", None)
    for text in ("one", "two"):
        admin.ok("PUT", "/v1/roles/porter", {"description": text, "actions": ["projects/read"], "scopes": ["project"]})
    assert changes(world, "put_role")["description"] == ("one", "two")
    admin.ok("DELETE", "/v1/roles/porter")
    assert changes(world, "delete_role")["description"] == ("two", None)
    admin.ok("POST", "/v1/groups", {"name": "porters"})
    admin.ok("DELETE", "/v1/groups/porters")
    assert changes(world, "delete_group")["name"] == ("porters", None)
    admin.ok("PUT", "/v1/mfa-policy", {"required": False, "max_age": 700})
    admin.ok("PUT", "/v1/mfa-policy", {"required": False, "max_age": 900})
    assert changes(world, "put_mfa_policy") == {"max_age": (700, 900)}


def test_endpoints(world):
    deployer = world["deployer"]
    for text in ("one", "two"):
        deployer.ok("PUT", "/v1/projects/credit/endpoints/score", {"description": text})
    assert changes(world, "put_endpoint")["description"] == ("one", "two")
    deployer.ok("DELETE", "/v1/projects/credit/endpoints/score")
    assert changes(world, "delete_endpoint")["description"] == ("two", None)


def test_the_client_prints_them(world):
    entry = newest(world, "put_endpoint")
    out = subprocess.run([BUILD / "chancery", "audit", "show", entry["id"]], capture_output=True, text=True,
                         env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CHANCERY_URL": world.service.url,
                              "CHANCERY_CA": world.service.ca, "CHANCERY_TOKEN": world["auditor"].token})
    assert out.returncode == 0, out.stderr
    assert ["description", "one", "two"] in [line.split() for line in out.stdout.splitlines()], out.stdout
