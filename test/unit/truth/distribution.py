#!/usr/bin/python3
"""Forty-digit truth for src/math/distribution.c and Student's t of src/math/interval.c.

usage: distribution.py > distribution.h
"""
from mpmath import erfc, exp, gammainc, log, loggamma, mp, mpf, sqrt

from common import number

mp.dps = 40

DEGREES = [1., 1.5, 2., 9.3, 17.776473516178495, 100., 4321.5, 1e6]


def emit(what, a, b, value):
    print(f"\t{{{what}, {number(a)}, {number(b)}, {number(value)}}},")


def lower_beta(a, b, z, y):
    """I_z(a, b) by the positive series z^a y^b / (a B(a, b)) 2F1(a + b, 1; a + 1; z), y = 1 - z"""
    total, term, n = mpf(0), mpf(1), 0
    while term > total * mpf(10) ** -mp.dps:
        total += term
        n += 1
        term *= (a + b + n - 1) / (a + n) * z
    return exp(a * log(z) + b * log(y) - loggamma(a) - loggamma(b) + loggamma(a + b)) / a * total


def student(t, degrees):
    """P(|T| > t); of the two forms the one with the quicker series, whose cancellation 400 digits outlast"""
    with mp.workdps(60 if t * t > degrees else 400):
        t, degrees, half = mpf(t), mpf(degrees), mpf(1) / 2
        square = t * t
        z, y = degrees / (degrees + square), square / (degrees + square)
        if y < half:
            return 1 - lower_beta(half, degrees / 2, y, z)
        return lower_beta(degrees / 2, half, z, y)


def student_quantile(level, degrees):
    """bisection in ln t"""
    low, high = log(mpf(10) ** -3), log(mpf(10) ** 10)
    for _ in range(90):
        middle = (low + high) / 2
        if student(exp(middle), degrees) > mpf(level):
            low = middle
        else:
            high = middle
    return exp((low + high) / 2)


print("/* distribution.h: written by distribution.py; do not edit. function, arguments, truth */")
print("static const distribution_row distribution[] = {")
for z in (-9., -1.96, -1e-9, 0., .3, 1.96, 5., 12., 37.):
    emit("NORMAL", z, 0., erfc(mpf(z) / sqrt(mpf(2))) / 2)
for degrees in DEGREES:
    for t in (1e-6, .1, 1., 1.8608134674868526, 4., 12., 35.):
        emit("STUDENT", t, degrees, student(t, degrees))
    for level in (.5, .05, .001, 1e-9):
        emit("STUDENT_QUANTILE", level, degrees, student_quantile(level, degrees))
for degrees in (1., 2., 3., 9., 50., 999.):
    for ratio in (1e-6, .01, .5, 1., 1.5, 3., 12.):
        x = ratio * degrees
        emit("CHI_SQUARE", x, degrees, gammainc(mpf(degrees) / 2, mpf(x) / 2, regularized=True))
print("};")
