# SPDX-License-Identifier: Apache-2.0
"""A chanceryd with its own PostgreSQL: starts, stops, deaths, and what it refuses to start on."""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.parse

import pytest

from lifecycle_support import (Service, alive, forget, new_home, postmaster, refused, run, serving,
                               socket_dir, sql, wait_until)

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="changes users")


@pytest.fixture
def home():
    path = new_home()
    yield path
    forget(path)


@pytest.fixture(scope="module")
def shared():
    """One running service for the stories that leave it as it was."""
    path = new_home()
    with serving(path) as service:
        yield service
    forget(path)


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# Starting and stopping.

def test_runtime_json_says_how_to_reach_it(shared):
    said = json.loads((shared.home / "runtime.json").read_text())
    assert set(said) == {"url", "ca", "pid", "bootstrap_code_file"}
    assert said["url"].startswith("https://127.0.0.1:")
    assert said["pid"] == shared.process.pid
    assert pathlib.Path(said["bootstrap_code_file"]).read_text().strip()
    assert shared.get("/healthz")[0] == 200
    assert shared.get("/readyz")[0] == 200


def test_secrets_are_for_their_owner_only(shared):
    for name in ("secret.key", "bootstrap.code", "tls/server.key", "tls/ca.key"):
        assert mode(shared.home / name) == 0o600, name
    for name in ("postgres/data", "postgres/socket", "postgres/log", "spool"):
        assert mode(shared.home / name) == 0o700, name
    assert mode(shared.home) == (0o711 if os.geteuid() == 0 else 0o700)
    assert (shared.home / "secret.key").stat().st_size == 32


def test_the_process_leaves_no_core_dump(shared):
    limits = pathlib.Path(f"/proc/{shared.process.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4] == "0"


def test_the_private_database_listens_on_no_network(shared):
    held = set()
    for pid in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(pid / "cwd") != str(shared.home / "postgres" / "data"):
                continue
            held |= {os.readlink(fd) for fd in (pid / "fd").iterdir()}
        except OSError:
            continue
    tcp = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
    listening = {f"socket:[{line.split()[9]}]" for line in tcp.splitlines()
                 if len(line.split()) > 9 and line.split()[3] == "0A"}
    assert held and not held & listening
    assert sql(shared.home, "SHOW listen_addresses") == ""
    assert sql(shared.home, "SHOW data_checksums") == "on"
    assert sql(shared.home, "SHOW fsync") == "on"


def test_the_service_role_owns_nothing_and_bypasses_nothing(shared):
    assert sql(shared.home, "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb"
                            " FROM pg_roles WHERE rolname = 'chancery_app'") == "f"
    assert sql(shared.home, "SELECT count(*) FROM pg_stat_activity"
                            " WHERE usename = 'postgres' AND application_name = 'chancery'") == "0"
    assert int(sql(shared.home, "SELECT count(*) FROM pg_stat_activity"
                                " WHERE usename = 'chancery_app'")) >= 1


@root_only
def test_other_users_cannot_reach_the_database(shared):
    tried = subprocess.run(
        ["psql", "-X", "-h", socket_dir(shared.home), "-U", "chancery_app", "-d", "chancery", "-c",
         "SELECT 1"], user="nobody", capture_output=True, text=True, timeout=20, check=False)
    assert tried.returncode != 0 and "Permission denied" in tried.stderr


def test_a_second_start_is_refused_and_harms_nothing(shared):
    done = run("serve", "--home", shared.home, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert f"served by another process already (pid {shared.process.pid})" in done.stderr
    assert shared.get("/readyz")[0] == 200
    assert json.loads((shared.home / "runtime.json").read_text())["pid"] == shared.process.pid


def test_sighup_keeps_serving(shared):
    shared.process.send_signal(signal.SIGHUP)
    wait_until("the certificate", lambda: "new connections use the certificate" in shared.log)
    assert shared.get("/readyz")[0] == 200


def test_sighup_applies_what_it_can_and_names_what_it_cannot(home):
    settings = home.parent / "chancery.conf"
    settings.write_text("log_format = text\n")
    with serving(home, "--config", settings) as service:
        settings.write_text("log_format = json\nworkers_slow = 5\n")
        service.process.send_signal(signal.SIGHUP)
        wait_until("the reload", lambda: "new connections use the certificate" in service.log)
        said = json.loads(service.log.splitlines()[-1])
        assert said["blame"] == "info"
        assert "setting workers_slow has changed; that needs a restart" in service.log
        settings.write_text("no_such = 1\n")
        service.process.send_signal(signal.SIGHUP)
        wait_until("the complaint", lambda: 'line 1: there is no setting "no_such"' in service.log)
        assert service.is_ready()


def test_an_invitation_is_a_file_for_its_owner(shared, home):
    home.parent.mkdir(exist_ok=True)
    path = home.parent / "invitation"
    done = run("invite", "--home", shared.home, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path)
    assert mode(path) == 0o600 and path.read_text().strip()
    assert path.read_text() != (shared.home / "bootstrap.code").read_text()


def test_a_new_start_withdraws_the_code_of_the_last(home):
    unused = "SELECT count(*) FROM chancery.bootstrap_code WHERE used_at IS NULL AND expires_at > now()"
    with serving(home):
        first = (home / "bootstrap.code").read_text()
        assert sql(home, unused) == "1"
    with serving(home):
        assert (home / "bootstrap.code").read_text() != first
        assert sql(home, unused) == "1"


def test_a_clean_stop_takes_seconds_and_leaves_nothing_running(home):
    service = Service(home).wait_ready()
    master = postmaster(home)
    port = urllib.parse.urlparse(service.runtime["url"]).port
    with socket.create_connection(("127.0.0.1", port)):  # a client that says nothing
        assert service.stop() < 10
    assert service.process.returncode == 0, service.log
    assert not (home / "runtime.json").exists()
    assert not alive(master)
    assert not (home / "postgres" / "data" / "postmaster.pid").exists()


def test_sigint_stops_too(home):
    service = Service(home).wait_ready()
    assert service.stop(signal.SIGINT) < 10
    assert service.process.returncode == 0


def test_sigterm_during_the_start_stops_it(home):
    service = Service(home)
    wait_until("the lock", lambda: (home / "lock").exists())
    assert service.stop() < 10
    assert service.process.returncode == 1
    with serving(home) as again:
        assert again.is_ready()


def test_the_service_manager_is_told(home):
    path = home.parent / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        with serving(home, env={**os.environ, "NOTIFY_SOCKET": str(path)}):
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"


# Deaths.

def test_kill_9_of_the_service_loses_nothing(home):
    service = Service(home).wait_ready()
    sql(home, "CREATE TABLE chancery.kept (n int); COMMENT ON TABLE chancery.kept IS 'global: a test'")
    sql(home, "INSERT INTO chancery.kept SELECT generate_series(1, 1000)")
    master = postmaster(home)
    service.stop(signal.SIGKILL)
    # At once: the orphan may still be writing.
    with serving(home) as again:
        assert not alive(master)
        assert sql(home, "SELECT count(*) FROM chancery.kept") == "1000"
        assert again.is_ready()
    service.close()


def test_the_database_ends_with_a_killed_service(home):
    service = Service(home).wait_ready()
    master = postmaster(home)
    service.stop(signal.SIGKILL)
    wait_until("the postmaster's end", lambda: not alive(master), 10)
    service.close()


def test_kill_9_of_both_recovers(home):
    service = Service(home).wait_ready()
    sql(home, "CREATE TABLE chancery.kept (n int); COMMENT ON TABLE chancery.kept IS 'global: a test'")
    master = postmaster(home)
    service.process.send_signal(signal.SIGSTOP)  # so that it cannot start another
    os.kill(master, signal.SIGKILL)
    service.stop(signal.SIGKILL)
    assert (home / "postgres" / "data" / "postmaster.pid").exists()
    with serving(home):
        assert sql(home, "SELECT count(*) FROM chancery.kept") == "0"
    service.close()


def reborn(home, old):
    """Orphaned backends answer for a moment after their postmaster's death: look at its file."""
    try:
        return postmaster(home) != old
    except (FileNotFoundError, IndexError, ValueError):
        return False


def test_kill_9_of_the_postmaster_is_survived(home):
    with serving(home) as service:
        first = postmaster(home)
        os.kill(first, signal.SIGKILL)
        wait_until("a new postmaster", lambda: reborn(home, first) and service.is_ready())
        assert service.process.poll() is None
        assert "private PostgreSQL ended by itself (signal 9)" in service.log
        second = postmaster(home)
        os.kill(second, signal.SIGKILL)
        wait_until("another", lambda: reborn(home, second) and service.is_ready())


def test_without_its_database_the_service_answers_503(home):
    with serving(home) as service:
        master = postmaster(home)
        data = home / "postgres" / "data"
        away = home / "postgres" / "data.away"
        data.rename(away)
        os.kill(master, signal.SIGKILL)
        wait_until("503", lambda: service.get("/readyz")[0] == 503)
        assert service.get("/healthz")[0] == 200
        away.rename(data)
        wait_until("readiness", service.is_ready, 30)


class Writer:
    """One row a transaction, as fast as one session goes, until the database is gone."""

    def __init__(self, home):
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket_dir(home),
             "-U", "postgres", "-d", "chancery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.feeder = threading.Thread(target=self.feed)
        self.feeder.start()

    def feed(self):
        try:
            for n in range(1, 1_000_000):
                self.process.stdin.write(f"INSERT INTO chancery.kept VALUES ({n}) RETURNING n;\n")
        except BrokenPipeError:
            pass

    def acknowledged(self):
        """The last number whose commit psql was told of."""
        numbers = [int(line) for line in self.process.stdout.read().split() if line.isdigit()]
        self.feeder.join()
        self.process.wait()
        return max(numbers)


@pytest.mark.parametrize("victim", ["service", "postmaster", "both"])
def test_what_was_acknowledged_survives_a_kill_9_under_load(home, victim):
    service = Service(home).wait_ready()
    sql(home, "CREATE TABLE chancery.kept (n int PRIMARY KEY); COMMENT ON TABLE chancery.kept IS 'global: a test'")
    writer = Writer(home)
    time.sleep(1.0)
    if victim != "service":
        os.kill(postmaster(home), signal.SIGKILL)
    if victim != "postmaster":
        service.stop(signal.SIGKILL)
    acknowledged = writer.acknowledged()
    if victim == "postmaster":
        wait_until("readiness", service.is_ready, 30)
        service.stop()
    service.close()
    with serving(home):
        kept = int(sql(home, "SELECT count(*) FROM chancery.kept"))
    assert kept >= acknowledged > 20


def test_a_pid_file_of_another_life_is_no_obstacle(home):
    with serving(home):
        pass
    path = home / "postgres" / "data" / "postmaster.pid"
    # In a container the numbers come again: this one is alive, and not PostgreSQL.
    path.write_text(f"{os.getpid()}\n{home}/postgres/data\n1700000000\n5432\n/tmp\n\n  1 1\nready\n")
    owner = (home / "postgres" / "data").stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    with serving(home) as service:
        assert service.is_ready()


def test_a_cut_off_initdb_starts_over(home):
    partial = home / "postgres" / "data.new"
    partial.mkdir(parents=True, mode=0o700)
    home.chmod(0o711)
    (partial / "PG_VERSION").write_text("15\n")
    with serving(home) as service:
        assert service.is_ready()
    assert not partial.exists()


# Homes and keys.

def test_a_home_too_long_for_a_socket_gets_a_short_one(home):
    deep = home.parent / ("d" * 100)
    with serving(deep) as service:
        short = socket_dir(deep)
        assert len(short) < 40 and mode(short) == 0o700
        assert service.is_ready()
    with serving(deep):
        assert socket_dir(deep) == short
    os.rmdir(short)
    with serving(deep) as service:
        assert socket_dir(deep) != short
        assert service.is_ready()
    os.rmdir(socket_dir(deep))


@root_only
def test_a_home_that_postgres_cannot_reach_is_refused_with_the_reason(home):
    home.parent.chmod(0o700)
    said = refused(home)
    assert "cannot reach" in said and "mode o+x" in said


@root_only
def test_an_ordinary_user_can_serve(home):
    os.chown(home.parent, 65534, 65534)
    with serving(home, user="nobody", group="nogroup", extra_groups=[]) as service:
        assert service.is_ready()
        assert mode(home) == 0o700
        assert (home / "postgres" / "data").stat().st_uid == 65534


@root_only
def test_a_user_without_a_name_is_told(home):
    os.chown(home.parent, 54321, 54321)
    done = run("serve", "--home", home, "--listen", "127.0.0.1:0", user=54321, group=54321,
               extra_groups=[])
    assert done.returncode == 1 and "no name in /etc/passwd" in done.stderr


def test_a_home_others_can_write_is_refused(home):
    home.mkdir()
    home.chmod(0o777)
    assert "can be written by others" in refused(home)


def test_a_key_others_can_read_is_refused(home):
    home.mkdir(mode=0o711)
    (home / "secret.key").write_bytes(os.urandom(32))
    (home / "secret.key").chmod(0o640)
    assert "no one else can read" in refused(home)
    (home / "secret.key").chmod(0o600)
    (home / "secret.key").write_bytes(os.urandom(31))
    assert "exactly 32 bytes" in refused(home)
    (home / "secret.key").write_bytes(os.urandom(33))
    assert "exactly 32 bytes" in refused(home)
    (home / "secret.key").rename(home / "other")
    (home / "secret.key").symlink_to(home / "other")
    assert "cannot open the key file" in refused(home)


def test_a_lost_or_foreign_key_stops_the_start(home):
    with serving(home):
        pass
    key = (home / "secret.key").read_bytes()
    (home / "secret.key").unlink()
    assert "secret.key is missing, but the database is there" in refused(home)
    (home / "secret.key").write_bytes(os.urandom(32))
    (home / "secret.key").chmod(0o600)
    assert "not the one that this database's secrets are sealed with" in refused(home)
    (home / "secret.key").write_bytes(key)
    with serving(home) as service:
        assert service.is_ready()


def test_bad_settings_are_named(home):
    done = run("serve", "--home", home, "--workers-read", "0")
    assert done.returncode == 1
    assert 'setting workers_read: "0" from the command line is not a whole number from 1 to 256' \
        in done.stderr
    assert not home.exists()
    assert "ADDRESS:PORT" in run("serve", "--home", home, "--listen", "localhost:1").stderr


# The schema.

def changed(home, *statements):
    """A home whose stopped database has been tampered with."""
    with serving(home):
        for statement in statements:
            sql(home, statement)
    return home


def test_a_schema_newer_than_the_service_is_refused(home):
    changed(home, "INSERT INTO chancery.schema_migration (name, sha256) VALUES ('9999_future.sql', '')")
    said = refused(home)
    assert "newer than this service" in said and "9999_future.sql" in said


def test_an_edited_migration_is_refused(home):
    changed(home, "UPDATE chancery.schema_migration SET sha256 = repeat('0', 64)"
                  " WHERE name = (SELECT min(name) FROM chancery.schema_migration)")
    assert "was edited after it had been applied" in refused(home)


def test_a_gap_in_the_migrations_is_refused(home):
    changed(home, "DELETE FROM chancery.schema_migration"
                  " WHERE name = (SELECT min(name) FROM chancery.schema_migration)")
    assert "they come from different releases" in refused(home)


def test_two_starts_of_one_schema_wait_for_each_other(home):
    """Replicas that start together: every migration is applied once."""
    with serving(home):
        sql(home, "DROP SCHEMA chancery CASCADE; CREATE SCHEMA chancery AUTHORIZATION chancery_owner;"
                  " GRANT USAGE ON SCHEMA chancery TO chancery_app")
        lock = subprocess.Popen(
            ["psql", "-X", "-h", socket_dir(home), "-U", "postgres", "-d", "chancery", "-c",
             "SELECT pg_advisory_lock(7163371714471686777), pg_sleep(1)"], stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        start = time.monotonic()
        done = run("migrate", "--home", home)
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - start > 0.4
        lock.wait()
        assert "migration 0001_" in done.stderr
        assert run("migrate", "--home", home).stderr == ""


def test_a_migration_that_fails_is_named_and_leaves_nothing(home):
    with serving(home):
        sql(home, "DROP SCHEMA chancery CASCADE; CREATE SCHEMA chancery AUTHORIZATION chancery_owner;"
                  " GRANT USAGE ON SCHEMA chancery TO chancery_app;"
                  " CREATE TABLE chancery.access_token (in_the_way int)")
        done = run("migrate", "--home", home)
        assert done.returncode == 1
        assert '0001_tenancy.sql: ERROR:  relation "access_token" already exists' in done.stderr
        assert sql(home, "SELECT count(*) FROM chancery.schema_migration") == "0"
        assert sql(home, "SELECT to_regclass('chancery.tenant') IS NULL") == "t"
        sql(home, "DROP TABLE chancery.access_token")
        assert run("migrate", "--home", home).returncode == 0


def test_check_queries_fits_the_schema(shared):
    done = run("check-queries", "--home", shared.home)
    assert done.returncode == 0, done.stderr


def test_config_says_where_values_come_from(home):
    done = run("config", "--home", home, "--database", "postgresql://u:hunter2@h/d",
               env={**os.environ, "CHANCERY_QUEUE_MAX": "7"})
    assert done.returncode == 0
    lines = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines()}
    assert lines["queue_max"] == ["7", "environment"]
    assert lines["home"] == [str(home), "flag"]
    assert lines["workers_read"] == ["4", "default"]
    assert "hunter2" not in done.stdout
