# SPDX-License-Identifier: Apache-2.0
"""Entries open under the installation's key only: without it nothing is recorded, with it all comes back."""
import secrets
import subprocess

from lifecycle_support import forget, new_home
from service import BUILD, Service, settled
from test_audit_privacy import entries


def test_without_its_key_nothing_is_recorded_and_nothing_changes():
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    service = Service(None, environment={"CHANCERY_KEK": old})

    def again(kek):
        service.stop()
        service.environment["CHANCERY_KEK"] = kek
        service.start()

    try:
        service.start()
        owner = settled(service)
        owner.ok("PUT", "/v1/projects/store/models/m?wait=sequenced", {"description": "written under the old"})
        told = entries(owner.admin, "q=written")
        assert len(told) == 1
        again(new)
        reply = owner.put("/v1/projects/store/models/n", {})
        assert reply.status_code == 503 and reply.json()["error"]["code"] == "unavailable", reply.text
        assert "does not open under any key of the installation" in service.log()
        assert owner.get("/v1/projects/store").status_code == 200, "what is not recorded goes on"
        assert owner.admin.get("/v1/audit").status_code == 503
        again(f"{new},{old}")
        assert owner.get("/v1/projects/store/models/n").status_code == 404, "nothing was changed"
        assert entries(owner.admin, "q=written") == told
        assert owner.admin.ok("POST", "/v1/tenant-key/rewrap", data=b"") == {"changed": True}
        assert owner.admin.ok("POST", "/v1/tenant-key/rewrap", data=b"") == {"changed": False}
        again(new)
        assert entries(owner.admin, "q=written") == told
        owner.ok("PUT", "/v1/projects/store/models/n?wait=sequenced", {"description": "under the new"})
        assert owner.admin.ok("GET", "/v1/audit/check")["faults"] == 0
    finally:
        service.close()


def test_a_backup_brings_the_keys_along():
    service, top = Service().start(), new_home()
    try:
        owner = settled(service)
        owner.ok("PUT", "/v1/projects/store/models/m?wait=sequenced", {"description": "saved wombat"})
        told = entries(owner.admin, "q=wombat")
        archive = top.parent / "backup.tar"
        done = subprocess.run([BUILD / "chanceryd", "backup", "--home", service.home / "home", "--with-key", archive],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        service.stop()
        restored = Service(None)
        done = subprocess.run([BUILD / "chanceryd", "restore", "--home", restored.home / "home", archive], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        try:
            restored.start()
            admin = restored.client(owner.admin.token, "acme")
            assert entries(admin, "q=wombat") == told
            admin.ok("PUT", "/v1/projects/store?wait=sequenced", {"description": "goes on"})
            assert admin.ok("GET", "/v1/audit/check")["faults"] == 0
        finally:
            restored.close()
    finally:
        service.close()
        forget(top)
