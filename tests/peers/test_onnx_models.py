# SPDX-License-Identifier: Apache-2.0
"""Our models before ONNX Runtime, scikit-learn's models before our interpreter, our fits before theirs.

ONNX Runtime, scikit-learn and skl2onnx live in a virtual environment of pinned versions, which is made
once in build/peers/onnx. Without it the tests are skipped with the reason, and fail when REQUIRE_PEERS=1.
"""
import csv
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import engine_client  # noqa: E402  (the path is set above)

DATA = ROOT / "tests" / "data"
VENV = ROOT / "build" / "peers" / "onnx"
TABLES = {"breast_cancer": ("logistic", "diagnosis"), "iris": ("logistic", "species"),
          "diabetes": ("ridge", "progression")}
MIXED = """age,city,member,income,risk
31,Bonn,true,1000.5,low
45,"Aachen, West",false,2000,high
NA,Bonn,true,1500,low
28,,false,1100,mid
51,Köln,true,900,high
39,Köln,NA,1750,mid
62,"Aachen, West",false,800,high
22,Bonn,true,1200,low
35,,true,1300,mid
"""


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def peer():
    """Calls onnx_peer.py in its environment."""
    python = VENV / "bin" / "python"
    if not engine_client.ENGINE.exists():
        missing(f"{engine_client.ENGINE} is not built")
    if not python.exists() or subprocess.run([python, "-c", "import onnxruntime, sklearn, skl2onnx"],
                                             capture_output=True, check=False).returncode:
        VENV.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(f"{sys.executable} -m venv {VENV} && {python} -m pip install --quiet "
                              f"-r {HERE / 'onnx-requirements.txt'}",
                              shell=True, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            missing(f"onnxruntime and scikit-learn cannot be installed: {made.stderr[-300:]}")

    def call(*arguments):
        done = subprocess.run([python, HERE / "onnx_peer.py", *arguments], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)
    return call


def train(table, model, **spec):
    done = engine_client.job("train", spec, table=table, output=model)
    assert done["event"] == "done", done
    return done


def predict(table, model, output):
    """Our predictions, a list of columns; labels stay text."""
    done = engine_client.job("predict", {"columns_out": "only"}, table=table, output=output, model=model)
    assert done["event"] == "done", done
    with open(output, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert done["rows"] == len(rows) - 1
    return [list(column) for column in zip(*rows[1:])]


def same(outputs, ours, tolerance):
    theirs = [list(column) for o in outputs for column in zip(*o["values"])]
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours):
        if isinstance(a[0], str):
            assert a == b
        else:
            assert [float(x) for x in b] == pytest.approx(a, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", TABLES)
def test_onnxruntime_predicts_as_we_do(peer, tmp_path, name):
    trainer, target = TABLES[name]
    model = tmp_path / "model.onnx"
    train(DATA / f"{name}.csv", model, trainer=trainer, target=target)
    ours = predict(DATA / f"{name}.csv", model, tmp_path / "out.csv")
    same(peer("run", model, DATA / f"{name}.csv"), ours, 1e-9)


@pytest.mark.parametrize("trainer, target", [("logistic", "risk"), ("ridge", "income"), ("logistic", "member")])
def test_onnxruntime_reads_text_gaps_and_booleans_as_we_do(peer, tmp_path, trainer, target):
    table, full, model = tmp_path / "mixed.csv", tmp_path / "full.csv", tmp_path / "model.onnx"
    table.write_text(MIXED, encoding="utf-8")
    # a target must be there in every row to learn from
    full.write_text("".join(x + "\n" for x in MIXED.splitlines() if target != "member" or ",NA," not in x),
                    encoding="utf-8")
    train(full, model, trainer=trainer, target=target, test_fraction=0)
    same(peer("run", model, table), predict(table, model, tmp_path / "out.csv"), 1e-9)


@pytest.fixture(scope="session")
def exported(peer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    return folder, peer("export", folder)


def test_models_of_scikit_learn_predict_as_in_onnxruntime(peer, tmp_path, exported):
    folder, names = exported
    assert len(names) >= 30
    for name in names:
        ours = predict(folder / "x.csv", folder / name, tmp_path / "out.csv")
        same(peer("run", folder / name, folder / "x.csv"), ours, 2e-6)


def weights(model):
    """Weights (inputs, outputs) and intercepts out of a model of ours, with onnx itself."""
    code = ("import json,sys,onnx;from onnx import numpy_helper as h;"
            "t={i.name:h.to_array(i) for i in onnx.load(sys.argv[1]).graph.initializer};"
            "print(json.dumps([t['scores/weights'].tolist(),t['scores/intercepts'].tolist()]))")
    done = subprocess.run([VENV / "bin" / "python", "-c", code, model], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", TABLES)
def test_coefficients_are_those_of_scikit_learn(peer, tmp_path, name):
    trainer, target = TABLES[name]
    model = tmp_path / "model.onnx"
    train(DATA / f"{name}.csv", model, trainer=trainer, target=target, test_fraction=0, l2=1.0, tolerance=1e-10)
    theirs = peer("fit", DATA / f"{name}.csv", target, trainer)
    w, b = weights(model)
    for output, line in enumerate(theirs["weights"]):
        assert [row[output] for row in w] == pytest.approx(line, rel=1e-5, abs=1e-6)
    assert b[0] == pytest.approx(theirs["intercepts"], rel=1e-5, abs=1e-6)


def test_onnx_itself_finds_our_models_valid(peer, tmp_path):
    table, model = tmp_path / "mixed.csv", tmp_path / "model.onnx"
    table.write_text(MIXED, encoding="utf-8")
    train(table, model, trainer="logistic", target="risk")
    subprocess.run([VENV / "bin" / "python", "-c",
                    "import onnx,sys;onnx.checker.check_model(onnx.load(sys.argv[1]),full_check=True)", model],
                   check=True)
