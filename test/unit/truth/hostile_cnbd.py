#!/usr/bin/python3
"""Fifty-digit truth for BG/CNBD-k and MBG/CNBD-k on a hostile grid.

usage: hostile_cnbd.py bg > hostile_bg_cnbd_k.h (takes minutes)
       hostile_cnbd.py mbg > hostile_mbg_cnbd_k.h

Notation of formulas, section 1.4.  Every figure is computed from its definition,
or in another way than in src/models/regular_*.c:
  loglik      the published sums, in powers of (T - t_x) and (alpha + T)
  expected    sum over stages of P(N = n) times purchases among them, or, where
              there are too many stages, the integral over p of
              (1 - E[(1 - p)^floor((N + j) / k)]) / p by roots of unity
  discounted  no horizon: mean over lambda of y^(k - j) 2F1(1, b; a + b; y^k);
              with one: by parts, from expected at every time
  pmf         the definition, with the tail of the negative binomial summed
  next        bisection on P(no purchase)
"""
import random
import sys
from decimal import Decimal, getcontext

from mpmath import (exp, expjpi, expm1, hyp2f1, log, log1p, loggamma, mp, mpf, quad, rf, sqrt, workdps)

from common import number

mp.dps = 50
getcontext().prec = 52          # the long loops: decimals are in C, mpmath is not
INF = float("inf")
MANY = 1000000                   # stages times k


def lbeta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def alive_sum(k, s, silent, end):
    """G, as sum of (s)_j silent^j / (j! end^j)"""
    return sum(rf(s, j) * silent ** j / (mp.factorial(j) * end ** j) for j in range(k))


def parts(theta, m, x, t_x, age):
    k, r, al, a, b = theta
    s = r + k * x
    alive = log(alive_sum(int(k), s, age - t_x, al + age)) - s * log(al + age)
    gone = log(a) - log(b + x + m - 1) - s * log(al + t_x) if x + m > 0 else -mp.inf
    return alive, gone


def loglik(theta, m, x, t_x, age, litt):
    k, r, al, a, b = theta
    alive, gone = parts(theta, m, x, t_x, age)
    top = max(alive, gone)
    return ((k - 1) * litt - x * loggamma(k) + loggamma(r + k * x) - loggamma(r) + r * log(al)
            + lbeta(a, b + x + m) - lbeta(a, b) + top + log(exp(alive - top) + exp(gone - top)))


def p_alive(theta, m, x, t_x, age):
    alive, gone = parts(theta, m, x, t_x, age)
    return 1 / (1 + exp(gone - alive))


class Alive:
    """k, shape s, alpha, a, b, and the chances w_j that j stages have passed"""

    def __init__(self, theta, m, x, t_x, age):
        k, r, al, a, b = theta
        self.k, self.s, self.al, self.a, self.b = int(k), r + k * x, al + age, a, b + x + m
        self.silent = age - t_x
        terms = [rf(self.s, j) * (self.silent / self.al) ** j / mp.factorial(j) for j in range(self.k)]
        self.w = [t / sum(terms) for t in terms]

    def stages(self, t):
        u = t / self.al
        mean = (self.s + self.k) * u
        return float(mean + 12 * sqrt(mean * (1 + u)) + 60 * (1 + u))


def decimal(value):
    return Decimal(mp.nstr(value, 52, min_fixed=0, max_fixed=0))


def by_stages(c, t, floor=Decimal(10) ** -45):
    """sum over j of w_j sum over n of P(N = n) (S_0 + ... + S_(floor((n + j) / k) - 1))"""
    total = Decimal(0)
    z = decimal(t / (c.al + t))
    a, b = decimal(c.a), decimal(c.b)
    for j in range(c.k):
        s = decimal(c.s + j)
        chance = decimal(exp(-(c.s + j) * log1p(t / c.al)))
        n, made, bought, survive = 0, 0, Decimal(0), Decimal(1)
        inner = Decimal(0)
        while True:
            if n > 0 and (n + j) % c.k == 0:
                bought += survive
                survive *= (b + made) / (a + b + made)
                made += 1
            inner += chance * bought
            ratio = z * (s + n) / (n + 1)
            if ratio < 1 and n > c.k and chance * (bought + n + 1) <= floor * inner * (1 - ratio) ** 2:
                break
            chance *= ratio
            n += 1
        total += decimal(c.w[j]) * inner
    return mpf(str(total))


def by_roots(c, t):
    """E over p of (1 - E[(1 - p)^floor((N + j) / k)]) / p; the ends of Beta(a, b) where it is constant"""
    k = c.k
    tau = t / c.al
    zeta = [expjpi(mpf(2) * q / k) for q in range(k)]

    def transform(p):
        w = exp(log1p(-p) / k)
        value = mpf(0)
        for q in range(k):
            coefficient = sum((w * zeta[q]) ** -i for i in range(k)) / k
            for j in range(k):
                value += c.w[j] * (coefficient * (w * zeta[q]) ** j
                                   * (1 + tau * (1 - w * zeta[q])) ** -(c.s + j)).real
        return (1 - value) / p

    with workdps(110):
        edge = mpf(10) ** -30
        front = exp(-lbeta(c.a, c.b))
        low = edge ** c.a / c.a * front * transform(edge / 10 ** 6)
        high = edge ** c.b / c.b * front * transform(1 - edge / 10 ** 6)

        def f(y):
            p = 1 / (1 + exp(-y))
            return exp(c.a * log(p) + c.b * log(1 - p)) * front * transform(p)
    with workdps(80):
        end = -log(edge)
        pieces = sorted({-end, end} | {log(c.a / c.b) + i * mpf(12) / sqrt(sqrt(c.a + c.b) + 1) for i in range(-5, 6)}
                        | {mpf(v) for v in range(-66, 67, 6)})
        pieces = [v for v in pieces if -end <= v <= end]
        value, error = quad(f, pieces, error=True, maxdegree=5)
        if error > abs(value) * mpf(10) ** -16:
            raise ArithmeticError(f"roots {t}: {error}")
        return value + low + high


def expected(c, t):
    if t == INF:
        return (c.a + c.b - 1) / (c.a - 1) if c.a > 1 else mp.inf
    t = mpf(t)
    if c.stages(t) * c.k <= MANY:
        return by_stages(c, t)
    if c.s > 20000 or c.b > 20000:
        raise ArithmeticError("too large for roots")
    return by_roots(c, t)


def renewals(a, b, z):
    """2F1(1, b; a + b; z), all terms positive: summed where that is not too long, as mpmath is slow for large b"""
    if z > mpf("0.998"):
        return hyp2f1(1, b, a + b, z, maxterms=10 ** 7)
    a, b, z = decimal(a), decimal(b), decimal(z)
    term, total, n = Decimal(1), Decimal(1), 0
    while term > total * Decimal(10) ** -46:
        term *= z * (b + n) / (a + b + n)
        total += term
        n += 1
    return mpf(str(total))


def discounted(c, rate):
    """
    v = ln lambda, by the trapezoidal rule: f is analytic for |Im v| < pi / 2 (y^k = 1 only where Re lambda < 0),
    so that what it leaves out is of the order of exp(-pi^2 / step), or exp(-2 (pi / step)^2) of a step in widths of
    a narrow density; twice, with the steps' middles, must give the same
    """
    if c.b > 20000 and rate < .01:
        raise ArithmeticError("too slow for 2F1")
    rate = mpf(rate)
    k = c.k
    top = log((c.s + 1) / c.al)
    step = min(mpf("0.1"), mpf("0.35") / sqrt(c.s + k))

    def f(v):
        lam = exp(v)
        y = lam / (lam + rate)
        chances = sum(c.w[j] / rf(c.s, j) * (lam * c.al) ** j * y ** (k - j) for j in range(k))
        return (exp(c.s * (v + log(c.al)) - lam * c.al - loggamma(c.s)) * chances
                * renewals(c.a, c.b, y ** k))

    def rule(offset):
        total = mpf(0)
        for direction in (1, -1):
            i, last = int(direction < 0), mpf(0)
            while True:
                term = f(top + (direction * i + offset) * step)
                total += term
                if term <= total * mpf(10) ** -32 and term <= last:
                    break
                last = term
                i += 1
        return total * step
    with workdps(40):
        value, other = rule(mpf(0)), rule(mpf("0.5"))
        if abs(value - other) > abs(value) * mpf(10) ** -22:
            raise ArithmeticError(f"discounted {rate}: {mp.nstr(value - other, 3)}")
        return (value + other) / 2


def discounted_until(c, rate, horizon):
    rate, horizon = mpf(rate), mpf(horizon)
    end = min(horizon, 60 / rate)
    if c.stages(end) * c.k > 30000:
        raise ArithmeticError("too many stages for a time integral")
    with workdps(28):
        def f(t):
            return exp(-rate * t) * by_stages(c, t, Decimal(10) ** -24)
        # a small alpha bends the curve long before the first mean interval: then again with finer pieces
        for period in (min(end, c.al / c.s * c.k), min(end, c.al, c.al / c.s * c.k) / 64):
            points = [mpf(0)] + [period * mpf(2) ** i for i in range(-1, 60) if period * mpf(2) ** i < end] + [end]
            values = [quad(f, points, method="gauss-legendre", maxdegree=degree) for degree in (4, 5)]
            if abs(values[0] - values[1]) <= abs(values[1]) * mpf(10) ** -12:
                return exp(-rate * end) * by_stages(c, end) + rate * values[1]
        raise ArithmeticError(f"discounted_until {rate} {horizon}: {values}")


def pmf(c, t, n):
    t = mpf(t)
    total = mpf(0)
    survive = lambda i: exp(lbeta(c.a, c.b + i) - lbeta(c.a, c.b))
    for j in range(c.k):
        first = max(0, c.k * n - j)
        with workdps(70):
            log_chance = (loggamma(c.s + j + first) - loggamma(c.s + j) - loggamma(mpf(first + 1))
                          + first * log(t / (c.al + t)) - (c.s + j) * log1p(t / c.al))
        z, s = decimal(t / (c.al + t)), decimal(c.s + j)
        chance, exactly, tail, i = Decimal(1), Decimal(0), Decimal(0), first
        while i < c.k * (n + 1) - j or (n > 0 and chance > Decimal(10) ** -45 * tail):
            if i < c.k * (n + 1) - j:
                exactly += chance
            tail += chance
            chance *= z * (s + i) / (i + 1)
            i += 1
            if i > first + 10 ** 6:
                return None
        exactly, tail = (mpf(str(v)) * exp(log_chance) for v in (exactly, tail))
        total += c.w[j] * (survive(n) * exactly + ((survive(n - 1) - survive(n)) * tail if n > 0 else 0))
    return total


def next_purchase(c, q):
    def silence(v):
        t = c.al * expm1(v)
        return (alive_sum(c.k, c.s, c.silent + t, c.al + t) / alive_sum(c.k, c.s, c.silent, c.al)) * exp(-c.s * v)
    low, high = mpf(0), mpf(1)
    while silence(high) > 1 - q:
        high *= 2
    for _ in range(170):
        middle = (low + high) / 2
        low, high = (middle, high) if silence(middle) > 1 - q else (low, middle)
    return c.al * expm1(high)


def draw(rng, low, high):
    """log-uniform, three digits"""
    return float("%.3g" % (low * (high / low) ** rng.random()))


THETAS = [
    (3., .85, 1.45, .79, 2.42), (2., .5, 6., 1., 2.), (12., .5, 6., .4, .6), (5., .3, 6., .3, .2),
    (2., 1e-3, 1e-3, 1e-3, 1e-3), (3., 1e3, 1e3, 1e3, 1e3), (12., 1e3, 1e-3, 1e-3, 1e3), (4., 1e-3, 1e3, 1e3, 1e-3),
    (1., 1., 1., 1., 1.), (6., 2., 50., 1e-3, 1.), (2., .05, 1e3, 1 + 1e-9, .5), (12., 20., 300., 30., 90.),
]
ROWS = [
    (0, 0., 0.), (0, 0., 38.86), (0, 0., 1e4), (1, 1.71, 38.86), (1, 1e-3, 1e4),
    (2, 30.43, 38.86), (3, 40., 40.), (12, 70., 78.), (150, 360., 365.), (1000, 500., 520.),
    (29, 5., 38.86), (100000, 9990., 1e4),
]
TIMES = [52., 1e-3, 1., 1e4, 7.]
RATES = [(.0019, INF), (.0027, 52.), (1e-5, INF), (.1, 10.), (.1, INF), (.002, 1.)]


def emit(what, theta, row, arg, arg2, value):
    cells = ", ".join(number(v) for v in theta)
    rest = ", ".join(number(v) for v in list(row) + [arg, arg2])
    print(f"\t{{{what}, {{{cells}}}, {rest}, {number(value)}}},", flush=True)


def attempt(what, theta, row, arg, arg2, function, *arguments):
    try:
        value = function(*arguments)
        if value is not None:
            emit(what, theta, row, arg, arg2, value)
    except (ArithmeticError, ValueError) as problem:
        print("left out:", theta, row, problem, file=sys.stderr, flush=True)


def main(m):
    rng = random.Random(20260302)
    thetas = THETAS + [(float(rng.randint(1, 12)),) + tuple(draw(rng, 1e-3, 1e3) for _ in range(4)) for _ in range(8)]
    k = 0
    for i, theta in enumerate(thetas):
        for j, row in enumerate(ROWS):
            if (i + j + m) % 3 and i > 0:
                continue
            k += 1
            th = tuple(mpf(v) for v in theta)
            x, t_x, age = (mpf(v) for v in row)
            c = Alive(th, m, x, t_x, age)
            t, (rate, horizon), n = TIMES[k % len(TIMES)], RATES[k % len(RATES)], (0, 1, 5, 60)[k % 4]
            litt = float("%.6g" % (.9 * row[0] * log(t_x / x))) if x > 0 else 0.
            emit("LOGLIK", theta, row, litt, 0., loglik(th, m, x, t_x, age, mpf(litt)))
            emit("P_ALIVE", theta, row, 0., 0., p_alive(th, m, x, t_x, age))
            emit("NEXT", theta, row, .5, 0., next_purchase(c, mpf(.5)))
            attempt("PMF", theta, row, t, float(n), pmf, c, t, n)
            attempt("EXPECTED", theta, row, t, 0., expected, c, t)
            if horizon == INF:
                attempt("DISCOUNTED", theta, row, rate, horizon, discounted, c, rate)
            else:
                attempt("DISCOUNTED", theta, row, rate, horizon, discounted_until, c, rate, horizon)


if __name__ == "__main__":
    family = sys.argv[1]
    print(f"/* hostile_{family}_cnbd_k.h: written by hostile_cnbd.py; do not edit.\n"
          " * function, parameters, x, t_x, age, two arguments (loglik: log_intervals), truth */")
    print(f"static const truth_row hostile_{family}_cnbd_k[] = {{")
    main({"bg": 0, "mbg": 1}[family])
    print("};")
