# SPDX-License-Identifier: Apache-2.0
"""The foreign side of test_onnx_models.py, run inside its own virtual environment.

onnx_peer.py run MODEL TABLE            onnxruntime's outputs for a table, as JSON
onnx_peer.py export DIR                 models that skl2onnx makes of scikit-learn's, and x.csv
onnx_peer.py fit TABLE TARGET TRAINER   scikit-learn's coefficients on the standardised table
"""
import csv
import json
import math
import pathlib
import sys
import warnings

import numpy as np

MISSING = {"", "na", "nan", "null"}


def number(cell):
    if cell.lower() in MISSING:
        return math.nan
    return float({"true": "1", "false": "0"}.get(cell.lower(), cell))


def read(table):
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def feeds(session, rows):
    """The inputs of a model of ours by its metadata, of a foreign one by the table's columns."""
    meta = session.get_modelmeta().custom_metadata_map.get("chancery")
    if meta is None:
        kind = np.float32 if session.get_inputs()[0].type == "tensor(float)" else np.float64
        return {session.get_inputs()[0].name: np.array([[number(c) for c in r.values()] for r in rows], kind)}
    made = {}
    for feature in json.loads(meta)["features"]:
        cells = [r[feature["name"]] for r in rows]
        if feature["type"] == "text":
            text = ["" if c.lower() in MISSING else c for c in cells]
            made[feature["input"]] = np.array(text, dtype=object).reshape(-1, 1)
        else:
            made.setdefault(feature["input"], {})[feature["index"]] = [number(c) for c in cells]
    return {name: np.column_stack([v[i] for i in range(len(v))]) if isinstance(v, dict) else v
            for name, v in made.items()}


def run(model, table):
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(model)
    rows = read(table)
    outputs = []
    for name, value in zip([o.name for o in session.get_outputs()], session.run(None, feeds(session, rows))):
        if isinstance(value, list):  # ZipMap's list of maps
            value = np.array([[line[k] for k in sorted(line)] for line in value])
        outputs.append({"name": name, "values": value.reshape(len(rows), -1).tolist()})
    return outputs


def export(folder):
    from sklearn import ensemble, impute, linear_model, naive_bayes, neural_network, pipeline, preprocessing, tree
    from sklearn.decomposition import PCA
    from skl2onnx import to_onnx
    rng = np.random.RandomState(0)
    x = rng.randn(80, 4)
    two = (x[:, 0] + 0.3 * rng.randn(80) > 0).astype(int)
    three = np.digitize(x[:, 0], [-0.5, 0.5])
    words = np.array(["lo", "mid", "hi"])[three]
    real = x @ [1, 2, -1, 0] + 5
    plain, zipped = {"zipmap": False}, None
    lr, pipe = linear_model.LogisticRegression, pipeline.make_pipeline
    made = {
        "logistic_two": (lr(), two, plain), "logistic_words_zipmap": (lr(), words, zipped),
        "ridge": (linear_model.Ridge(), real, None), "naive_bayes": (naive_bayes.GaussianNB(), three, plain),
        "sgd": (linear_model.SGDClassifier(loss="log_loss", random_state=0), three, plain),
        "imputed_scaled_normalised": (pipe(impute.SimpleImputer(), preprocessing.StandardScaler(),
                                           preprocessing.Normalizer(), lr()), three, plain),
        "minmax_pca": (pipe(preprocessing.MinMaxScaler(), PCA(2), linear_model.LinearRegression()), real, None),
        "robust_lasso": (pipe(preprocessing.RobustScaler(), linear_model.Lasso(0.1)), real, None),
        "polynomial": (pipe(preprocessing.PolynomialFeatures(2), linear_model.Ridge()), real, None),
        "binarised": (pipe(preprocessing.Binarizer(), linear_model.RidgeClassifier()), three, plain),
        "mlp": (neural_network.MLPClassifier(hidden_layer_sizes=(5,), max_iter=30, random_state=0), words, plain),
        "mlp_tanh": (neural_network.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=30,
                                                 random_state=0), real, None),
        "tree": (tree.DecisionTreeClassifier(max_depth=3, random_state=0), words, plain),
        "forest_two": (ensemble.RandomForestClassifier(5, max_depth=3, random_state=0), two, plain),
        "forest": (ensemble.RandomForestClassifier(5, max_depth=3, random_state=0), three, plain),
        "forest_regressor": (ensemble.RandomForestRegressor(5, max_depth=3, random_state=0), real, None),
        "boosted_two": (ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0), two, plain),
        "boosted": (ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0), three, plain),
        "boosted_regressor": (ensemble.GradientBoostingRegressor(n_estimators=5, random_state=0), real, None)}
    folder = pathlib.Path(folder)
    for name, (model, y, options) in made.items():
        model.fit(x.astype(np.float32), y)
        for opset in ((15, 3), (9, 1)):
            try:
                onnx = to_onnx(model, x.astype(np.float32), options=options,
                               target_opset={"": opset[0], "ai.onnx.ml": opset[1]})
            except (RuntimeError, NotImplementedError):
                continue  # the exporter cannot, at that operator set
            (folder / f"{name}_{opset[0]}.onnx").write_bytes(onnx.SerializeToString())
    np.savetxt(folder / "x.csv", x.astype(np.float32), delimiter=",", header="a,b,c,d", comments="", fmt="%.17g")
    return sorted(p.name for p in folder.glob("*.onnx"))


def fit(table, target, trainer):
    from sklearn import linear_model
    rows = read(table)
    names = [c for c in rows[0] if c != target]
    x = np.array([[number(r[c]) for c in names] for r in rows])
    x = (x - x.mean(0)) / x.std(0)
    y = np.array([r[target] for r in rows])
    if trainer == "ridge":
        model = linear_model.Ridge(alpha=1.0).fit(x, y.astype(float))
    else:
        model = linear_model.LogisticRegression(solver="newton-cg", tol=1e-12, max_iter=10000).fit(x, y)
    return {"weights": np.atleast_2d(model.coef_).tolist(), "intercepts": np.atleast_1d(model.intercept_).tolist()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({"run": run, "export": export, "fit": fit}[sys.argv[1]](*sys.argv[2:])))
