#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The table of OWASP ASVS 5.0: what is asked, what proves it, and how the last run of the tests went.

usage: asvs.py BUILD [--sources]
Reads tests/asvs.def and BUILD/logs, writes BUILD/asvs.md and BUILD/asvs.json. Fails when a proof does not
exist, has failed, or was not run (peers may be left out). --sources looks only at whether proofs exist.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STATES = ("met", "not-met", "n/a")
Row = collections.namedtuple("Row", "id level state asks proof")


def rows():
    for number, line in enumerate((ROOT / "tests/asvs.def").read_text().splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        parts = [p.strip() for p in line.split("|")]
        if len(parts) != 5 or not re.fullmatch(r"\d+\.\d+\.\d+", parts[0]) or parts[2] not in STATES or not parts[4]:
            raise SystemExit(f"tests/asvs.def:{number}: not ID | level | state | words | proofs or reason")
        yield Row(*parts)


def proofs(row):
    """FILE::TEST apart, and doc:FILE:WORDS, whose words may have blanks in them."""
    return re.findall(r"doc:[^:]+:.+?(?=\s+(?:doc:|\S+::)|$)|\S+::\S+", row.proof)


def source(file):
    places = [ROOT / "tests" / folder / (file if file.endswith(".py") else file + ".c") for folder in ("stories", "peers", "unit")]
    return next((p for p in places if p.exists()), None)


def missing(proof):
    """What is wrong with a proof before anything is run; None when it is there."""
    if proof.startswith("doc:"):
        _, file, words = proof.split(":", 2)
        there = (ROOT / file).exists() and words in (ROOT / file).read_text()
        return None if there else f"{file} does not say “{words}”"
    file, name = proof.split("::")
    path = source(file)
    pattern = rf"^def {re.escape(name)}\(" if file.endswith(".py") else rf"\bRUN\({re.escape(name)}\)"
    return None if path and re.search(pattern, path.read_text(), re.M) else f"there is no test {proof}"


def story_results(log):
    found = collections.defaultdict(list)
    for case in xml.etree.ElementTree.parse(log).getroot().iter("testcase"):
        state = "failed" if case.find("failure") is not None or case.find("error") is not None else \
            "skipped" if case.find("skipped") is not None else "passed"
        found[case.get("name").split("[")[0]].append(state)
    return found


def unit_results(log):
    found = collections.defaultdict(list)
    for bad, name in re.findall(r"^(not )?ok (\S+)$", log.read_text(errors="replace"), re.M):
        found[name].append("failed" if bad else "passed")
    return found


class Logs:
    def __init__(self, build):
        self.logs, self.known = build / "logs", {}

    def result(self, proof):
        """passed, failed, skipped or not run."""
        if proof.startswith("doc:"):
            return "passed"
        file, name = proof.split("::")
        if file not in self.known:
            log = self.logs / (pathlib.Path(file).stem + (".xml" if file.endswith(".py") else ".log"))
            read = story_results if file.endswith(".py") else unit_results
            self.known[file] = read(log) if log.exists() else {}
        states = self.known[file].get(name, [])
        return "not run" if not states else "failed" if "failed" in states else "passed" if "passed" in states else "skipped"


def judge(row, logs):
    """(result, what is wrong)"""
    if row.state != "met":
        return row.state, []
    wrong = [m for p in proofs(row) if (m := missing(p))]
    if not proofs(row):
        wrong.append("is said to be met, but nothing proves it")
    if logs is None or wrong:
        return ("exists" if not wrong else "no proof"), wrong
    results = {p: logs.result(p) for p in proofs(row)}
    wrong = [f"{p}: {r}" for p, r in results.items()
             if r != "passed" and not (r in ("not run", "skipped") and "peers" in str(source(p.split("::")[0])))]
    return ("met" if not wrong else "not proved"), wrong


def shown(proof):
    return "`" + proof.removeprefix("doc:").replace("::", " ") + "`"


def write(build, judged):
    counts = collections.Counter(result for _, result, _ in judged)
    lines = ["# OWASP ASVS 5.0", "", "Level 1 and 2 whole; of level 3 what is about authorization, approvals and secrets."
             " Wording is ours; the ids are the standard's.", "",
             ", ".join(f"{result}: {n}" for result, n in sorted(counts.items())) + f"; {len(judged)} in all.", "",
             "| id | level | result | asks | proof, or why not |", "|---|---|---|---|---|"]
    lines += [f"| {r.id} | {r.level} | {result} | {r.asks} |"
              f" {', '.join(map(shown, proofs(r))) if r.state == 'met' else r.proof} |" for r, result, _ in judged]
    (build / "asvs.md").write_text("\n".join(lines) + "\n")
    (build / "asvs.json").write_text(json.dumps({"standard": "OWASP ASVS 5.0", "counts": counts, "requirements": [
        {"id": r.id, "level": int(r.level), "asks": r.asks, "result": result,
         **({"proofs": proofs(r)} if r.state == "met" else {"reason": r.proof})} for r, result, _ in judged]}, indent=1))
    return counts


def main():
    build = (ROOT / sys.argv[1]).resolve()
    logs = None if "--sources" in sys.argv else Logs(build)
    judged = [(row, *judge(row, logs)) for row in rows()]
    wrong = [f"{row.id}: {w}" for row, _, ws in judged for w in ws]
    if logs is not None:
        build.mkdir(parents=True, exist_ok=True)
        counts = write(build, judged)
        print(", ".join(f"{r}: {n}" for r, n in sorted(counts.items())) + f"; {build / 'asvs.md'}")
    print("\n".join(wrong) if wrong else "every proof is there")
    if any(w.endswith("not run") for w in wrong):
        print("run make test first")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
