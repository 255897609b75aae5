# SPDX-License-Identifier: Apache-2.0
"""tests/tools/embed.sh: migrations become C text byte for byte, or are refused."""
import subprocess

from lifecycle_support import ROOT

EMBED = ROOT / "tests" / "tools" / "embed.sh"


def embed(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text)
    return subprocess.run([EMBED, *[tmp_path / name for name in files]], capture_output=True, text=True,
                          check=False)


def test_every_byte_survives_the_compiler(tmp_path):
    text = b"-- What C would read otherwise: \\n \" ' ?? ??( %s \\\\ \ttab \xc3\xa9\n\nSELECT '\\x00';\n-- end??/\n"
    made = embed(tmp_path, {"0001_odd.sql": text})
    assert made.returncode == 0, made.stderr
    (tmp_path / "m.inc").write_text(made.stdout)
    (tmp_path / "m.c").write_text('#include <stdio.h>\nstatic const struct { const char *name, *text; } m[] = {\n'
                                  '#include "m.inc"\n};\nint main(void) { return fputs(m[0].text, stdout) < 0; }\n')
    subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "m", tmp_path / "m.c"],
                   check=True)
    assert subprocess.run([tmp_path / "m"], capture_output=True, check=True).stdout == text


def test_gaps_names_purposes_and_control_characters_are_refused(tmp_path):
    good = b"-- A purpose.\nSELECT 1;\n"
    for files, words in (
            ({"0001_a.sql": good, "0003_c.sql": good}, "number 0002 is missing"),
            ({"1_a.sql": good}, "not of the form NNNN_words.sql"),
            ({"0001_A.sql": good}, "not of the form NNNN_words.sql"),
            ({"0001_a.sql": b"SELECT 1;\n"}, "says its purpose"),
            ({"0001_a.sql": b"-- A purpose.\nSELECT '\x1b';\n"}, "control characters")):
        made = embed(tmp_path, files)
        assert made.returncode != 0 and words in made.stderr


def test_the_migrations_themselves_are_good():
    files = sorted((ROOT / "migrations").glob("*.sql"))
    assert files and subprocess.run([EMBED, *files], capture_output=True, check=False).returncode == 0
