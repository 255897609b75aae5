# SPDX-License-Identifier: Apache-2.0
"""--database: a PostgreSQL of somebody else's, over TCP with SCRAM passwords."""
import glob
import hashlib
import hmac
import os
import pathlib
import pwd
import socket
import subprocess
import tempfile

import pytest

from lifecycle_support import alive, forget, new_home, refused, run, serving, wait_until

BIN = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
ADMIN = "of-the-admin"


class Server:
    """A PostgreSQL server on a free loopback port."""

    def __init__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="chancery-pg-"))
        self.user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.user:
            entry = pwd.getpwnam("postgres")
            os.chown(self.top, entry.pw_uid, entry.pw_gid)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.password = self.top / "password"
        self.password.write_text(ADMIN)
        self.password.chmod(0o644)
        self.tool("initdb", "-D", self.top / "data", "-U", "postgres", "-A", "scram-sha-256",
                  "--pwfile", self.password, "--locale", "C.UTF-8", "--encoding", "UTF8", "--no-sync")
        self.process = None
        self.start()
        self.sql("CREATE DATABASE ours")

    def tool(self, name, *arguments):
        subprocess.run([BIN / name, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL,
                       **self.user)

    def start(self):
        self.process = subprocess.Popen(
            [BIN / "postgres", "-D", self.top / "data", "-p", str(self.port), "-k", "", "-F",
             "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"],
            cwd="/", stderr=(self.top / "log").open("ab"), **self.user)
        wait_until("the server", self.answers)

    def stop(self):
        self.process.send_signal(3)
        self.process.wait(30)

    def answers(self):
        return self.sql("SELECT 1", check=False).returncode == 0

    def uri(self, user="postgres", password=ADMIN, database="ours"):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres", check=True):
        done = subprocess.run(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement,
                               self.uri(database=database)], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done if not check else done.stdout.strip()


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.stop()
    subprocess.run(["rm", "-rf", s.top], check=True)


@pytest.fixture
def home():
    path = new_home()
    yield path
    forget(path)


def app_password(home):
    key = (home / "secret.key").read_bytes()
    return hmac.new(key, b"database:ours", hashlib.sha256).hexdigest()


def test_the_service_makes_its_roles_and_is_not_the_admin(server, home):
    with serving(home, "--database", server.uri()) as service:
        assert service.is_ready()
        assert not (home / "postgres").exists()
        users = server.sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'chancery'")
        assert users == "chancery_app"
        assert server.sql("SELECT count(DISTINCT tableowner) = 1 AND min(tableowner) = 'chancery_owner'"
                          " FROM pg_tables WHERE schemaname = 'chancery'", "ours") == "t"
        cmdline = pathlib.Path(f"/proc/{service.process.pid}/environ").read_bytes()
        assert app_password(home).encode() not in cmdline
    server.sql("DROP SCHEMA chancery CASCADE", "ours")


def test_a_replica_with_the_apps_own_role_only_checks(server, home):
    with serving(home, "--database", server.uri()):
        pass
    mine = server.uri("chancery_app", app_password(home))
    with serving(home, "--database", mine) as service:
        assert service.is_ready()
    last = server.sql("DELETE FROM chancery.schema_migration WHERE name ="
                      " (SELECT max(name) FROM chancery.schema_migration) RETURNING name", "ours")
    said = refused(home, "--database", mine)
    assert "older than this service" in said and last.split()[0] in said
    server.sql("DROP SCHEMA chancery CASCADE", "ours")


def test_an_admin_without_superuser_rights_will_do(server, home):
    server.sql("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'kept'; GRANT CREATE ON DATABASE ours TO keeper;"
               "DROP ROLE IF EXISTS chancery_app, chancery_owner")
    with serving(home, "--database", server.uri("keeper", "kept")) as service:
        assert service.is_ready()
    server.sql("DROP SCHEMA chancery CASCADE", "ours")


def test_a_role_that_may_do_nothing_is_told(server, home):
    server.sql("CREATE ROLE nobody LOGIN PASSWORD 'none'")
    said = refused(home, "--database", server.uri("nobody", "none"))
    assert "may neither create roles nor is it chancery_app" in said


def test_a_wrong_password_is_told_at_once_and_not_logged(server, home):
    said = refused(home, "--database", server.uri(password="mistaken-secret"))
    assert "password authentication failed" in said
    assert "mistaken-secret" not in said


def test_another_replicas_key_is_refused(server, home):
    with serving(home, "--database", server.uri()):
        pass
    other = new_home()
    assert "not the one that this database's secrets are sealed with" in \
        refused(other, "--database", server.uri())
    forget(other)
    server.sql("DROP SCHEMA chancery CASCADE", "ours")


def test_a_lost_server_is_waited_for(server, home):
    with serving(home, "--database", server.uri()) as service:
        server.stop()
        wait_until("503", lambda: service.get("/readyz")[0] == 503)
        assert alive(service.process.pid)
        server.start()
        wait_until("readiness", service.is_ready, 30)
    server.sql("DROP SCHEMA chancery CASCADE", "ours")


def test_backup_and_restore_go_through_the_server(server, home):
    with serving(home, "--database", server.uri()):
        server.sql("INSERT INTO chancery.tenant (tenant_id, name) VALUES (gen_random_uuid(), 'kept')", "ours")
    done = run("backup", "--home", home, "--database", server.uri(), "--with-key", home.parent / "b.tar")
    assert done.returncode == 0, done.stderr
    other = new_home()
    done = run("restore", "--home", other, "--database", server.uri(), home.parent / "b.tar")
    assert done.returncode == 1 and "DROP SCHEMA" not in done.stderr
    assert "cannot drop schema chancery because other objects depend on it" in done.stderr
    forget(other)
    server.sql("CREATE DATABASE anew")
    other = new_home()
    done = run("restore", "--home", other, "--database", server.uri(database="anew"),
               home.parent / "b.tar")
    assert done.returncode == 0, done.stderr
    assert server.sql("SELECT name FROM chancery.tenant", "anew") == "kept"
    forget(other)
    server.sql("DROP SCHEMA chancery CASCADE", "ours")
