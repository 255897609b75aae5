#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""chancery-engine against scikit-learn (Debian's), in one run on this machine: ratios of fitting times.

Both sides fit the same 100,000 x 50 standardised numbers with the same penalty. Counted is the fit alone:
"seconds" of the engine's done event, and scikit-learn's fit(). scikit-learn is as Debian ships it, with
every core it takes; the engine has one BLAS thread. Sides alternate; printed are the best of each side, the
ratio of the two, and the loss both reach, which must not be worse on our side. (scikit-learn's lbfgs stops
by its own rule, so its loss is not the minimum.)

usage: bench_train.py BUILD [ROUNDS]
"""
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["CHANCERY_BUILD"] = str((ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build")).resolve())
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import engine_client  # noqa: E402  (the path is set above)
import numpy as np  # noqa: E402
from sklearn.datasets import make_classification, make_regression  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.metrics import log_loss, r2_score  # noqa: E402

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
ROWS, COLUMNS = 100_000, 50


def standardised(x):
    return (x - x.mean(0)) / x.std(0)


def write(path, x, y):
    whole = y.dtype.kind == "i"
    np.savetxt(path, np.column_stack([x, y]), delimiter=",", comments="",
               header=",".join([f"f{i}" for i in range(x.shape[1])] + ["y"]),
               fmt=["%.17g"] * x.shape[1] + ["%d" if whole else "%.17g"])


def compare(name, trainer, x, y, folder, make, loss):
    """Alternates both fits; loss(model) and the metric of ours are smaller for the better."""
    table, model = folder / "table.csv", folder / "model.onnx"
    write(table, x, y)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        done = engine_client.job("train", {"trainer": trainer, "target": "y", "test_fraction": 0},
                                 table=table, output=model)
        assert done["event"] == "done", done
        ours.append(done["seconds"])
        peer = make()
        start = time.perf_counter()
        peer.fit(x, y)
        theirs.append(time.perf_counter() - start)
    metrics = done["metrics"]
    mine = metrics["log_loss"] if trainer == "logistic" else 1 - metrics["r2"]
    other = loss(peer)
    print(f"{name:28s} engine {1e3 * min(ours):7.1f} ms   scikit-learn {1e3 * min(theirs):7.1f} ms   "
          f"{min(theirs) / min(ours):5.1f} times as fast   loss {mine:.9f} / {other:.9f}   "
          f"({done['blas']}, {done['iterations']} iterations)", flush=True)
    assert mine <= other * (1 + 1e-7), f"{name}: our loss is worse"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for classes in (2, 5):
            x, y = make_classification(ROWS, COLUMNS, n_informative=20, n_redundant=10, n_classes=classes,
                                       random_state=0)
            x = standardised(x)
            compare(f"logistic, {classes} classes", "logistic", x, y, folder,
                    lambda: LogisticRegression(max_iter=1000), lambda m: log_loss(y, m.predict_proba(x)))
        x, y = make_regression(ROWS, COLUMNS, noise=10, random_state=0)
        x = standardised(x)
        compare("ridge", "ridge", x, y, folder, Ridge, lambda m: 1 - r2_score(y, m.predict(x)))


if __name__ == "__main__":
    main()
