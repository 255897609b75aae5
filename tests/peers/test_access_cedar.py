# SPDX-License-Identifier: Apache-2.0
"""The evaluator against Cedar, whose semantics are proved in Lean: the same answer to 10,000 random questions.

npm's @cedar-policy/cedar-wasm is installed, pinned, into build/peers/cedar; without node the test is skipped.
"""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CHANCERY_BUILD", ROOT / "build"))
HERE, PEER = ROOT / "tests/peers/cedar", ROOT / "build/peers/cedar"
COUNT = os.environ.get("CEDAR_QUESTIONS", "10000")


@pytest.fixture(scope="module")
def cedar():
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    PEER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, PEER / name)
    done = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=PEER,
                          capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        pytest.skip("npm ci failed: " + done.stderr[-300:])
    return PEER


def test_cedar_gives_the_same_answer_to_every_question(cedar):
    questions = subprocess.run([BUILD / "tests/tools/ask_policy", COUNT, "7"], capture_output=True, check=True).stdout
    done = subprocess.run(["node", HERE / "ask.mjs", cedar], input=questions, capture_output=True, check=True,
                          timeout=800)
    result = json.loads(done.stdout)
    assert result["differ"] == 0, result["examples"]
    assert result["asked"] == int(COUNT) and result["allowed"] > int(COUNT) // 40
