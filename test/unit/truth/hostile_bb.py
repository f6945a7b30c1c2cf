#!/usr/bin/python3
"""Fifty-digit truth for BG/BB on a hostile grid.

usage: hostile_bb.py > hostile_bg_bb.h (takes minutes)

Every figure from the paper's published form (Fader, Hardie & Shang 2010), with
precision raised where it is singular, or from its definition as a sum; never
from the arrangement used in src/models/bg_bb.c:
  loglik      equation 5, term by term from t_x up, in beta functions
  expected    equation 9's gamma functions (gamma = 1: its limit by shifting gamma by 1e-60)
  discounted  equation 14's 2F1; with a horizon: less the same of those beyond it
  pmf         equation 7 for one who is alive at the first opportunity, summed
  next        the distribution function, walked
"""
import random
import sys

from mpmath import exp, expm1, hyp2f1, loggamma, mp, mpf, workdps

from common import number

mp.dps = 50
INF = float("inf")


def lbeta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def likelihoods(theta, x, t_x, n):
    """alive at n; left before (each over B(alpha, beta) B(gamma, delta)), both times e^-shift; shift"""
    al, be, g, d = theta
    with workdps(60):
        alive = lbeta(al + x, be + n - x) + lbeta(g, d + n)
        first = lbeta(al + x, be + t_x - x) + lbeta(g + 1, d + t_x)
        shift = max(alive, first)
        term, gone = exp(first - shift), mpf(0)
        for j in range(int(t_x), int(n)):
            gone += term
            term *= (be + j - x) / (al + be + j) * (d + j) / (g + d + 1 + j)
        return exp(alive - shift), gone, shift - lbeta(al, be) - lbeta(g, d)


def living(c, n):
    """sum over j < n of (d)_j / (g + d)_j"""
    g, d = c[2], c[3]
    if n == INF:
        return (g + d - 1) / (g - 1) if g > 1 else mp.inf
    with workdps(150):
        if g == 1:
            g += mpf(10) ** -60
        fade = exp(loggamma(g + d) + loggamma(d + n) - loggamma(g + d - 1 + n) - loggamma(d))
        return (g + d - 1 - fade) / (g - 1)


def discounted(c, rate, n):
    al, be, g, d = c
    with workdps(120):
        v = exp(-mpf(rate))
        value = v * hyp2f1(1, d, g + d, v, maxterms=10 ** 7)
        if n != INF:
            left = exp(loggamma(d + n) + loggamma(g + d) - loggamma(d) - loggamma(g + d + n))
            value -= left * v ** (n + 1) * hyp2f1(1, d + n, g + d + n, v, maxterms=10 ** 7)
        return al / (al + be) * value


def pmf(c, n, m):
    """alive at i opportunities and no more, or at all n; m purchases"""
    al, be, g, d = c
    if n == 0:
        return mpf(m == 0)
    if m > n:
        return mpf(0)
    with workdps(70):
        i = max(m, 1)
        bought = exp(loggamma(mpf(i + 1)) - loggamma(mpf(m + 1)) - loggamma(mpf(i - m + 1))
                     + lbeta(al + m, be + i - m) - lbeta(al, be))
        lived = exp(lbeta(g, d + i - 1) - lbeta(g, d))      # alive at i or more
        total = mpf(0)
        while i < n:
            total += bought * lived * g / (g + d + i - 1)
            lived *= (d + i - 1) / (g + d + i - 1)
            bought *= mpf(i + 1) / (i + 1 - m) * (be + i - m) / (al + be + i)
            i += 1
        return total + bought * lived


def next_purchase(c, q):
    al, be, g, d = c
    waiting, bought = mpf(1), mpf(0)
    for j in range(200000):
        bought += waiting * al / (al + be + j)
        if bought >= q:
            return mpf(j + 1)
        waiting *= (be + j) / (al + be + j) * (d + j) / (g + d + j)
    return None


def draw(rng, low, high):
    """log-uniform, three digits"""
    return float("%.3g" % (low * (high / low) ** rng.random()))


THETAS = [
    (1.204, .75, .657, 2.783), (1.2, .75, 1., 2.78), (1.2, .75, 1 + 1e-9, 2.78), (1.2, .75, 1 - 1e-9, 2.78),
    (1e-3, 1e-3, 1e-3, 1e-3), (1e3, 1e3, 1e3, 1e3), (1e3, 1e-3, 1e-3, 1e3), (1e-3, 1e3, 1e3, 1e-3),
    (1e-3, 1e3, 1e-3, 1e3), (1., 1., 1., 1.), (.3, 40., 2., 300.), (20., 1., .05, .5),
]
ROWS = [
    (0, 0, 0), (0, 0, 6), (2, 4, 6), (6, 6, 6), (1, 6, 6), (1, 1, 52), (30, 52, 52), (5, 300, 365),
    (150, 360, 365), (0, 0, 10000), (1, 1, 10000), (9900, 9990, 10000), (10000, 10000, 10000), (40, 50, 9000),
]
TIMES = [5, 1, 52, 10000, 300, 256, 257, 1000]
RATES = [(.1, INF), (.002, 52), (1e-5, INF), (.0953101798043249, 5), (2., INF), (.0027, 1000), (1e-5, 10000)]


def emit(what, theta, row, arg, arg2, value):
    cells = ", ".join(number(v) for v in list(theta) + [0.])
    rest = ", ".join(number(v) for v in list(row) + [arg, arg2])
    print(f"\t{{{what}, {{{cells}}}, {rest}, {number(value)}}},", flush=True)


def main():
    rng = random.Random(20260301)
    thetas = THETAS + [tuple(draw(rng, 1e-3, 1e3) for _ in range(4)) for _ in range(14)]
    k = 0
    for i, theta in enumerate(thetas):
        for j, row in enumerate(ROWS):
            if (i + j) % 2 and i > 0:
                continue
            k += 1
            th = tuple(mpf(v) for v in theta)
            x, t_x, n = (mpf(v) for v in row)
            c = (th[0] + x, th[1] + n - x, th[2], th[3] + n + 1)
            t, (rate, horizon), m = TIMES[k % len(TIMES)], RATES[k % len(RATES)], (0, 1, 5, 60)[k % 4]
            alive, gone, shift = likelihoods(th, x, t_x, n)
            emit("LOGLIK", theta, row, 0., 0., mp.log(alive + gone) + shift)
            emit("P_ALIVE_AT_LAST", theta, row, 0., 0., alive / (alive + gone))
            emit("P_ALIVE", theta, row, 0., 0., alive / (alive + gone) * (th[3] + n) / (th[2] + th[3] + n))
            emit("EXPECTED", theta, row, t, 0., c[0] / (c[0] + c[1]) * living(c, t))
            emit("EXPECTED", theta, row, INF, 0., c[0] / (c[0] + c[1]) * living(c, INF))
            emit("DISCOUNTED", theta, row, rate, horizon, discounted(c, rate, horizon))
            emit("PMF", theta, row, t, m, pmf(c, t, m))
            if k % 5 == 0:
                emit("PMF", theta, row, 150000, m, pmf(c, 150000, m))
            value = next_purchase(c, mpf(.5))
            if value is not None:
                emit("NEXT", theta, row, .5, 0., value)


if __name__ == "__main__":
    print("/* hostile_bg_bb.h: written by hostile_bb.py; do not edit.\n"
          " * function, parameters, x, t_x, age, two arguments, truth */")
    print("static const truth_row hostile_bg_bb[] = {")
    main()
    print("};")
