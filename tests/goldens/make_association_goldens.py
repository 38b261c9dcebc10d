#!/usr/bin/python3
"""Records what SciPy and scikit-learn say about made-up figures, for tests/runtime/train/association_test.cpp.

Run with Debian's python3-sklearn and python3-scipy:  /usr/bin/python3 tests/goldens/make_association_goldens.py
Writes association.json beside itself: Spearman's correlation with ties, Fisher's exact test, the tail of the chi-square
distribution, the chi-square test of a table, and a logistic regression with an L2 penalty on standardised columns.
"""
import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(11)


def correlations():
    for n, levels, slope in ((12, 4, 1.0), (200, 9, -0.6), (57, 1000, 0.0)):
        x = rng.integers(levels, size=n).astype(float)
        y = np.round(slope * x + rng.normal(size=n) * levels / 4, 1)
        yield {"x": x.tolist(), "y": y.tolist(), "value": stats.spearmanr(x, y).correlation}


def tables():
    for counts in ([[3, 40], [11, 30]], [[0, 25], [7, 118]], [[10, 90], [10, 90]], [[1, 2], [300, 9]],
                   [[5, 95], [9, 80], [20, 100]], [[3, 50], [4, 61], [2, 40], [19, 80]]):
        counts = np.array(counts)  # a row a group: hits, misses
        two = len(counts) == 2
        p = stats.fisher_exact(counts)[1] if two else stats.chi2_contingency(counts, correction=False)[1]
        yield {"counts": counts.tolist(), "method": "fisher" if two else "chi_square", "p_value": p}


def tails():
    for degrees in (1, 2, 3, 7, 40):
        for value in (0.01, 0.5, 1.0, 2.5, 9.0, 30.0, 80.0):
            yield {"value": value, "degrees": degrees, "tail": stats.chi2.sf(value, degrees)}


def regressions():
    for name, n, separation in (("overlapping", 150, 1.0), ("far apart", 80, 30.0)):
        x = rng.normal(size=(n, 3)) * [1.0, 40.0, 0.01] + [0.0, 120.0, 3.0]
        y = (separation * x[:, 0] + (x[:, 1] - 120) / 80 + rng.logistic(size=n) > 0.3).astype(int)
        z = (x - x.mean(0)) / x.std(0)
        fit = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(z, y)
        yield {"name": name, "x": x.tolist(), "y": y.tolist(), "weights": fit.coef_[0].tolist(),
               "intercept": fit.intercept_[0], "probabilities": fit.predict_proba(z)[:, 1].tolist()}


out = {"scipy": scipy.__version__, "sklearn": sklearn.__version__, "correlations": list(correlations()),
       "tables": list(tables()), "tails": list(tails()), "regressions": list(regressions())}
(pathlib.Path(__file__).parent / "association.json").write_text(json.dumps(out) + "\n")
