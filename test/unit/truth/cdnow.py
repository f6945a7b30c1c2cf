#!/usr/bin/python3
"""Maxima of four likelihoods on the CDNOW data (days as periods, weeks as unit, as of 1997-09-30).

usage: cdnow.py FILE FAMILY (cdnow_sample.txt or cdnow_master.txt; bg/nbd, mbg/nbd, pareto/nbd or gamma-gamma)

The log-likelihoods are written down as in the papers (Fader, Hardie & Lee 2005; Batislam, Denizel &
Filiztekin 2007; Fader & Hardie 2005, the Pareto/NBD note; 2013, the Gamma-Gamma note), differentiated by central differences in the
logarithms of the parameters at 40 digits, and solved by Newton: the figures of test/unit/fit_test.c and purchase_fit_test.c.
"""
import datetime
import sys
from collections import Counter
from decimal import Decimal
from functools import lru_cache

from mpmath import exp, hyp2f1, inverse, log, loggamma, lu_solve, matrix, mp, mpf, nstr, sqrt

mp.dps = 40
STEP = mpf(10) ** -9


def customers(path):
    """Counter of (repeats, days to the last, days to 1997-09-30)"""
    as_of = datetime.date(1997, 9, 30)
    days = {}
    with open(path) as file:
        for line in file:
            fields = line.split()
            date = fields[-3]
            if not date.isdigit():
                continue        # the master's first line names the columns
            day = datetime.date(int(date[:4]), int(date[4:6]), int(date[6:]))
            if day <= as_of:
                days.setdefault(fields[0], set()).add(day)
    return Counter((len(d) - 1, (max(d) - min(d)).days, (as_of - min(d)).days) for d in days.values())


def spenders(path):
    """Counter of (repeats, dollars of the repeat days)"""
    as_of = datetime.date(1997, 9, 30)
    spent = {}
    with open(path) as file:
        for line in file:
            fields = line.split()
            date = fields[-3]
            if not date.isdigit():
                continue
            day = datetime.date(int(date[:4]), int(date[4:6]), int(date[6:]))
            if day <= as_of:
                days = spent.setdefault(fields[0], {})
                days[day] = days.get(day, 0) + Decimal(fields[-1])
    cells = Counter()
    for days in spent.values():
        repeats = sum(days.values()) - days[min(days)]
        if len(days) > 1 and repeats > 0:
            cells[(len(days) - 1, repeats)] += 1
    return cells


def gamma_gamma(theta):
    p, q, gamma = theta

    @lru_cache(None)
    def count(x):
        return q * log(gamma) - log_beta(p * x, q)

    def value(x, total):
        s = mpf(str(total))
        return count(x) + p * x * log(s) - (p * x + q) * log(gamma + s) - log(s / x)
    return value


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def coin(first):
    def cell(theta):
        r, alpha, a, b = theta

        @lru_cache(None)
        def count(x):
            coins = x + first
            gone = a / (b + coins - 1) if coins > 0 else mpf(0)
            return loggamma(r + x) - loggamma(r) + r * log(alpha) + log_beta(a, b + coins) - log_beta(a, b), gone

        def value(x, t_x, age):
            head, gone = count(x)
            return head + log((alpha + age) ** -(r + x) + gone * (alpha + t_x) ** -(r + x))
        return value
    return cell


def pareto(theta):
    r, alpha, s, beta = theta

    @lru_cache(None)
    def count(x):
        return loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta)

    @lru_cache(None)
    def primitive(x, y):
        c = r + s + x
        if alpha >= beta:
            return hyp2f1(c, s + 1, c + 1, (alpha - beta) / (alpha + y)) / (alpha + y) ** c
        return hyp2f1(c, r + x, c + 1, (beta - alpha) / (beta + y)) / (beta + y) ** c

    def value(x, t_x, age):
        alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
        return count(x) + log(alive + s / (r + s + x) * (primitive(x, t_x) - primitive(x, age)))
    return value


FAMILIES = {
    "bg/nbd": (coin(0), (".24259", "4.4136", ".79292", "2.4259")),
    "mbg/nbd": (coin(1), (".52484", "6.1830", ".89136", "1.6140")),
    "pareto/nbd": (pareto, (".55328", "10.578", ".60621", "11.668")),
    "gamma-gamma": (gamma_gamma, ("6.25", "3.74", "15.4")),
}


def main(path, family):
    spend = family == "gamma-gamma"
    cells = spenders(path) if spend else customers(path)
    cell, start = FAMILIES[family]
    n = len(start)

    def loglik(logs):
        value = cell([exp(v) for v in logs])
        if spend:
            return sum(weight * value(*row) for row, weight in cells.items())
        return sum(weight * value(x, mpf(t_x) / 7, mpf(age) / 7) for (x, t_x, age), weight in cells.items())

    def moved(at, *steps):
        return loglik([v + sum(size * STEP for j, size in steps if i == j) for i, v in enumerate(at)])

    at = [log(mpf(v)) for v in start]
    for _ in range(8):
        middle = loglik(at)
        up = [moved(at, (i, 1)) for i in range(n)]
        down = [moved(at, (i, -1)) for i in range(n)]
        gradient = matrix([(up[i] - down[i]) / (2 * STEP) for i in range(n)])
        hessian = matrix(n)
        for i in range(n):
            hessian[i, i] = (up[i] - 2 * middle + down[i]) / STEP ** 2
            for j in range(i):
                both = moved(at, (i, 1), (j, 1))
                hessian[i, j] = hessian[j, i] = (both - up[i] - up[j] + middle) / STEP ** 2
        step = lu_solve(-hessian, gradient)
        at = [v + d for v, d in zip(at, step)]
        if max(abs(d) for d in step) < mpf(10) ** -9:
            break
    covariance = inverse(-hessian)
    print(family, sum(cells.values()), "customers, log-likelihood", nstr(loglik(at), 18), "last step", nstr(max(abs(d) for d in step), 2))
    for i in range(n):
        print("   ", nstr(exp(at[i]), 15), "standard error", nstr(exp(at[i]) * sqrt(covariance[i, i]), 8), flush=True)


main(*sys.argv[1:])
