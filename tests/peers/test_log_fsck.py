# SPDX-License-Identifier: Apache-2.0
"""Our logs before verifiers that others wrote, and a log that others wrote before ours.

tessera's fsck checks signature, entry bundles, tiles and root; logproof (beside this file) checks
inclusion and consistency proofs with transparency-dev's and Go's libraries. Both are built once into
build/peers/bin through the Go module proxy. Without them the tests are skipped with the reason, and
fail when REQUIRE_PEERS=1.
"""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CHANCERY_BUILD", ROOT / "build"))
BIN = ROOT / "build" / "peers" / "bin"
TESSERA = "github.com/transparency-dev/tessera@v1.0.4"
TESSERA_VKEY = ("example.com/log/testdata+33d7b496+"
                "AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
SIZES = [(0, 1), (1, 1), (255, 17), (256, 256), (257, 100), (65536, 4096), (65537, 65536),
         (70000, 777)]


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def go(name, *command, cwd=ROOT):
    """The program of that name below build/peers/bin, built by a go command when it is not there."""
    if not (BIN / name).exists():
        if shutil.which("go") is None:
            missing("there is no go compiler")
        BIN.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(["go", *command], cwd=cwd, capture_output=True, text=True,
                              env={**os.environ, "GOBIN": str(BIN)})
        if made.returncode != 0:
            missing(f"{name} cannot be built: {made.stderr[-400:]}")
    return BIN / name


@pytest.fixture(scope="session")
def fsck():
    return go("fsck", "install", TESSERA.replace("@", "/cmd/fsck@"))


@pytest.fixture(scope="session")
def logproof():
    return go("logproof", "build", "-o", BIN / "logproof", ".", cwd=ROOT / "tests/peers/logproof")


@pytest.fixture(scope="session")
def tool():
    """Runs a program of tests/tools, which `make tests` has built."""
    def run(name, *arguments):
        return subprocess.run([BUILD / "tests" / "tools" / name, *map(str, arguments)], capture_output=True, text=True)

    return run


@pytest.fixture
def make_log(tool, tmp_path):
    def make(size, batch):
        directory = tmp_path / f"log-{size}"
        directory.mkdir()
        made = tool("make_log", directory, size, batch)
        assert made.returncode == 0, made.stderr
        (tmp_path / "vkey").write_text(made.stdout)
        return directory

    return make


def fsck_accepts(fsck, directory, size):
    """By what it says, since v1.0.4 exits with 0 either way; with one worker it hangs on a fault."""
    done = subprocess.run([fsck, f"--storage_url=file://{directory}/", "--ui=false", "--N=8",
                           f"--public_key={directory.parent / 'vkey'}"],
                          capture_output=True, text=True, timeout=120)
    accepted = f"Successfully fsck'd log with size {size} " in done.stderr
    assert accepted != ("fsck failed: " in done.stderr), done.stderr[-1000:]
    return accepted


@pytest.mark.parametrize("size,batch", SIZES)
def test_fsck_accepts_our_logs(fsck, make_log, size, batch):
    assert fsck_accepts(fsck, make_log(size, batch), size)


FILES = ["checkpoint", "tile/entries/000", "tile/entries/273.p/112", "tile/0/100",
         "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]


def test_fsck_and_ours_refuse_one_flipped_bit_in_any_file(fsck, make_log, tool):
    directory = make_log(70000, 65536)
    vkey = (directory.parent / "vkey").read_text().strip()
    for name in FILES:
        file = directory / name
        right = file.read_bytes()
        wrong = bytearray(right)
        wrong[len(wrong) // 2] ^= 1
        file.write_bytes(wrong)
        assert not fsck_accepts(fsck, directory, 70000), name
        ours = tool("check_log", directory, vkey)
        assert ours.returncode != 0 and ours.stdout.startswith(f"{name}: "), ours.stdout
        file.write_bytes(right)
    assert fsck_accepts(fsck, directory, 70000)
    assert tool("check_log", directory, vkey).returncode == 0


@pytest.mark.parametrize("size,batch", SIZES[1:])
def test_others_verify_our_proofs(logproof, make_log, tool, tmp_path, size, batch):
    directory = make_log(size, batch)
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    assert tool("prove_log", directory, proofs).returncode == 0
    done = subprocess.run([logproof, tmp_path / "vkey", proofs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count = len(list(proofs.glob("*.tlog-proof")))
    assert count >= min(size, 2) and done.stdout == f"{count} inclusion, {count} consistency\n"


def test_others_refuse_a_bent_proof(logproof, make_log, tool, tmp_path):
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    assert tool("prove_log", make_log(257, 100), proofs).returncode == 0
    entry = proofs / "0.entry"
    entry.write_bytes(entry.read_bytes() + b" ")
    done = subprocess.run([logproof, tmp_path / "vkey", proofs], capture_output=True, text=True)
    assert done.returncode != 0 and "0.tlog-proof" in done.stderr


def test_we_verify_the_log_that_tessera_publishes(fsck, tool, tmp_path):
    """Tessera's own test data, every checkpoint from size 0 to 15."""
    found = subprocess.run(["go", "mod", "download", "-json", TESSERA], capture_output=True,
                           text=True, cwd=tmp_path)
    if found.returncode != 0:
        missing(f"tessera's test data cannot be had: {found.stderr[-400:]}")
    source = pathlib.Path(found.stdout.split('"Dir": "')[1].split('"')[0]) / "testdata" / "log"
    for size in range(16):
        log = tmp_path / str(size)
        shutil.copytree(source, log, copy_function=shutil.copyfile)
        log.chmod(0o755)
        (log / "checkpoint").unlink()
        shutil.copyfile(source / f"checkpoint.{size}", log / "checkpoint")
        done = tool("check_log", log, TESSERA_VKEY)
        assert done.returncode == 0, done.stdout
        assert f"size {size}, {size} entries proven, 0 problems" in done.stdout
