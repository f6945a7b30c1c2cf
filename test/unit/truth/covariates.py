#!/usr/bin/python3
"""Maxima of likelihoods with covariates, to 20 digits: the truth of test/sql/covariate_test.sql.

usage: covariates.py

The customers are those of small_tables.py, with two covariates: `price` acts on purchases, and so does `member`,
in pareto/nbd on leaving too.  The likelihoods are written down as in Fader & Hardie 2007, "Incorporating time-invariant
covariates into the Pareto/NBD and BG/NBD models": that of the family, with parameters of its own for every
customer.  They are differentiated by mpmath in the logarithms of the parameters and in the coefficients, and
solved by Newton; nothing is collapsed, standardised or centred.
"""
from mpmath import exp, hyp2f1, inverse, log, loggamma, lu_solve, matrix, mp, mpf, nstr, sqrt

mp.dps = 40

PURCHASES = [  # x, t_x, age, customers
    (0, "0", "38.86", 700), (0, "0", "30", 610), (1, "10", "38.86", 110), (1, "30.5", "38.86", 62),
    (1, "5", "30", 95), (1, "20.25", "30", 58), (2, "20", "38.86", 51), (2, "35", "38.86", 44),
    (2, "15", "30", 37), (2, "28", "30", 33), (3, "12", "38.86", 14), (3, "36.5", "38.86", 31),
    (4, "29", "30", 19), (5, "33", "38.86", 21), (7, "37", "38.86", 12), (9, "8", "30", 4),
    (12, "29.75", "30", 6), (20, "38.5", "38.86", 3)]


def customers():
    """Equal customers once, with how many they are: x, t_x, age, member, price, weight."""
    count = {}
    for x, t_x, age, n in PURCHASES:
        for i in range(1, n + 1):
            member = int(i <= n * (2 + x % 3) / 8)
            price = mpf(i % 5) / 2 + int(x > 1)
            key = (x, mpf(t_x), mpf(age), member, price)
            count[key] = count.get(key, 0) + 1
    return [key + (n,) for key, n in count.items()]


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def bg_nbd(x, t_x, age, r, alpha, a, b):
    alive = (alpha + age) ** -(r + x)
    gone = a / (b + x - 1) * (alpha + t_x) ** -(r + x) if x > 0 else 0
    return (loggamma(r + x) - loggamma(r) + r * log(alpha) + log_beta(a, b + x) - log_beta(a, b) + log(alive + gone))


def pareto_nbd(x, t_x, age, r, alpha, s, beta):
    def primitive(y):
        c = r + s + x
        if alpha >= beta:
            return hyp2f1(c, s + 1, c + 1, (alpha - beta) / (alpha + y)) / (alpha + y) ** c
        return hyp2f1(c, r + x, c + 1, (beta - alpha) / (beta + y)) / (beta + y) ** c

    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    left = s / (r + s + x) * (primitive(t_x) - primitive(age))
    return loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta) + log(alive + left)


def bg_parameters(v, member, price):
    return (exp(v[0]), exp(v[1] - v[4] * member - v[5] * price), exp(v[2]), exp(v[3]))


def pareto_parameters(v, member, price):
    return (exp(v[0]), exp(v[1] - v[4] * member - v[5] * price), exp(v[2]), exp(v[3] - v[6] * member))


ROWS = customers()


def total(family, parameters, v):
    return sum(n * family(x, t_x, age, *parameters(v, member, price)) for x, t_x, age, member, price, n in ROWS)


def derivatives(function, v):
    """Gradient and Hessian by central differences, good to 1e-18 at 40 digits."""
    n = len(v)
    h = mpf(10) ** -10
    middle = function(v)

    def at(*steps):
        w = list(v)
        for i, step in steps:
            w[i] += step
        return function(w)

    up = [at((i, h)) for i in range(n)]
    down = [at((i, -h)) for i in range(n)]
    gradient = matrix([(up[i] - down[i]) / (2 * h) for i in range(n)])
    hessian = matrix(n, n)
    for i in range(n):
        for j in range(i + 1):
            if i == j:
                hessian[i, i] = (up[i] - 2 * middle + down[i]) / h ** 2
            else:
                hessian[i, j] = hessian[j, i] = (at((i, h), (j, h)) - up[i] - up[j] + 2 * middle
                                                 - down[i] - down[j] + at((i, -h), (j, -h))) / (2 * h ** 2)
    return middle, gradient, hessian


def maximum(name, family, parameters, letters, start):
    v = [mpf(s) for s in start]
    for _ in range(8):
        value, gradient, hessian = derivatives(lambda w: total(family, parameters, w), v)
        step = lu_solve(-hessian, gradient)
        v = [a + b for a, b in zip(v, step)]
        if max(abs(s) for s in step) < mpf(10) ** -12:
            break
    else:
        raise SystemExit(name + " did not converge")
    value, gradient, hessian = derivatives(lambda w: total(family, parameters, w), v)
    covariance = inverse(-hessian)
    print(name, "log-likelihood", nstr(value, 18), "largest slope", nstr(max(abs(g) for g in gradient), 3))
    for i, letter in enumerate(letters):
        print("   ", letter, nstr(exp(v[i]) if i < 4 else v[i], 15), "standard error", nstr(sqrt(covariance[i, i]) * (exp(v[i]) if i < 4 else 1), 12))


maximum("bg/nbd", bg_nbd, bg_parameters, ("r", "alpha", "a", "b", "alpha: member", "alpha: price"),
        ("-0.6", "4.8", "0.4", "3.5", "0.37", "0.94"))
maximum("pareto/nbd", pareto_nbd, pareto_parameters, ("r", "alpha", "s", "beta", "alpha: member", "alpha: price", "beta: member"),
        ("-0.353", "4.84", "-0.665", "3.49", "0.152", "0.892", "-5.67"))
