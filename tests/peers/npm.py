# SPDX-License-Identifier: Apache-2.0
"""Programs of others that npm installs, once, at the versions of NAME/package.json, into build/peers/NAME."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE.parents[1] / "build" / "peers"


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def installed(name):
    """The folder with the modules of NAME and our scripts for them."""
    modules, wanted = PEERS / name, (HERE / name / "package.json").read_text()
    note = modules / "package.json"
    if not (modules / "node_modules").exists() or not note.exists() or note.read_text() != wanted:
        if not shutil.which("npm"):
            missing("npm is not installed")
        modules.mkdir(parents=True, exist_ok=True)
        note.write_text(wanted)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=modules,
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            note.unlink()
            missing("npm install failed: " + done.stderr[-300:])
    for script in (HERE / name).glob("*.mjs"):
        shutil.copy(script, modules)
    return modules


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
