# SPDX-License-Identifier: Apache-2.0
"""Bytes: full disks, large files with flat memory, ranges, uploads across a death, and collection."""
import hashlib
import os
import re
import secrets
import subprocess
import threading
import time

import pytest
import raw
import requests
from service import BUILD, SANITIZED, Service, settled

MIB = 1 << 20
LARGE = 2048 * MIB if os.environ.get("CHANCERY_LONG") else 300 * MIB
P = "/v1/projects/store"
BYTES = {"Content-Type": "application/octet-stream"}


def new_version(owner, name="m"):
    owner.ok("PUT", f"{P}/models/{name}", {})
    return f"{P}/models/{name}/versions/{owner.ok('POST', f'{P}/models/{name}/versions', {})['number']}"


@pytest.fixture(scope="module")
def owner(service):
    return settled(service)


# Full disks.

def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def mounts():
    """Mount points, unmounted at the end, the last one first."""
    points = []
    yield points
    for point in reversed(points):
        subprocess.run(["umount", "-l", point], check=False)


def small_disk(point, size, mounts):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    point.mkdir(parents=True, exist_ok=True)
    done = mount("-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", str(point))
    if done.returncode != 0:
        pytest.skip("mounting is not permitted here: " + done.stderr.strip())
    mounts.append(str(point))


def fill_and_recover(service, owner, size):
    version = new_version(owner)
    with service.unchanged():
        for _ in range(2):
            with raw.connect(service) as connection:
                head = raw.request("PUT", f"{version}/files/big.bin", owner.token, f"Content-Length: {size}")
                reply = raw.send_until_answered(connection, [head, *Pattern(size)])
            assert reply.status_code == 507, reply.text
            assert reply.json()["error"]["code"] == "storage"
        assert owner.ok("GET", version + "/files")["value"] == []
    assert owner.get("/readyz").status_code == 200
    owner.ok("PATCH", version, {"description": "still answering"})
    small = os.urandom(MIB)
    owner.ok("PUT", f"{version}/files/small.bin", data=small, headers=BYTES)
    assert owner.get(f"{version}/files/small.bin").content == small
    return version


def test_a_full_disk_of_files(mounts):
    """The bytes' own file system is full, the database's is not."""
    service = Service()
    try:
        home = service.home / "home"
        small_disk(home, "24m", mounts)
        elsewhere = service.home / "postgres"
        elsewhere.mkdir(mode=0o711)
        (home / "postgres").mkdir(mode=0o711)
        assert mount("--bind", str(elsewhere), str(home / "postgres")).returncode == 0
        mounts.append(str(home / "postgres"))
        service.start()
        owner = settled(service)
        version = fill_and_recover(service, owner, 30 * MIB)
        filler = home / "filler"
        filler.write_bytes(bytes(1))
        with open(filler, "wb") as f:
            while True:
                try:
                    f.write(bytes(65536))
                    f.flush()
                except OSError:
                    break
        with service.unchanged():
            reply = owner.put(f"{version}/files/more.bin", data=os.urandom(2 * MIB), headers=BYTES)
            assert reply.status_code == 507, reply.text
            upload = owner.post(f"{version}/uploads", {"path": "x", "size": 2 * MIB}).json()
            place = f"{version}/uploads/{upload['id']}"
            reply = owner.request("PATCH", place, data=os.urandom(2 * MIB), headers={**BYTES, "Upload-Offset": "0"})
            assert reply.status_code == 507, reply.text
            owner.ok("DELETE", place)
            for part in (home / "uploads").rglob("*.part"):  # an empty one stays until it is collected
                assert part.stat().st_size == 0
                part.unlink()
        filler.unlink()
        more = os.urandom(2 * MIB)
        owner.ok("PUT", f"{version}/files/more.bin", data=more, headers=BYTES)
        assert owner.get(f"{version}/files/more.bin").content == more
        owner.ok("POST", version + "/finalize", {})
        assert service.stop() == 0
    finally:
        service.close_after(mounts)


def test_a_full_disk_of_everything(mounts):
    """Uploads share the disk with the database: they are refused, it lives."""
    service = Service()
    try:
        small_disk(service.home / "home", "160m", mounts)
        service.start()
        owner = settled(service)
        fill_and_recover(service, owner, 200 * MIB)
        assert service.stop() == 0
    finally:
        service.close_after(mounts)


# Large files.

class Pattern:
    """A stream of any length that is made as it is read, with its digest."""

    def __init__(self, size, seed=b"x"):
        self.size, self.left = size, size
        self.block = hashlib.shake_256(seed).digest(MIB)
        self.hash = hashlib.sha256()

    def __iter__(self):
        while self.left:
            piece = self.block[:min(MIB, self.left)]
            self.left -= len(piece)
            self.hash.update(piece)
            yield piece

    def __len__(self):
        return self.size


class Watch(threading.Thread):
    """The most memory that the service had while it ran."""

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.most, self.ended = service, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.most = max(self.most, self.service.memory())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def test_a_large_file_with_flat_memory(service, owner):
    version = new_version(owner, "large")
    owner.ok("PUT", version + "/files/warm.bin", data=os.urandom(8 * MIB), headers=BYTES)
    pattern = Pattern(LARGE)
    before = service.memory()
    with Watch(service) as watch:
        made = owner.ok("PUT", version + "/files/large.bin", data=pattern, headers=BYTES)
        assert made == {"path": "large.bin", "size": LARGE, "sha256": pattern.hash.hexdigest()}
        got, size = hashlib.sha256(), 0
        reply = owner.get(version + "/files/large.bin", stream=True)
        assert reply.headers["Content-Length"] == str(LARGE)
        for piece in reply.iter_content(MIB):
            got.update(piece)
            size += len(piece)
    assert size == LARGE and got.hexdigest() == pattern.hash.hexdigest()
    print(f"{LARGE // MIB} MiB: {before // MIB} MiB before, {watch.most // MIB} MiB at most")
    assert SANITIZED or watch.most - before < 48 * MIB


def test_several_large_files_at_once(service, owner):
    version = new_version(owner, "several")
    before, failures = service.memory(), []

    def one(i):
        try:
            client = service.client(owner.token)
            pattern = Pattern(LARGE // 16, seed=bytes([i]))
            made = client.ok("PUT", f"{version}/files/{i}.bin", data=pattern, headers=BYTES)
            assert made["sha256"] == pattern.hash.hexdigest()
            assert hashlib.sha256(client.get(f"{version}/files/{i}.bin").content).hexdigest() == made["sha256"]
        except Exception as e:  # noqa: BLE001, for the main thread to show
            failures.append(e)

    with Watch(service) as watch:
        threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    assert not failures
    assert SANITIZED or watch.most - before < 96 * MIB


def test_ranges(owner):
    version = new_version(owner, "ranges")
    data = secrets.token_bytes(1000)
    owner.ok("PUT", version + "/files/a.bin", data=data, headers=BYTES)
    place = version + "/files/a.bin"
    for header, start, end in (("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), ("bytes=100-", 100, 1000), ("bytes=-100", 900, 1000),
                               ("bytes=999-5000", 999, 1000), ("bytes=-5000", 0, 1000)):
        reply = owner.get(place, headers={"Range": header})
        assert reply.status_code == 206, f"{header}: {reply.status_code}"
        assert reply.content == data[start:end]
        assert reply.headers["Content-Range"] == f"bytes {start}-{end - 1}/1000"
    for header in ("bytes=1000-", "bytes=5000-6000", "bytes=-0"):
        reply = owner.get(place, headers={"Range": header})
        assert reply.status_code == 416, f"{header}: {reply.status_code}"
        assert reply.headers["Content-Range"] == "bytes */1000"
    for header in ("bytes=9-5", "bytes=x-y", "lines=0-1", "bytes=", "bytes=0-1,3-4", "bytes=99999999999999999999-"):
        reply = owner.get(place, headers={"Range": header})
        assert (reply.status_code, reply.content) == (200, data) or reply.status_code == 416, header
    whole = owner.get(place)
    assert whole.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert whole.headers["Accept-Ranges"] == "bytes" and "attachment" in whole.headers["Content-Disposition"]
    stale = owner.get(place, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, data)
    fresh = owner.get(place, headers={"Range": "bytes=0-9", "If-Range": whole.headers["ETag"]})
    assert (fresh.status_code, fresh.content) == (206, data[:10])
    assert owner.get(place, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_equal_bytes_are_kept_once(service, owner):
    data = secrets.token_bytes(100000)
    before = len([f for f in service.files() if f.startswith("blobs")])
    for name in ("one", "two"):
        owner.ok("PUT", new_version(owner, name) + "/files/a.bin", data=data, headers=BYTES)
    assert len([f for f in service.files() if f.startswith("blobs")]) == before + 1


# Deaths.

def test_a_resumable_upload_across_kill_9(service, owner):
    version = new_version(owner, "resumed")
    data = secrets.token_bytes(12 * MIB)
    upload = owner.ok("POST", version + "/uploads", {"path": "a.bin", "size": len(data),
                                                     "sha256": hashlib.sha256(data).hexdigest()})
    place = f"{version}/uploads/{upload['id']}"
    owner.ok("PATCH", place, data=data[:5 * MIB], headers={**BYTES, "Upload-Offset": "0"})

    def cut_off():
        def slowly():
            for at in range(5 * MIB, 9 * MIB, 1 << 16):
                yield data[at:at + (1 << 16)]
                time.sleep(0.02)
        try:
            owner.request("PATCH", place, data=slowly(), headers={**BYTES, "Upload-Offset": str(5 * MIB)})
        except requests.RequestException:
            pass

    sending = threading.Thread(target=cut_off)
    sending.start()
    time.sleep(0.5)
    service.kill()
    sending.join()
    service.start()
    received = owner.ok("GET", place)["received"]
    assert received >= 5 * MIB
    owner.ok("PATCH", place, data=data[received:], headers={**BYTES, "Upload-Offset": str(received)})
    assert owner.get(version + "/files/a.bin").content == data
    assert not list((service.home / "home" / "spool").iterdir())


def test_a_name_is_on_the_disk_before_its_bytes_are_acknowledged(service, owner, tmp_path):
    """Watched from outside: what is renamed into the store, and what an upload is received into, has its directory synced."""
    version, content, log = new_version(owner, "durable"), secrets.token_bytes(5000), tmp_path / "calls"
    upload = owner.ok("POST", version + "/uploads", {"path": "b", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    watch = subprocess.Popen(["strace", "-f", "-y", "-qq", "-e", "trace=rename,fsync", "-o", str(log), "-p", str(service.process.pid)],
                             stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 20
        while not os.path.exists(log) and watch.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)  # until it is attached to every thread
        if watch.poll() is not None:
            pytest.skip("strace may not attach here: " + watch.stderr.read()[:200])
        owner.ok("PATCH", f"{version}/uploads/{upload['id']}", data=content[:2000], headers={**BYTES, "Upload-Offset": "0"})
        received = log.read_text()
        owner.ok("PUT", version + "/files/a", data=content, headers=BYTES)
        stored = log.read_text()[len(received):]
    finally:
        watch.terminate()
        watch.wait(20)
    assert re.search(r"fsync\(\d+<[^>]*/uploads/[0-9a-f-]{36}>", received), received
    digest = hashlib.sha256(content).hexdigest()
    moved = stored.index(f"/{digest[:2]}/{digest}\")")
    assert re.search(rf"fsync\(\d+<[^>]*/blobs/[0-9a-f-]{{36}}/{digest[:2]}>", stored[moved:]), stored


def test_an_upload_that_kill_9_cuts_off_leaves_nothing(service, owner):
    version = new_version(owner, "cut")
    before = service.files()
    stop = threading.Event()

    def endless():
        while not stop.is_set():
            yield bytes(1 << 16)
            time.sleep(0.01)

    def send():
        try:
            owner.put(version + "/files/a.bin", data=endless(), headers=BYTES)
        except requests.RequestException:
            pass

    sending = threading.Thread(target=send)
    sending.start()
    time.sleep(0.5)
    service.kill()
    stop.set()
    sending.join()
    service.start()
    assert owner.ok("GET", version + "/files")["value"] == []
    end = time.monotonic() + 10
    while service.files() != before and time.monotonic() < end:
        time.sleep(0.1)
    assert service.files() == before


# Collection.

def test_collection_never_takes_what_is_referenced(service, owner):
    """The same few contents come and go in several versions while collection runs without grace."""
    contents = [secrets.token_bytes(2000 + i) for i in range(2)]
    stop, failures, done, turns = threading.Event(), [], [], []
    tool = BUILD / "tests/tools/collect"
    conninfo = (f"host={service.home / 'home' / 'postgres' / 'socket'} user=chancery_app dbname=chancery"
                " options='-c search_path=chancery'")

    def work(i):
        try:
            client, n = service.client(owner.token), 0
            version = new_version(client, f"gc-{i}")
            while not stop.is_set():
                data = contents[n % 2]  # everybody's: forgotten whenever nobody holds it, and brought again
                client.ok("PUT", f"{version}/files/a.bin", data=data, headers=BYTES)
                assert client.get(version + "/files/a.bin").content == data
                client.ok("DELETE", version + "/files/a.bin")
                if n % 10 == 0:
                    client.ok("PUT", f"{version}/files/{n}.bin", data=(kept := secrets.token_bytes(100)), headers=BYTES)
                    done.append((f"{version}/files/{n}.bin", kept))
                n += 1
            turns.append(n)
        except Exception as e:  # noqa: BLE001, for the main thread to show
            failures.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    end, passes, collected = time.monotonic() + 8, 0, 0
    while time.monotonic() < end and not failures:
        command = [tool, str(service.home / "home"), conninfo]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        passes, collected = passes + 1, collected + int(ran.stdout.split()[0])
    stop.set()
    [t.join() for t in threads]
    assert not failures
    print(f"{sum(turns)} uploads, {collected} contents collected in {passes} passes")
    assert sum(turns) > 40 and passes > 3 and collected > 0
    for path, data in done:
        assert owner.get(path).content == data
    lost = service.sql("SELECT count(*) FROM chancery.version_file f LEFT JOIN chancery.blob b USING (tenant_id, sha256)"
                       " WHERE b.sha256 IS NULL")
    assert lost.strip() == "0"
