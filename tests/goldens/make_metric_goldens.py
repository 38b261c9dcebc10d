#!/usr/bin/python3
"""Records what scikit-learn and SciPy say about made-up predictions, for tests/runtime/train/*_test.cpp.

Run with Debian's python3-sklearn and python3-scipy:  /usr/bin/python3 tests/goldens/make_metric_goldens.py
Writes metrics.json beside itself. Neither library knows DeLong's interval or paired test; they are computed here from the
definition (placement values of all pairs, O(n^2)), the interval on the logit scale. The bootstrap over groups is NumPy's, with its own random
numbers and ten times the resamples, so that only statistics can make the two agree.
"""
import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import optimize, special, stats
from sklearn import metrics

Z = stats.norm.ppf(0.975)


def wilson(hits, of):
    if of == 0:
        return None
    interval = stats.binomtest(int(hits), int(of)).proportion_ci(0.95, method="wilson")
    return [interval.low, interval.high]


def delong_logit(labels, scores):
    x, y = scores[labels == 1], scores[labels == 0]
    wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    auc = wins.mean()
    variance = wins.mean(1).var(ddof=1) / len(x) + wins.mean(0).var(ddof=1) / len(y)
    logit, half = np.log(auc / (1 - auc)), Z * np.sqrt(variance) / (auc * (1 - auc))
    return variance, [1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))]


def ece(hit, probability, n_bins=10):
    bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    total = 0.0
    for b in range(n_bins):
        inside = bins == b
        if inside.any():
            total += inside.mean() * abs(probability[inside].mean() - hit[inside].mean())
    return total


def bootstrap(labels, scores, threshold, groups, n_resamples=20000):
    rng = np.random.default_rng(7)
    names, of_image = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(of_image == g) for g in range(len(names))]
    rows = {"balanced_accuracy": [], "f1": [], "auprc": [], "brier": [], "ece": []}
    for _ in range(n_resamples):
        take = np.concatenate([members[g] for g in rng.integers(len(names), size=len(names))])
        y, p = labels[take], scores[take]
        called = p >= threshold
        if y.min() == y.max():
            continue
        tp, fp, fn = (called & (y == 1)).sum(), (called & (y == 0)).sum(), (~called & (y == 1)).sum()
        tn = len(y) - tp - fp - fn
        rows["balanced_accuracy"].append(0.5 * (tp / (tp + fn) + tn / (tn + fp)))
        rows["f1"].append(2 * tp / (2 * tp + fp + fn))
        rows["brier"].append(((p - y) ** 2).mean())
        bins = np.minimum((p * 10).astype(int), 9)
        rows["ece"].append(np.abs(np.bincount(bins, p - y, 10)).sum() / len(y))
        if len(rows["auprc"]) < 4000:  # scikit-learn is slow here
            rows["auprc"].append(metrics.average_precision_score(y, p))
    intervals = {name: list(np.quantile(values, [0.025, 0.975])) for name, values in rows.items()}
    value = ece(labels, scores)  # the basic bootstrap, cut off at 0 and widened to hold the value
    low, high = 2 * value - intervals["ece"][1], 2 * value - intervals["ece"][0]
    intervals["ece"] = [min(max(low, 0.0), value), max(high, value)]
    return intervals


def binary_case(name, labels, scores, threshold, groups):
    called = (scores >= threshold).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(labels, called, labels=[0, 1]).ravel()
    variance, interval = delong_logit(labels, scores)
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=True)
    return {
        "name": name, "classes": ["NORMAL", "PNEUMONIA"], "threshold": threshold, "labels": labels.tolist(),
        "probabilities": np.stack([1 - scores, scores], 1).ravel().tolist(), "groups": groups.tolist(),
        "confusion": [int(tn), int(fp), int(fn), int(tp)],
        "values": {
            "auroc": metrics.roc_auc_score(labels, scores),
            "auprc": metrics.average_precision_score(labels, scores),
            "accuracy": metrics.accuracy_score(labels, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, called),
            "sensitivity": metrics.recall_score(labels, called),
            "specificity": metrics.recall_score(labels, called, pos_label=0),
            "ppv": metrics.precision_score(labels, called),
            "npv": metrics.precision_score(labels, called, pos_label=0),
            "f1": metrics.f1_score(labels, called),
            "brier": metrics.brier_score_loss(labels, scores),
            "ece": ece(labels, scores),
            "log_loss": metrics.log_loss(labels, scores, eps=1e-15),
        },
        "wilson": {
            "accuracy": wilson(tp + tn, len(labels)), "sensitivity": wilson(tp, tp + fn),
            "specificity": wilson(tn, tn + fp), "ppv": wilson(tp, tp + fp), "npv": wilson(tn, tn + fn),
        },
        "delong": {"variance": variance, "auroc": interval},
        "bootstrap": bootstrap(labels, scores, threshold, groups),
        "roc": [fpr.tolist(), tpr.tolist()],
    }


def three_class_case(rng, n=240):
    labels = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 1.3 * np.eye(3)[labels]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p = p.astype(np.float32).astype(np.float64)
    p = (p / p.sum(1, keepdims=True)).astype(np.float32).astype(np.float64)
    called = p.argmax(1)
    one_hot = np.eye(3)[labels]
    return {
        "name": "three classes", "classes": ["BACTERIA", "NORMAL", "VIRUS"], "threshold": 0.5,
        "labels": labels.tolist(), "probabilities": p.ravel().tolist(), "groups": [],
        "confusion": metrics.confusion_matrix(labels, called).ravel().tolist(),
        "values": {
            "auroc": float(np.mean([metrics.roc_auc_score(labels == c, p[:, c]) for c in range(3)])),
            "auprc": float(np.mean([metrics.average_precision_score(labels == c, p[:, c]) for c in range(3)])),
            "accuracy": metrics.accuracy_score(labels, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, called),
            "sensitivity": metrics.recall_score(labels, called, average="macro"),
            "specificity": float(np.mean([metrics.recall_score(labels != c, called != c) for c in range(3)])),
            "ppv": metrics.precision_score(labels, called, average="macro"),
            "npv": float(np.mean([metrics.precision_score(labels != c, called != c) for c in range(3)])),
            "f1": metrics.f1_score(labels, called, average="macro"),
            "brier": float(((p - one_hot) ** 2).sum(1).mean()),
            "ece": ece((labels == called).astype(float), p.max(1)),
            "log_loss": float(-np.log(p[np.arange(n), labels]).mean()),
        },
        "wilson": {"accuracy": wilson((called == labels).sum(), n)},
    }


def paired_delong(labels, a, b):
    """From the definition: the covariance matrix of both areas, of placements over all pairs."""
    areas, by_positive, by_negative = [], [], []
    for scores in (a, b):
        x, y = scores[labels == 1], scores[labels == 0]
        wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
        areas.append(wins.mean())
        by_positive.append(wins.mean(1))
        by_negative.append(wins.mean(0))
    covariance = np.cov(by_positive) / len(by_positive[0]) + np.cov(by_negative) / len(by_negative[0])
    contrast = np.array([1.0, -1.0])
    difference, error = areas[0] - areas[1], np.sqrt(contrast @ covariance @ contrast)
    return {"difference": difference, "standard_error": error, "z": difference / error,
            "p_value": 2 * stats.norm.sf(abs(difference / error)),
            "ci95": [difference - Z * error, difference + Z * error]}


def comparison_case(name, rng, n_negative, n_positive, separation, noise, threshold):
    labels, first = scored(rng, n_negative, n_positive, separation, 12)
    logit = np.log(np.clip(first, 1e-3, 1 - 1e-3) / (1 - np.clip(first, 1e-3, 1 - 1e-3)))
    second = np.round(4096 / (1 + np.exp(-(logit + noise * rng.normal(size=len(labels)))))) / 4096
    right = [((s >= threshold) == (labels == 1)) for s in (first, second)]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    if only_first + only_second < 25:
        p_value = stats.binomtest(only_first, only_first + only_second, 0.5).pvalue
    else:
        p_value = stats.chi2.sf((abs(only_first - only_second) - 1) ** 2 / (only_first + only_second), 1)
    return {"name": name, "threshold": threshold, "labels": labels.tolist(), "first": first.tolist(),
            "second": second.tolist(), "only_first_right": only_first, "only_second_right": only_second,
            "both_right": int((right[0] & right[1]).sum()), "mcnemar_p": p_value,
            "delong": paired_delong(labels, first, second),
            "accuracy_difference": right[0].mean() - right[1].mean()}


def temperature_case(name, labels, logits, weights):
    """The minimum by SciPy, the sandwich error of ln T by differences of each picture's loss."""
    p = special.softmax(logits, axis=1).astype(np.float32)
    log_p, each = np.log(p.astype(np.float64)), np.arange(len(labels))
    weight = np.array(weights)[labels]

    def losses(log_t):
        return -weight * special.log_softmax(log_p / np.exp(log_t), axis=1)[each, labels]

    log_t = optimize.minimize_scalar(lambda v: losses(v).sum(), bracket=(-0.5, 0.5), tol=1e-12).x
    h = 1e-4
    slopes = (losses(log_t + h) - losses(log_t - h)) / (2 * h)
    curvature = (losses(log_t + h).sum() - 2 * losses(log_t).sum() + losses(log_t - h).sum()) / h**2
    error = np.sqrt((slopes**2).sum()) / curvature
    return {"name": name, "labels": labels.tolist(), "weights": weights, "n_classes": logits.shape[1],
            "probabilities": p.astype(float).ravel().tolist(), "temperature": float(np.exp(log_t)),
            "ci95": [float(np.exp(log_t - Z * error)), float(np.exp(log_t + Z * error))],
            "calibrated": special.softmax(log_p / np.exp(log_t), axis=1).ravel()[:60].tolist()}


def temperature_cases(rng):
    labels = (rng.random(400) < 0.74).astype(int)
    logit = rng.normal(size=400) + (2 * labels - 1)
    two = np.stack([np.zeros(400), 5.0 * logit], 1)  # far too sure
    three_labels = rng.integers(0, 3, 300)
    three = 0.4 * (rng.normal(size=(300, 3)) + 1.5 * np.eye(3)[three_labels])  # not sure enough
    return [temperature_case("too sure", labels, two, [1.9, 0.67]),
            temperature_case("three classes, not sure enough", three_labels, three, [1.0, 0.8, 1.3])]


def newcombe(area, n_positive, n_negative):
    """Method 5 of Newcombe, Stat. Med. 25:559 (2006): the score interval with the variance of Hanley and McNeil (1982), both
    sample sizes in it replaced by their mean."""
    mean_size = (n_positive + n_negative) / 2

    def excess(theta):
        q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
        variance = (theta * (1 - theta) + (mean_size - 1) * (q1 - theta**2 + q2 - theta**2)) / (n_positive * n_negative)
        return (area - theta) ** 2 - scipy.stats.norm.ppf(0.975) ** 2 * variance
    low = 0.0 if area == 0 else scipy.optimize.brentq(excess, 1e-12, area - 1e-12, xtol=1e-15)
    high = 1.0 if area == 1 else scipy.optimize.brentq(excess, area + 1e-12, 1 - 1e-12, xtol=1e-15)
    return {"auroc": area, "n_positive": n_positive, "n_negative": n_negative, "ci95": [low, high]}


def scored(rng, n_negative, n_positive, separation, decimals):
    labels = np.r_[np.zeros(n_negative, int), np.ones(n_positive, int)]
    rng.shuffle(labels)
    scores = 1 / (1 + np.exp(-(rng.normal(size=len(labels)) + separation * (labels - 0.5))))
    # Multiples of 2^-k, so that float32 in the program and float64 here hold the same numbers.
    return labels, np.round(scores * 2**decimals) / 2**decimals


def main():
    rng = np.random.default_rng(20240229)
    labels, scores = scored(rng, 234, 390, 3.5, 12)
    groups = np.array([f"person{k}" if y else f"IM-{k}" for k, y in zip(rng.integers(0, 150, len(labels)), labels)])
    cases = [binary_case("like the public test split", labels, scores, 0.5, groups)]
    labels, scores = scored(rng, 60, 40, 1.0, 3)
    cases.append(binary_case("nearly all tied", labels, scores, 0.625, np.array([str(i) for i in range(100)])))
    labels, scores = scored(rng, 190, 10, 2.0, 10)
    cases.append(binary_case("rare", labels, scores, 0.75, np.array([str(i // 2) for i in range(200)])))
    cases.append(three_class_case(rng))
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
    path = pathlib.Path(__file__).parent / "metrics.json"
    rng = np.random.default_rng(1988)  # of its own: more cases above leave these as they are
    comparisons = [comparison_case("few disagreements", rng, 120, 200, 4.0, 0.35, 0.5),
                   comparison_case("many disagreements", rng, 234, 390, 2.5, 1.2, 0.375)]
    recorded = {"recorded_with": versions, "cases": cases, "comparisons": comparisons,
                "temperatures": temperature_cases(rng),
                "newcombe": [newcombe(*case) for case in [(1.0, 3, 3), (1.0, 40, 60), (1.0, 390, 234), (0.0, 12, 7),
                                                          (0.75, 1, 20), (0.9, 1, 10)]]}
    path.write_text(json.dumps(recorded, indent=None) + "\n")


if __name__ == "__main__":
    main()
