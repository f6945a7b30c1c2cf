#!/usr/bin/python3
"""Fifty-digit truth for the families of contracts on a hostile grid, and the
exact maxima of the likelihood on the published series.

usage: contract.py sbg > hostile_sbg.h
       contract.py bdw > hostile_bdw.h (takes some minutes)
       contract.py optima > optima_contract.h

Every figure is computed from its definition or from the published form, never
from the arrangement used in src/models:
  survival    ratio of gamma functions; beyond n = 1e200 by the first terms of
              their expansion (Tricomi & Erdelyi 1951)
  loglik      ln of S(t - 1) - S(t), with digits to spare
  payments    sbg: published 2F1; with a horizon, that less the same from there on.
              bdw: term by term, and where that is too long by the formula of Abel
              and Plana
  optima      root of the gradient of the log-likelihood
"""
import random
import sys

from mpmath import (diff, exp, expm1, findroot, hyp2f1, inf, log, log1p, loggamma, mp, mpf, psi, quad, re, workdps)

from common import number

mp.dps = 50
INF = float("inf")


def log_survival(theta, t):
    """theta = (a, b, c); any t >= 0, also complex"""
    a, b, c = theta
    if t == 0:
        return mpf(0)
    n = exp(c * log(t))
    if abs(n) > mpf(10) ** 200:
        return loggamma(a + b) - loggamma(b) - a * c * log(t)
    with workdps(mp.dps + 20 + (int(log(abs(n)) / log(10)) if abs(n) > 1 else 0)):
        return loggamma(b + n) - loggamma(a + b + n) + loggamma(a + b) - loggamma(b)


def loglik(theta, churned, t):
    with workdps(300):
        if not churned:
            return log_survival(theta, mpf(t))
        return log(exp(log_survival(theta, mpf(t - 1))) - exp(log_survival(theta, mpf(t))))


def sbg_all(a, b, d):
    """sum over j >= 1 of S(j) (1 + d)^-j"""
    if d == 0:
        return b / (a - 1) if a > 1 else inf
    with workdps(80):
        return b / ((a + b) * (1 + d)) * hyp2f1(1, b + 1, a + b + 1, 1 / (1 + d), maxterms=10 ** 7)


def sbg_payments(theta, t, rate, horizon):
    a, b, c = theta
    b = b + t
    if rate == 0 and a == 1 and horizon != INF:
        return b * (psi(0, b + horizon + 1) - psi(0, b + 1))
    with workdps(120):
        d = expm1(rate)
        if horizon == INF:
            return sbg_all(a, b, d)
        left = exp(log_survival((a, b, c), mpf(horizon)) - rate * horizon)
        if rate == 0:
            return (b - left * (b + horizon)) / (a - 1)
        return sbg_all(a, b, d) - left * sbg_all(a, b + horizon, d)


def bdw_payments(theta, t, rate, horizon):
    start = log_survival(theta, t)

    def g(j):
        return exp(log_survival(theta, t + j) - start - rate * j)

    total = mpf(0)
    j = 1
    direct = 10000 if horizon != INF or rate > .003 else 40
    while j <= horizon and j <= direct:
        term = g(mpf(j))
        total += term
        if term < total * mpf(10) ** -32 and rate > .001:
            return total
        j += 1
    if j > horizon:
        return total
    if horizon != INF:
        raise ArithmeticError("long horizon")
    first = mpf(j)
    if g(first) * (t + first) < total * mpf(10) ** -40:
        return total
    with workdps(32):
        low = log(t + first)
        length = log(90 / rate) - low + 2 if rate > 0 else 75 / (theta[0] * theta[2] - 1)
        pieces = 2 * int(length) + 2
        points = [low + length * k / pieces for k in range(pieces + 1)]
        tail, error = quad(lambda w: exp(w) * g(exp(w) - t), points, error=True, maxdegree=8)
        turn = quad(lambda y: -2 * (g(first + 1j * y)).imag / expm1(2 * mp.pi * y), [0, 1, 2, 4, 12])
        if error > (total + tail) * mpf(10) ** -22:
            raise ArithmeticError(f"payments {theta} {t} {rate}: {error}")
    return total + tail + g(first) / 2 + turn


THETAS = [
    (.704, 1.182, 1.), (.668, 3.806, 1.), (.523, .894, 1.196), (.259, 1.722, 1.584),
    (1., 1., 1.), (1., 3., .5), (1e-3, 1e-3, 1e-3), (1e-3, 1e3, 1e-3), (1e-3, 1e3, 1e3),
    (1e3, 1e3, 1e-3), (1e3, 1e-3, 1.), (1e3, 1e3, 1e3), (1e3, 1e3, 1.), (1e-3, 1., 1e3), (2.5, 40., 3.),
    (3., 2., .4),
]
TENURES = [0, 1, 7, 400, 10000]
LIFETIMES = [0, 1, 2, 13, 1000, 100000]
RATES = [.1, .0019, 1.5, 1e-5, .02]
HORIZONS = [INF, 12., 1., 2000., INF]


def thetas_of(family):
    rng = random.Random(20260102)

    def draw():
        return float(f"{10 ** rng.uniform(-3, 3):.3g}")
    seen = set()
    for theta in THETAS + [(draw(), draw(), draw()) for _ in range(12)]:
        theta = (theta[0], theta[1], 1. if family == "sbg" else theta[2])
        if theta not in seen:
            seen.add(theta)
            yield theta


def emit(what, theta, churned, lifetime, arg, arg2, value):
    cells = ", ".join(number(v) for v in list(theta) + [0.])
    rest = ", ".join(number(float(v)) for v in (churned, 0, lifetime, arg, arg2))
    print(f"\t{{{what}, {{{cells}}}, {rest}, {number(mpf(re(value)))}}},", flush=True)


def hostile(family):
    payments = sbg_payments if family == "sbg" else bdw_payments
    k = 0
    for shown in thetas_of(family):
        theta = tuple(mpf(v) for v in shown)
        for t in LIFETIMES:
            emit("SURVIVAL", shown, 0, 0, t, 0, exp(log_survival(theta, mpf(t))))
            for churned in (0, 1):
                if t > 0 or not churned:
                    emit("LOGLIK", shown, churned, t, 0, 0, loglik(theta, churned, t))
        for t in TENURES:
            k += 1
            start = log_survival(theta, mpf(t))
            with workdps(300):
                made = [exp(log_survival(theta, mpf(t + n)) - log_survival(theta, mpf(t))) for n in (3, 4)]
            emit("PMF", shown, 0, t, 20, 3, made[0] - made[1])
            emit("PMF", shown, 0, t, 3, 3, made[0])
            try:
                rate, horizon = RATES[k % 5], HORIZONS[k // 2 % 5]
                emit("DISCOUNTED", shown, 0, t, rate, horizon, payments(theta, mpf(t), mpf(rate), horizon))
                emit("RESIDUAL", shown, 0, 0, t, rate, (1 + mpf(rate)) * payments(theta, mpf(t), log1p(mpf(rate)), INF))
                emit("EXPECTED", shown, 0, t, (5, 1, 2000, 60)[k % 4], 0,
                     payments(theta, mpf(t), mpf(0), (5, 1, 2000, 60)[k % 4]))
                if theta[0] > 1 and (family == "sbg" or theta[2] > .2 and 1.1 < theta[0] * theta[2] < 20):
                    emit("RESIDUAL", shown, 0, 0, t, 0, payments(theta, mpf(t), mpf(0), INF))
            except (ArithmeticError, ValueError) as problem:
                print("left out:", problem, file=sys.stderr)


SERIES = {
    "regular, 7 renewals": [1000, 631, 468, 382, 326, 289, 262, 241],
    "high end, 7 renewals": [1000, 869, 743, 653, 593, 551, 517, 491],
    "regular, 4 renewals": [1000, 631, 468, 382, 326],
    "high end, 4 renewals": [1000, 869, 743, 653, 593],
}
NEAR = {"sbg": [(.7, 1.2), (.67, 3.8), (.76, 1.3), (1.28, 7.8)],
        "bdw": [(.7, 1.18, 1.), (.3, 1.8, 1.5), (.523, .894, 1.196), (.259, 1.722, 1.584)]}


def series_loglik(survivors, theta):
    total = survivors[-1] * log_survival(theta, mpf(len(survivors) - 1))
    for t in range(1, len(survivors)):
        total += (survivors[t - 1] - survivors[t]) * loglik(theta, True, t)
    return total


def optima():
    print("/* optima_contract.h: written by contract.py; do not edit.\n"
          " * family, series, survivors after 0, 1, ... renewals, parameters, log-likelihood */")
    print("static const optimum optima[] = {")
    for family in ("sbg", "bdw"):
        for (name, survivors), near in zip(SERIES.items(), NEAR[family]):
            def f(*logs):
                theta = [exp(v) for v in logs] + ([mpf(1)] if family == "sbg" else [])
                return series_loglik(survivors, theta)

            def gradient(*logs):
                order = len(logs)
                return [diff(f, logs, tuple(int(i == k) for i in range(order))) for k in range(order)]
            logs = findroot(gradient, [log(mpf(v)) for v in near], tol=1e-30)
            theta = ", ".join(number(exp(v)) for v in logs)
            counts = ", ".join(str(n) for n in survivors)
            print(f"\t{{\"{family}\", \"{name}\", {{{counts}}}, {len(survivors)}, {{{theta}}}, {number(f(*logs))}}},")
    print("};")


if __name__ == "__main__":
    which = sys.argv[1]
    if which == "optima":
        optima()
    else:
        print(f"/* hostile_{which}.h: written by contract.py; do not edit.\n"
              " * function, parameters, churned, 0, lifetime, two arguments, truth */")
        print(f"static const truth_row hostile_{which}[] = {{")
        hostile(which)
        print("};")
