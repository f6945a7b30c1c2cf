#!/usr/bin/python3
"""Fifty-digit truth for src/math/special.c.

usage: special.py > special.h
"""
from mpmath import (beta, betainc, digamma, e1, exp, expint, log, log1p, loggamma, mp, mpf, psi)

from common import number

mp.dps = 50

POINTS = [1e-6, 1e-3, .3, 1., 1 + 1e-9, 2.5, 9.99, 10., 47.3, 1e3, 1e5, 1e8]
RISES = [1e-3, .5, 1., 7., 1e3, 1e5]


def emit(what, a, b, c, value):
    print(f"\t{{{what}, {number(a)}, {number(b)}, {number(c)}, {number(value)}}},")


def incomplete_beta(a, b, z):
    """positive series z^a (1 - z)^b / (a B(a, b)) 2F1(a + b, 1; a + 1; z)"""
    with mp.workdps(60):
        a, b, z = mpf(a), mpf(b), mpf(z)
        front = exp(a * log(z) + b * log1p(-z) - loggamma(a) - loggamma(b) + loggamma(a + b)) / a
        total, term, n = mpf(0), mpf(1), 0
        while term > total * mpf(10) ** -45:
            total += term
            n += 1
            term *= (a + b + n - 1) / (a + n) * z
        return front * total


def log_survive(a, b, n):
    with mp.workdps(200):
        return loggamma(b + n) - loggamma(b) - loggamma(a + b + n) + loggamma(a + b)


print("/* special.h: written by special.py; do not edit. function, arguments, truth */")
print("static const special_row special[] = {")
for x in POINTS:
    emit("DIGAMMA", x, 0., 0., digamma(mpf(x)))
    emit("TRIGAMMA", x, 0., 0., psi(1, mpf(x)))
    for n in RISES:
        emit("LOG_RISING", x, n, 0., loggamma(mpf(x) + mpf(n)) - loggamma(mpf(x)))
        emit("DIGAMMA_RISE", x, n, 0., digamma(mpf(x) + mpf(n)) - digamma(mpf(x)))
        emit("TRIGAMMA_RISE", x, n, 0., psi(1, mpf(x) + mpf(n)) - psi(1, mpf(x)))
        for k in (150., 1e-7, 1e-2, 3., 1e100):
            emit("LOG_SURVIVE", n, x, k, log_survive(mpf(n), mpf(x), mpf(k)))
for a in (1e-3, .7, 5., 12., 300., 1e5):
    for b in (1e-3, 1., 11., 2500., 1e5):
        emit("LOG_BETA", a, b, 0., loggamma(mpf(a)) + loggamma(mpf(b)) - loggamma(mpf(a) + mpf(b)))
        for z in (1e-4, .3, .5, .9, a / (a + b)):
            if z == 0 or z == 1:
                continue
            value = a * log(mpf(z)) + b * log1p(-mpf(z)) - loggamma(mpf(a)) - loggamma(mpf(b)) + loggamma(mpf(a) + mpf(b))
            emit("LOG_BETA_KERNEL", a, b, z, value)
            if value > -690 and z <= .9:
                emit("INCOMPLETE_BETA", a, b, z, incomplete_beta(a, b, z))
for s in (.3, .5, .999999, 1., 1 + 1e-9, 1.0001, 1.5, 1.7, 2., 5.5, 24.9, 25.1, 1000., 1e5):
    for z in (1e-9, 1e-3, .1, .7, 1.49, 1.51, 3., 20., 500., 1e6):
        with mp.workdps(60 + (50 if z < 1 and s > 20 else 0)):
            emit("EXP_INTEGRAL", s, z, 0., exp(mpf(z)) * expint(mpf(s), mpf(z)))
print("};")
