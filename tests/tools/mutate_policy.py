#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One change at a time in the evaluator's sources, each in a copy: every one must fail a unit test.

usage: mutate_policy.py [NAME…]
A mutant that lives means that no test would have noticed it.
"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTS = ("test_auth_policy", "test_auth_policy_worlds", "test_auth_condition")
SOURCES = ("policy", "policy_seal", "policy_find", "policy_ask", "condition", "role", "action")

# name: (file, what is there, what is put there instead)
MUTANTS = {
    "a deny counts for nothing": ("policy_ask.c", "(kinds & 1U << GRANT_DENY) != 0 ||", ""),
    "nothing need allow": ("policy_ask.c", "|| (kinds & 1U << GRANT_ALLOW) == 0)", ")"),
    "a ceiling caps nobody": ("policy_ask.c", "return !policy_capped(p, q->principal) ||", "return true ||"),
    "a ceiling covers nothing": ("policy_ask.c", "(kinds & 1U << GRANT_CEILING) != 0;", "false;"),
    "the dead may": ("policy_ask.c", "        !policy_alive(p, q->principal))\n        return false;\n    n =",
                     "        false)\n        return false;\n    n ="),
    "the action is not asked": ("policy_ask.c", "if (e->key != key || !action_in(&p->sets.items[e->set], q->action))",
                                "if (e->key != key)"),
    "the key is not compared": ("policy_ask.c", "if (e->key != key || !action_in", "if (!action_in"),
    "from is open": ("policy_ask.c", "if (q->now_ms < e->from_ms)", "if (q->now_ms <= e->from_ms)"),
    "from is not asked": ("policy_ask.c", "if (q->now_ms < e->from_ms)", "if (false)"),
    "until is closed": ("policy_ask.c", "if (q->now_ms >= e->until_ms)", "if (q->now_ms > e->until_ms)"),
    "until is not asked": ("policy_ask.c", "if (q->now_ms >= e->until_ms)", "if (false)"),
    "conditions are true": ("policy_ask.c", "return e->how >> 3 == 0 ||", "return true ||"),
    "conditions are false": ("policy_ask.c", "return e->how >> 3 == 0 || condition_true(p, e->how >> 3, q)",
                             "return e->how >> 3 == 0"),
    "the chain ends at once": ("policy_ask.c", "if (at == p->parent[at])", "if (true)"),
    "the level is not looked up": ("policy_ask.c", ".level = a == NULL ? 0 : a->level", ".level = 0"),
    "everything is told of kinds": ("policy_ask.c", "kinds |= 1U << (e->how & 7);", "kinds |= 1U << GRANT_ALLOW;"),
    "DENY is an action": ("policy_ask.c", "if (q->action == DENY || (unsigned)q->action >= ACTION_COUNT ||",
                          "if ((unsigned)q->action >= ACTION_COUNT ||"),
    "groups are not dissolved": ("policy_seal.c", "        dissolve(p, &mine, m.child, depth + 1);",
                                 "        continue;"),
    "groups nest six deep": ("policy_seal.c", "else if (depth < GROUPS_DEEP)", "else if (depth <= GROUPS_DEEP)"),
    "groups nest four deep": ("policy_seal.c", "else if (depth < GROUPS_DEEP)", "else if (depth + 1 < GROUPS_DEEP)"),
    "a membership has no begin": ("policy_seal.c", "mine.from_ms = m.from_ms > g->from_ms ? m.from_ms : g->from_ms;",
                                  "mine.from_ms = g->from_ms;"),
    "a membership has no end": ("policy_seal.c",
                                "mine.until_ms = m.until_ms < g->until_ms ? m.until_ms : g->until_ms;",
                                "mine.until_ms = g->until_ms;"),
    "everyone is nobody": ("policy_seal.c", "(void)LIST_ADD(p->grants, g);", "(void)g;"),
    "entries of all kinds merge": ("policy_seal.c", "policy_how(a) == policy_how(b) &&", ""),
    "entries of all spans merge": ("policy_seal.c", "a->from_ms == b->from_ms && a->until_ms == b->until_ms",
                                   "true"),
    "entries of all scopes merge": ("policy_seal.c", "a->scope == b->scope && ", ""),
    "everyone is spared": ("policy_seal.c", "if (own[i].kind == GRANT_SPARE &&", "if ("),
    "nobody is spared": ("policy_seal.c", "if (g->kind == GRANT_DENY && spared(p, &p->grants.items[i]))",
                         "if (false && spared(p, &p->grants.items[i]))"),
    "no ceiling is noted": ("policy_seal.c", "p->state[g->principal] |= STATE_CAPPED;", ";"),
    "projects hang nowhere": ("policy_seal.c", "p->parent[SCOPE_AT_PROJECTS + i] = SCOPE_AT_TENANT;",
                              "p->parent[SCOPE_AT_PROJECTS + i] = SCOPE_AT_PLATFORM;"),
    "assets hang below the tenant": ("policy_seal.c", "= SCOPE_AT_PROJECTS + p->assets.items[i].project;",
                                     "= SCOPE_AT_TENANT;"),
    "a suspended tenant lives": ("policy_seal.c", "if (!p->active || !who->active)", "if (!who->active)"),
    "the disabled live": ("policy_seal.c", "if (!p->active || !who->active)", "if (!p->active)"),
    "an owner's end is not noticed": ("policy_seal.c",
                                      "return owner != POLICY_NONE && p->principals.items[owner].active;",
                                      "return owner != POLICY_NONE;"),
    "DENY is in every set": ("action.h", "return (s->words[(unsigned)a >> 6] >> ((unsigned)a & 63) & 1) != 0;",
                             "return (s->words[(unsigned)a >> 6] >> ((unsigned)a & 62) & 1) != 0;"),
    "wildcards reach the privileged": ("action.c", "(!wild || privileged || actions[a].class != CLASS_PRIVILEGED)",
                                       "true"),
    "a pattern need not end": ("action.c", "return pattern[strspn(pattern, \"*\")] == '\\0';", "return true;"),
    "less is at most": ("condition.c", "return a < b;", "return a <= b;"),
    "at most is less": ("condition.c", "return a <= b;", "return a < b;"),
    "one comparison suffices": ("condition.c", "        if (!holds(&c->predicates[i], now, asset, now_ms))\n"
                                "            return false;", "        if (holds(&c->predicates[i], now, asset, now_ms))\n"
                                "            return true;"),
    "no comparison is true": ("condition.c", "return c->count > 0;", "return true;"),
    "what is unknown is unequal": ("condition.c", "return text != NULL && (strcmp", "return text == NULL || (strcmp"),
    "networks are wider": ("condition.c", "return rest == 0 || (", "return true || ("),
    "a network is any": ("condition.c", "memcmp(address, p->address, bytes) != 0", "false"),
    "no second factor is one": ("condition.c", "(now->mfa_age_s >= 0 && ", "("),
}


def lives(name):
    file, old, new = MUTANTS[name]
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory)
        for part in ("auth", "core"):
            shutil.copytree(ROOT / part, copy / part)
        shutil.copytree(ROOT / "tests/unit", copy / "tests/unit")
        path = copy / "auth/access" / file
        text = path.read_text()
        if text.count(old) != 1:
            return f"{name}: {text.count(old)} places for it in {file}"
        path.write_text(text.replace(old, new))
        for test in TESTS:
            sources = [f"auth/access/{s}.c" for s in SOURCES] + ["core/text.c", "core/text_time.c", "core/text_valid.c",
                                                          "core/text_codec.c", "core/arena.c", "core/crypto.c"]
            built = subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-w", "-I.", "-I/usr/include/postgresql",
                                    "-o", test, f"tests/unit/{test}.c", *sources, "-ljansson", "-lcrypto", "-pthread"],
                                   cwd=copy, capture_output=True, text=True, check=False)
            if built.returncode != 0:
                return f"{name}: does not compile\n{built.stderr[-600:]}"
            try:
                if subprocess.run([f"./{test}"], cwd=copy, capture_output=True, timeout=60, check=False).returncode != 0:
                    return None
            except subprocess.TimeoutExpired:
                return None
    return f"{name}: lives"


def main():
    names = sys.argv[1:] or list(MUTANTS)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [w for w in pool.map(lives, names) if w]
    print("\n".join(wrong + [f"{len(names) - len(wrong)} of {len(names)} mutants died"]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
