# SPDX-License-Identifier: Apache-2.0
"""The image, the compose file and the systemd unit, checked without an engine to run them."""
import configparser
import json
import re
import shutil
import stat
import subprocess

import pytest

from lifecycle_support import ROOT

DOCKER = ROOT / "docker"


def instructions():
    """[(word, rest)] of the Dockerfile, continued lines joined, comments left out."""
    text = "\n".join(line for line in (DOCKER / "Dockerfile").read_text().splitlines()
                     if not line.lstrip().startswith("#"))
    return [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def last_stage():
    steps = instructions()
    start = max(i for i, (word, _) in enumerate(steps) if word == "FROM")
    return steps[start:]


def test_every_base_image_has_a_version():
    stages = set()
    for word, rest in instructions():
        if word != "FROM":
            continue
        image, *name = rest.split(" AS ")
        assert image in stages or re.fullmatch(r"[a-z0-9./-]+:(?!latest)[\w.-]+", image), image
        stages.update(name)
    assert len([word for word, _ in instructions() if word == "FROM"]) == 2


def test_the_image_does_not_run_as_root():
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users and all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)
    words = [word for word, _ in last_stage()]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("RUN", "COPY"))
    # PostgreSQL refuses a user without a name.
    uid = users[-1].split(":")[0]
    assert any(f"useradd --system --uid {uid}" in re.sub(r"\s+", " ", rest) for _, rest in last_stage())


def test_the_image_keeps_no_compiler_and_no_package_lists():
    for word, rest in last_stage():
        if word == "RUN" and "apt-get" in rest:
            assert not re.search(r"\b(gcc|make|[\w-]+-dev)\b", rest.replace("/dev/", ""))
    for word, rest in instructions():
        if word != "RUN" or "apt-get" not in rest:
            continue
        assert "--no-install-recommends" in rest and "rm -rf /var/lib/apt/lists/*" in rest
        assert "apt-get upgrade" not in rest and "apt-get update" in rest


def test_no_add_no_sudo_no_secret_in_the_image():
    for word, rest in instructions():
        assert word in {"FROM", "SHELL", "RUN", "WORKDIR", "COPY", "ENV", "USER", "VOLUME", "EXPOSE",
                        "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"}, word
        assert not re.search(r"\bsudo\b|curl .*\|\s*(ba)?sh", rest)
        if word in ("ENV", "ARG"):
            assert not re.search(r"(?i)password|secret|token|_key", rest)


def test_commands_are_lists_and_the_image_says_how_it_is():
    steps = {word: rest for word, rest in last_stage()}
    for word in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(steps[word]), list)
    check = steps["HEALTHCHECK"]
    assert {"--interval", "--timeout", "--retries"} <= set(re.findall(r"--[a-z]+(?==)", check))
    assert json.loads(check[check.index("["):])[-1].endswith("/readyz")


def test_what_the_build_copies_is_let_through_and_exists():
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    assert "*" in ignore
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert f"!{source}" in ignore and (ROOT / source).exists(), source


def test_the_image_installs_what_the_programs_link(tmp_path):
    """Every library of the built programs belongs to a package that the last stage names or needs."""
    from lifecycle_support import CHANCERYD
    if shutil.which("dpkg") is None or not CHANCERYD.exists():
        pytest.skip("needs a Debian build")
    said = subprocess.run(["objdump", "-p", CHANCERYD], capture_output=True, text=True, check=True)
    needed = set(re.findall(r"NEEDED\s+(\S+)", said.stdout))
    named = " ".join(rest for word, rest in last_stage() if word == "RUN").split()
    base = {"libc6", "libgcc-s1", "libstdc++6"}
    for library in needed:
        owner = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=False)
        packages = {line.split(":")[0] for line in owner.stdout.splitlines()}
        if re.match(r"lib([au]|t)san", library):
            continue  # of a build that looks for defects; it is in no image
        assert packages & (base | set(named)), f"{library} is of {packages}"


@pytest.fixture(scope="module")
def compose():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_compose_services_are_confined(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged") and "network_mode" not in service, name
        assert {"pids_limit", "mem_limit", "restart", "stop_grace_period"} <= set(service), name
        assert not any("docker.sock" in str(v) for v in service.get("volumes", [])), name
    assert "cap_add" not in compose["services"]["chancery"]


def test_compose_publishes_on_loopback_only_and_hides_the_database(compose):
    assert all(p.startswith("127.0.0.1:") for p in compose["services"]["chancery"]["ports"])
    assert "ports" not in compose["services"]["postgres"]
    assert compose["services"]["postgres"]["networks"] == ["database"]
    assert compose["networks"]["database"]["internal"] is True


def test_compose_has_no_password_and_waits_for_the_database(compose):
    text = (DOCKER / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret)\S*:\s*[\"']?\w{6,}[\"']?\s*$", text, re.M)
    assert compose["services"]["chancery"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for service in compose["services"].values():
        for secret in service["secrets"]:
            assert compose["secrets"][secret]["file"].startswith("secrets/")
    assert "/secrets/" in (DOCKER / ".gitignore").read_text()


def test_compose_gives_the_database_enough_connections(compose):
    command = compose["services"]["postgres"]["command"]
    offered = int(next(c for c in command if c.startswith("max_connections=")).split("=")[1])
    defaults = dict(re.findall(r'^SETTING\((\w+), INT, "(\d+)"', (ROOT / "core/config.def").read_text(), re.M))
    wanted = sum(int(defaults[n]) for n in ("workers_read", "workers_write", "workers_slow", "streams_max",
                                            "jobs_parallel"))
    assert offered >= wanted + 32


def test_secrets_are_made_once_and_guarded(tmp_path):
    shutil.copy(DOCKER / "secrets.sh", tmp_path)
    subprocess.run(["sh", tmp_path / "secrets.sh"], check=True)
    made = tmp_path / "secrets"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    password = (made / "postgres_password").read_text()
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    assert f":{password}@postgres:5432/" in (made / "chancery.conf").read_text()
    assert subprocess.run(["sh", tmp_path / "secrets.sh"], capture_output=True, check=False).returncode == 1
    assert (made / "postgres_password").read_text() == password


# The unit.

def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((DOCKER / "chancery.service").read_text())
    return parser["Service"]


def test_the_unit_is_not_root_and_notifies():
    service = unit()
    assert service["User"] == "chancery" and service["Type"] == "notify"
    assert service["StateDirectory"] == "chancery" and service["StateDirectoryMode"] == "0700"
    assert service["KillMode"] == "mixed" and service["LimitCORE"] == "0"
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces",
                 "MemoryDenyWriteExecute", "LockPersonality", "RestrictSUIDSGID", "ProtectKernelModules"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == ""


def test_systemd_finds_the_unit_well_confined():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20",
                           DOCKER / "chancery.service"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-300:]
    said = subprocess.run(["systemd-analyze", "verify", DOCKER / "chancery.service"], capture_output=True,
                          text=True, check=False)
    complaints = [line for line in said.stderr.splitlines() if "is not executable" not in line]
    assert not complaints
