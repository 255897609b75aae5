# SPDX-License-Identifier: Apache-2.0
"""The table of security requirements names only tests and words that are there, and each requirement once."""
import importlib.util
import subprocess
import sys

from service import BUILD, ROOT

TOOL = ROOT / "tests/tools/asvs.py"


def tool():
    spec = importlib.util.spec_from_file_location("asvs", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_proof_that_is_named_exists():
    done = subprocess.run([sys.executable, TOOL, BUILD, "--sources"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_requirement_of_levels_one_and_two_is_there_once():
    """253 of them in 5.0: 70 of level 1, 183 of level 2."""
    rows = list(tool().rows())
    assert len({r.id for r in rows}) == len(rows)
    assert [sum(r.level == level for r in rows) for level in "12"] == [70, 183]
    assert {"2.3.5", "6.3.8", "7.5.3", "8.3.2", "8.3.3", "13.3.3", "13.3.4"} == {r.id for r in rows if r.level == "3"}


def test_a_proof_that_is_not_there_or_failed_is_told(tmp_path):
    asvs = tool()
    row = asvs.Row("1.1.1", "2", "met", "x", "test_asvs.py::test_nothing_of_the_kind")
    assert asvs.judge(row, None)[1] == ["there is no test test_asvs.py::test_nothing_of_the_kind"]
    assert asvs.judge(row._replace(proof="doc:README.md:never said here"), None)[1]
    good = row._replace(proof="test_text::uints_are_bounded_digits")
    (tmp_path / "logs").mkdir()
    assert asvs.judge(good, asvs.Logs(tmp_path)) == ("not proved", ["test_text::uints_are_bounded_digits: not run"])
    for line, result in (("ok uints_are_bounded_digits\n", "met"), ("not ok uints_are_bounded_digits\n", "not proved")):
        (tmp_path / "logs/test_text.log").write_text(line)
        assert asvs.judge(good, asvs.Logs(tmp_path))[0] == result
    assert asvs.judge(row._replace(state="not-met", proof="why"), None) == ("not-met", [])
