# SPDX-License-Identifier: Apache-2.0
"""Backups of a running service, and what it takes to start again from one."""
import hashlib
import os
import stat
import subprocess
import tarfile

import pytest

from lifecycle_support import forget, new_home, refused, run, serving, sql

TENANT = "0197a000-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def origin():
    """A running service with a tenant, a blob, and two archives of it."""
    home = new_home()
    blob = os.urandom(200_000)
    digest = hashlib.sha256(blob).hexdigest()
    with serving(home) as service:
        sql(home, f"INSERT INTO chancery.tenant (tenant_id, name) VALUES ('{TENANT}', 'kept')")
        place = home / "blobs" / TENANT / digest[:2]
        place.mkdir(parents=True)
        (place / digest).write_bytes(blob)
        for name, switches in (("plain", []), ("whole", ["--with-key"])):
            done = run("backup", "--home", home, *switches, home.parent / f"{name}.tar")
            assert done.returncode == 0, done.stderr
        assert service.is_ready()
        service.blob = (place.relative_to(home) / digest, blob)
        yield service
    forget(home)


@pytest.fixture
def home():
    path = new_home()
    yield path
    forget(path)


def archive(origin, name):
    return origin.home.parent / f"{name}.tar"


def check_restored(home, origin):
    path, blob = origin.blob
    assert (home / path).read_bytes() == blob
    with serving(home) as service:
        assert service.is_ready()
        assert sql(home, "SELECT name FROM chancery.tenant") == "kept"
        assert not (home / "bootstrap.code").exists()
        assert service.runtime["bootstrap_code_file"] is None


def test_an_archive_is_for_its_owner_and_lacks_the_key(origin):
    path = archive(origin, "plain")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        names = tar.getnames()
    assert {"manifest.json", "database.dump", "blobs"} <= set(names)
    assert str(origin.blob[0]) in names
    assert "secret.key" not in names
    with tarfile.open(archive(origin, "whole")) as tar:
        assert "secret.key" in tar.getnames()


def test_nothing_is_left_in_the_home(origin):
    assert not list(origin.home.glob("backup.*"))


def test_an_archive_with_its_key_restores_alone(origin, home):
    done = run("restore", "--home", home, archive(origin, "whole"))
    assert done.returncode == 0, done.stderr
    check_restored(home, origin)


def test_an_archive_without_key_needs_the_key_beforehand(origin, home):
    done = run("restore", "--home", home, archive(origin, "plain"))
    assert done.returncode == 1 and "has no key file" in done.stderr
    forget(home)

    home = new_home()
    home.mkdir(mode=0o711)
    (home / "secret.key").write_bytes((origin.home / "secret.key").read_bytes())
    (home / "secret.key").chmod(0o600)
    done = run("restore", "--home", home, archive(origin, "plain"))
    assert done.returncode == 0, done.stderr
    check_restored(home, origin)
    forget(home)


def test_a_foreign_key_is_refused(origin, home):
    home.mkdir(mode=0o711)
    (home / "secret.key").write_bytes(os.urandom(32))
    (home / "secret.key").chmod(0o600)
    done = run("restore", "--home", home, archive(origin, "plain"))
    assert done.returncode == 1 and "not the one the archive was made with" in done.stderr


def test_a_home_in_use_is_not_restored_into(origin, home):
    done = run("restore", "--home", origin.home, archive(origin, "whole"))
    assert done.returncode == 1 and "served by another process" in done.stderr
    home.mkdir(mode=0o711)
    (home / "something").write_text("")
    done = run("restore", "--home", home, archive(origin, "whole"))
    assert done.returncode == 1 and "empty home" in done.stderr


def test_an_incomplete_restore_does_not_start(origin, home):
    cut = home.parent / "cut.tar"
    cut.write_bytes(archive(origin, "whole").read_bytes()[:60_000])
    done = run("restore", "--home", home, cut)
    assert done.returncode == 1 and "cannot be unpacked" in done.stderr
    assert "a restore that did not end" in refused(home)


def test_a_link_in_an_archive_is_refused(origin, home):
    evil = home.parent / "evil"
    evil.mkdir()
    (evil / "blobs").symlink_to("/etc")
    subprocess.run(["tar", "-cf", home.parent / "evil.tar", "-C", evil, "blobs"], check=True)
    done = run("restore", "--home", home, home.parent / "evil.tar")
    assert done.returncode == 1 and "neither a file nor a directory" in done.stderr


def test_a_backup_of_a_stopped_service(home):
    with serving(home):
        pass
    done = run("backup", "--home", home, home.parent / "cold.tar")
    assert done.returncode == 0, done.stderr
    assert (home.parent / "cold.tar").stat().st_size > 10_000


def test_a_backup_that_cannot_be_written_leaves_nothing(home):
    with serving(home):
        done = run("backup", "--home", home, home.parent / "no" / "such.tar")
    assert done.returncode == 1
    assert not list(home.glob("backup.*"))
