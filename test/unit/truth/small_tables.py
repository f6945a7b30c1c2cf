#!/usr/bin/python3
"""Maxima of the likelihoods of two small tables, to 25 digits: the truth of test/sql/fit_test.sql and
test/unit/fit_test.c.

usage: small_tables.py

The log-likelihoods are written down as in the papers (Fader, Hardie & Lee 2005, Marketing Science 24(2),
eq. 6; Batislam, Denizel & Filiztekin 2007; Fader & Hardie 2005, "A note on deriving the Pareto/NBD model",
eq. 21-22 for both orders of alpha and beta; Fader & Hardie 2013, "The Gamma-Gamma model", eq. 1a), differentiated numerically by mpmath in the
logarithms of the parameters, and solved by Newton; standard errors are the roots of the diagonal of the
inverse of the negative Hessian on the natural scale.
"""
from mpmath import exp, findroot, hyp2f1, inverse, log, loggamma, matrix, mp, mpf, nstr, diff, sqrt

mp.dps = 40

PURCHASES = [  # x, t_x, age, customers
    (0, "0", "38.86", 700), (0, "0", "30", 610), (1, "10", "38.86", 110), (1, "30.5", "38.86", 62),
    (1, "5", "30", 95), (1, "20.25", "30", 58), (2, "20", "38.86", 51), (2, "35", "38.86", 44),
    (2, "15", "30", 37), (2, "28", "30", 33), (3, "12", "38.86", 14), (3, "36.5", "38.86", 31),
    (4, "29", "30", 19), (5, "33", "38.86", 21), (7, "37", "38.86", 12), (9, "8", "30", 4),
    (12, "29.75", "30", 6), (20, "38.5", "38.86", 3)]

SPEND = [  # x, mean spend
    (1, "12.5"), (1, "35"), (1, "8.25"), (1, "61.9"), (1, "22"), (2, "17.75"), (2, "29.99"), (2, "44.1"),
    (2, "13.3"), (3, "25.5"), (3, "90.25"), (3, "31"), (4, "19.2"), (4, "55.55"), (5, "27.1"), (6, "38.4"),
    (7, "21.05"), (9, "15.15"), (12, "47.2"), (20, "33.33")]


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def bg_nbd(r, alpha, a, b):
    total = mpf(0)
    for x, t_x, age, weight in PURCHASES:
        alive = (alpha + mpf(age)) ** -(r + x)
        gone = a / (b + x - 1) * (alpha + mpf(t_x)) ** -(r + x) if x > 0 else 0
        total += weight * (loggamma(r + x) - loggamma(r) + r * log(alpha) + log_beta(a, b + x) - log_beta(a, b)
                           + log(alive + gone))
    return total


def mbg_nbd(r, alpha, a, b):
    total = mpf(0)
    for x, t_x, age, weight in PURCHASES:
        total += weight * (loggamma(r + x) - loggamma(r) + r * log(alpha) + log_beta(a, b + x + 1) - log_beta(a, b)
                           + log((alpha + mpf(age)) ** -(r + x) + a / (b + x) * (alpha + mpf(t_x)) ** -(r + x)))
    return total


def pareto_nbd(r, alpha, s, beta):
    def primitive(x, y):
        c = r + s + x
        if alpha >= beta:
            return hyp2f1(c, s + 1, c + 1, (alpha - beta) / (alpha + y)) / (alpha + y) ** c
        return hyp2f1(c, r + x, c + 1, (beta - alpha) / (beta + y)) / (beta + y) ** c

    total = mpf(0)
    for x, t_x, age, weight in PURCHASES:
        alive = (alpha + mpf(age)) ** -(r + x) * (beta + mpf(age)) ** -s
        left = s / (r + s + x) * (primitive(x, mpf(t_x)) - primitive(x, mpf(age)))
        total += weight * (loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta) + log(alive + left))
    return total


def gamma_gamma(p, q, gamma):
    total = mpf(0)
    for x, mean in SPEND:
        m = mpf(mean)
        total += (loggamma(p * x + q) - loggamma(p * x) - loggamma(q) + q * log(gamma) + (p * x - 1) * log(m)
                  + p * x * log(x) - (p * x + q) * log(gamma + m * x))
    return total


def partial(function, order, at):
    return diff(function, tuple(at), tuple(order))


def unit(n, *places):
    return [places.count(i) for i in range(n)]


def maximum(name, function, start):
    n = len(start)

    def gradient(*logs):
        theta = [exp(v) for v in logs]
        return [theta[i] * partial(function, unit(n, i), theta) for i in range(n)]

    theta = [exp(v) for v in findroot(gradient, [log(mpf(s)) for s in start], tol=mpf(10) ** -50)]
    information = -matrix([[partial(function, unit(n, i, j), theta) for j in range(n)] for i in range(n)])
    covariance = inverse(information)
    print(name, "log-likelihood", nstr(function(*theta), 20))
    for i in range(n):
        print("   ", nstr(theta[i], 20), "standard error", nstr(sqrt(covariance[i, i]), 20))


maximum("bg/nbd", bg_nbd, ("0.3", "8", "1", "3"))
maximum("mbg/nbd", mbg_nbd, ("0.42", "16", "0.45", "1.7"))
maximum("pareto/nbd", pareto_nbd, ("0.4", "19", "1.7", "200"))
maximum("gamma-gamma", gamma_gamma, ("3", "4", "30"))
