#!/usr/bin/python3
"""Fifty-digit truth for BG/NBD, MBG/NBD and Gamma-Gamma on a hostile grid.

usage: hostile.py bg_nbd > hostile_bg_nbd.h (takes half an hour)
       hostile.py mbg_nbd > hostile_mbg_nbd.h (the same)
       hostile.py gamma_gamma > hostile_gamma_gamma.h

Every figure is computed from its definition or from the published form, never
from the arrangement used in src/models:
  expected    published 2F1 form with precision raised until it is stable, or,
              for large r, the sum over m of P(survive m - 1 coins) P(N(t) >= m)
  discounted  no horizon: mean over lambda of (lambda / d) 2F1(1, a; a + b; -lambda / d);
              with a horizon: time integral of exp(-d t) times the 2F1 rate
  pmf         the definition, with the tail of the NBD summed
"""
import random
import sys

from mpmath import (beta, exp, expm1, hyp2f1, inf, log, log1p, loggamma, mp, mpf,
                    quad, sqrt, workdps)

from common import number

mp.dps = 50
NOTHING = mpf(10) ** -45
FIRST_COIN = 0                  # coins tossed at the first purchase: 1 in MBG/NBD


def lbeta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def loglik(theta, x, t_x, age):
    r, al, a, b = theta
    coins = x + FIRST_COIN
    head = loggamma(r + x) - loggamma(r) + r * log(al) + lbeta(a, b + coins) - lbeta(a, b)
    alive = -(r + x) * log(al + age)
    if coins == 0:
        return head + alive
    gone = log(a) - log(b + coins - 1) - (r + x) * log(al + t_x)
    top = max(alive, gone)
    return head + top + log(exp(alive - top) + exp(gone - top))


def p_alive(theta, x, t_x, age):
    r, al, a, b = theta
    if x + FIRST_COIN == 0:
        return mpf(1)
    return 1 / (1 + a / (b + x + FIRST_COIN - 1) * exp((r + x) * log((al + age) / (al + t_x))))


def posterior(theta, x, age):
    r, al, a, b = theta
    return r + x, al + age, a, b + x + FIRST_COIN


def published(r, al, a, b, t, digits):
    with workdps(digits):
        shift = mpf(10) ** (-digits // 3)
        if a == 1 or abs(a + b - 1) < 1e-14:
            a = a + shift
        z = t / (al + t)
        return (a + b - 1) / (a - 1) * (1 - exp(r * log(al / (al + t)))
                                        * hyp2f1(r, b, a + b - 1, z, maxterms=10 ** 7, maxprec=10 ** 5))


def count_tail(r, al, a, b, t, f):
    """sum over m >= 1 of f(m, s_(m-1), P(N = m), P(N >= m)) until nothing is left"""
    with workdps(80):
        z = t / (al + t)
        exactly = exp(-r * log1p(t / al))
        tail = 1 - exactly
        survive = mpf(1)
        total = mpf(0)
        m = 1
        while tail > mpf(10) ** -60:
            exactly *= z * (r + m - 1) / m
            total += f(m, survive, exactly, tail)
            tail -= exactly
            survive *= (b + m - 1) / (a + b + m - 1)
            m += 1
        return total


def expected(c, t):
    r, al, a, b = c
    if t == 0:
        return mpf(0)
    if r > 50 and r * t / al < 400000:
        return count_tail(r, al, a, b, t, lambda m, s, p, tail: s * tail)
    digits = 120
    value = published(r, al, a, b, t, digits)
    for _ in range(6):
        digits = digits * 17 // 10
        better = published(r, al, a, b, t, digits)
        if abs(better - value) <= abs(better) * mpf(10) ** -26:
            return better
        value = better
    raise ArithmeticError(f"expected {c} {t}")


def discounted(c, d):
    """y = ln lambda; the density's left tail falls like exp((r + 1) y)"""
    r, al, a, b = c
    width = 1 / sqrt(r + 1)
    top = log((r + 1) / al)
    scale = r * log(al) - loggamma(r) - log(d)

    def f(y):
        lam = exp(y)
        return exp(scale + (r + 1) * y - al * lam) * hyp2f1(1, a, a + b, -lam / d)
    with workdps(36):
        points = [top + k * width for k in range(-12, 13, 2)]
        while f(points[0]) > f(top) * NOTHING:
            points.insert(0, points[0] - max(2 * width, min(4, 8 * width)))
        while f(points[-1]) > f(top) * NOTHING:
            points.append(points[-1] + 2 * width)
        value, error = quad(f, points, error=True, maxdegree=7)
        if error > abs(value) * mpf(10) ** -20:
            raise ArithmeticError(f"discounted {c} {d}: {error}")
        return value


def discounted_until(c, d, horizon):
    r, al, a, b = c

    def f(v):
        t = al * expm1(v)
        z = -expm1(-v)
        return exp(-d * t - r * v) * r * hyp2f1(r + 1, b, a + b, z, maxterms=10 ** 7)
    with workdps(30):
        end = min(log1p(horizon / al), log1p(80 / (d * al)) if d > 0 else inf)
        pieces = 4 + int(end)
        points = [mpf(0)] + [end * mpf(2) ** -k for k in range(8, 1, -1)] \
            + [end * k / pieces for k in range(1, pieces + 1)]
        value, error = quad(f, sorted(set(points)), error=True, maxdegree=7)
        if error > abs(value) * mpf(10) ** -18:
            raise ArithmeticError(f"discounted_until {c} {d} {horizon}: {error}")
        return value


def pmf(c, t, n):
    r, al, a, b = c
    z = t / (al + t)
    if n == 0:
        return exp(-r * log1p(t / al))
    with workdps(60):
        ratio = lambda k: exp(lbeta(a, b + k) - lbeta(a, b))
        exactly = exp(loggamma(r + n) - loggamma(r) - loggamma(n + 1) + n * log(z) - r * log1p(t / al))
        term, tail, m = exactly, mpf(0), n
        while term > mpf(10) ** -45 * tail:
            tail += term
            term *= z * (r + m) / (m + 1)
            m += 1
            if m > n + 10 ** 6:
                return None
        return ratio(n) * exactly + (ratio(n - 1) - ratio(n)) * tail


def spend_loglik(theta, x, m):
    p, q, g = theta
    return (loggamma(p * x + q) - loggamma(p * x) - loggamma(q) + q * log(g)
            + (p * x - 1) * log(m) + p * x * log(x) - (p * x + q) * log(g + m * x))


def spend(theta, x, m):
    p, q, g = theta
    return p * (g + x * m) / (p * x + q - 1)


def draw(rng, low, high):
    """log-uniform, three digits"""
    return float("%.3g" % (low * (high / low) ** rng.random()))


THETAS = [
    (.243, 4.414, .793, 2.426), (.5, 6., 1., 2.), (.5, 6., .4, .6), (.3, 6., .3, .2),
    (1e-3, 1e-3, 1e-3, 1e-3), (1e3, 1e3, 1e3, 1e3), (1e3, 1e-3, 1e-3, 1e3),
    (1e-3, 1e3, 1e3, 1e-3), (1., 1., 1., 1.), (2., 50., 1e-3, 1.), (.05, 1e3, 1 + 1e-9, .5),
    (20., 300., 30., 90.),
]
ROWS = [
    (0, 0., 0.), (0, 0., 38.86), (0, 0., 1e4), (1, 1.71, 38.86), (1, 1e-3, 1e4),
    (2, 30.43, 38.86), (3, 40., 40.), (12, 70., 78.), (150, 360., 365.), (1000, 500., 520.),
    (29, 5., 38.86), (100000, 9990., 1e4),
]
TIMES = [52., 1e-3, 1., 1e4, 7.]
RATES = [(.0019, float("inf")), (.0027, 52.), (1e-5, float("inf")), (.1, 10.), (.1, float("inf")), (.002, 1.)]


def rows_of():
    rng = random.Random(20260101 + FIRST_COIN)
    thetas = THETAS + [tuple(draw(rng, 1e-3, 1e3) for _ in range(4)) for _ in range(12)]
    k = 0
    for i, theta in enumerate(thetas):
        for j, row in enumerate(ROWS):
            if (i + j) % 2 and i > 0:
                continue
            k += 1
            yield theta, row, TIMES[k % len(TIMES)], RATES[k % len(RATES)], (0, 1, 5, 60)[k % 4]


def emit(what, theta, row, arg, arg2, value):
    theta = list(theta) + [0.] * (4 - len(theta))
    cells = ", ".join(number(v) for v in theta)
    rest = ", ".join(number(v) for v in list(row) + [arg, arg2])
    print(f"\t{{{what}, {{{cells}}}, {rest}, {number(value)}}},", flush=True)


def exactly(values):
    return tuple(mpf(v) for v in values)


def purchases():
    for theta, row, t, (rate, horizon), n in rows_of():
        th = exactly(theta)
        x, t_x, age = exactly(row)
        c = posterior(th, x, age)
        emit("LOGLIK", theta, row, 0., 0., loglik(th, x, t_x, age))
        emit("P_ALIVE", theta, row, 0., 0., p_alive(th, x, t_x, age))
        emit("NEXT", theta, row, .5, 0., c[1] * expm1(-log(mpf(.5)) / c[0]))
        value = pmf(c, mpf(t), n)
        if value is not None:
            emit("PMF", theta, row, t, float(n), value)
        try:
            emit("EXPECTED", theta, row, t, 0., expected(c, mpf(t)))
            slow = c[0] > 2000 or c[3] > 2000
            if horizon == float("inf"):
                emit("DISCOUNTED", theta, row, rate, horizon, discounted(c, mpf(rate)))
            elif not slow:
                emit("DISCOUNTED", theta, row, rate, horizon, discounted_until(c, mpf(rate), mpf(horizon)))
        except (ArithmeticError, ValueError) as problem:
            print("left out:", problem, file=sys.stderr)


def money():
    rng = random.Random(7)
    thetas = [(6.25, 3.74, 15.44), (1e-3, 1e-3, 1e-3), (1e3, 1e3, 1e3), (1e3, 1e-3, 1e3), (1e-3, 1e3, 1e-3)]
    thetas += [tuple(draw(rng, 1e-3, 1e3) for _ in range(3)) for _ in range(10)]
    for theta in thetas:
        for x, m in ((1, 11.77), (2, 1e-3), (150, 1e6), (100000, 35.)):
            th = exactly(theta)
            emit("SPEND_LOGLIK", theta, (x, m, 0.), 0., 0., spend_loglik(th, mpf(x), mpf(m)))
            if th[0] * x + th[1] > 1:
                emit("SPEND", theta, (x, m, 0.), 0., 0., spend(th, mpf(x), mpf(m)))


if __name__ == "__main__":
    family = sys.argv[1]
    FIRST_COIN = int(family == "mbg_nbd")
    print(f"/* hostile_{family}.h: written by hostile.py; do not edit.\n"
          " * function, parameters, x, t_x (spend: mean), age, two arguments, truth */")
    print(f"static const truth_row hostile_{family}[] = {{")
    {"bg_nbd": purchases, "mbg_nbd": purchases, "gamma_gamma": money}[family]()
    print("};")
