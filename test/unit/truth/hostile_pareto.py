#!/usr/bin/python3
"""Fifty-digit truth for Pareto/NBD on a hostile grid.

usage: hostile_pareto.py > hostile_pareto_nbd.h (takes some minutes)

Every figure is computed from the published form, with precision raised until two
evaluations agree; src/models integrates instead:
  loglik, p_alive   Fader & Hardie 2005: A0 = F(t_x) - F(T) of two 2F1
  expected          the closed form, the logarithm at s = 1
  discounted        no horizon: Tricomi's U; with a horizon: incomplete gammas
  pmf               Fader & Hardie 2006 ("Deriving an expression for P(X(t) = x)"):
                    a sum of n + 2 Gauss functions
  next purchase     the root of P(0) = 1 - q, itself of two 2F1; left out where q
                    decides it badly
"""
import random
import signal
import sys

from mpmath import (beta, exp, findroot, gammainc, hyp2f1, hyperu, inf, log, log1p,
                    loggamma, mpf, workdps)

from hostile import RATES, ROWS, TIMES, draw, emit, exactly

PRECISE = mpf(10) ** -24
PATIENCE = 40                   # seconds for one figure


def stable(f, start=60, least=mpf(0)):
    """f at growing precision until two evaluations agree, relative to `least` at least."""
    digits = start
    with workdps(digits):
        value = f()
    for _ in range(6):
        digits = digits * 8 // 5
        with workdps(digits):
            better = f()
        if abs(better - value) <= max(abs(better), least) * PRECISE:
            return better
        value = better
    raise ArithmeticError("not stable")


def gauss(a, b, c, z):
    return hyp2f1(a, b, c, z, maxterms=3 * 10 ** 6, maxprec=10 ** 6)


def primitive(r, al, s, be, y):
    """F of the 2005 note (r is r + x); at infinity 0"""
    c = r + s
    if y == inf:
        return mpf(0)
    if al >= be:
        return gauss(c, s + 1, c + 1, (al - be) / (al + y)) / (al + y) ** c
    return gauss(c, r, c + 1, (be - al) / (be + y)) / (be + y) ** c


def shares(theta, x, t_x, age):
    """likelihood of being alive, of having left; both without the factors in front"""
    r, al, s, be = theta
    alive = (al + age) ** -(r + x) * (be + age) ** -s if age != inf else mpf(0)
    left = s / (r + s + x) * (primitive(r + x, al, s, be, t_x) - primitive(r + x, al, s, be, age))
    return alive, left


def loglik(theta, x, t_x, age):
    r, al, s, be = theta
    alive, left = shares(theta, x, t_x, age)
    return loggamma(r + x) - loggamma(r) + r * log(al) + s * log(be) + log(alive + left)


def p_alive(theta, x, t_x, age):
    alive, left = shares(theta, x, t_x, age)
    return alive / (alive + left)


def expected(theta, t):
    r, al, s, be = theta
    if s == 1:
        return r * be / al * log1p(t / be)
    return r * be / (al * (s - 1)) * (1 - (be / (be + t)) ** (s - 1))


def discounted(theta, d):
    r, al, s, be = theta
    return r / al * d ** (s - 1) * be ** s * hyperu(s, s, d * be)


def discounted_until(theta, d, horizon):
    r, al, s, be = theta
    return r / al * exp(d * be) * d ** (s - 1) * be ** s \
        * (gammainc(1 - s, d * be) - gammainc(1 - s, d * (be + horizon)))


def pmf(theta, t, n):
    r, al, s, be = theta
    nbd = exp(loggamma(r + n) - loggamma(r) - loggamma(n + 1) + r * log(al / (al + t)) + n * log(t / (al + t)))
    top = max(al, be)
    second = s + 1 if al >= be else r + n
    distance = abs(al - be)
    b1 = gauss(r + s, second, r + s + n + 1, distance / top) / top ** (r + s)
    rest = mpf(0)
    for i in range(n + 1):
        rest += exp(loggamma(r + s + i) - loggamma(r + s) - loggamma(i + 1)) * t ** i \
            * gauss(r + s + i, second, r + s + n + 1, distance / (top + t)) / (top + t) ** (r + s + i)
    return nbd * (be / (be + t)) ** s \
        + al ** r * be ** s * beta(r + n, s + 1) / beta(r, s) * (b1 - rest)


def nobody(theta, t):
    """P(no purchase by t)"""
    r, al, s, be = theta
    alive, left = shares(theta, 0, mpf(0), t)
    return al ** r * be ** s * (alive + left)


def next_purchase(theta, q):
    """None where the root hangs on the last digits of q"""
    r, al, s, be = theta
    with workdps(60):
        never = stable(lambda: nobody(theta, inf))
        if 1 - never <= q:
            return inf if 1 - never < q * (1 - mpf(10) ** -9) else None
        low = log(al) + log(exp(-log(1 - q) / r) - 1)
        high = low + 1
        while 1 - stable(lambda: nobody(theta, exp(high))) < q:
            high += high - low
            if high > 600:
                return None
        w = findroot(lambda w: stable(lambda: 1 - nobody(theta, exp(w))) - q, (low, high),
                     solver="anderson", tol=mpf(10) ** -45)
        t = exp(w)
        slope = t * r / al * (al / (al + t)) ** (r + 1) * (be / (be + t)) ** s
        return t if q < 1000 * slope else None


THETAS = [
    (.553, 10.578, .606, 11.669), (.8, 20., 1.7, 5.), (1., 7., 1., 7.), (.5, 6., 1., 12.),
    (1e-3, 1e-3, 1e-3, 1e-3), (1e3, 1e3, 1e3, 1e3), (1e3, 1e-3, 1e-3, 1e3), (1e-3, 1e3, 1e3, 1e-3),
    (1e-3, 1e-3, 1e3, 1e3), (.05, 1e3, 1 + 1e-9, .5), (2., 1e-3, .5, 1e3), (.5, 1e3, 2., 1e-3), (20., 300., 30., 90.),
    (.5143, 2.8845, .2856, 14.1087), (10.465, .00798565181, 3.0516, 2.82),
]


def rows():
    rng = random.Random(20260303)
    k = 0
    for i, theta in enumerate(THETAS + [tuple(draw(rng, 1e-3, 1e3) for _ in range(4)) for _ in range(15)]):
        for j, row in enumerate(ROWS):
            if (i + j) % 2 and i > 0:
                continue
            k += 1
            yield theta, row, TIMES[k % len(TIMES)], RATES[k % len(RATES)], (0, 1, 5, 60)[k % 4]


def too_long(number, frame):
    raise ArithmeticError("takes too long")


def attempt(what, theta, row, arg, arg2, f):
    signal.alarm(PATIENCE)
    try:
        value = f()
    except (ArithmeticError, ValueError, NotImplementedError) as problem:
        print("left out:", what, theta, row, arg, arg2, problem, file=sys.stderr, flush=True)
        return
    finally:
        signal.alarm(0)
    if value is not None:
        emit(what, theta, row, arg, arg2, value)


def main():
    signal.signal(signal.SIGALRM, too_long)
    for theta, row, t, (rate, horizon), n in rows():
        th = exactly(theta)
        x, t_x, age = exactly(row)
        c = (th[0] + x, th[1] + age, th[2], th[3] + age)
        attempt("LOGLIK", theta, row, 0., 0., lambda: stable(lambda: loglik(th, x, t_x, age), least=mpf(1)))
        attempt("P_ALIVE", theta, row, 0., 0., lambda: stable(lambda: p_alive(th, x, t_x, age)))
        attempt("EXPECTED", theta, row, t, 0., lambda: stable(lambda: expected(c, mpf(t))))
        attempt("PMF", theta, row, t, float(n), lambda: stable(lambda: pmf(c, mpf(t), n), 80))
        attempt("NEXT", theta, row, .5, 0., lambda: next_purchase(c, mpf(.5)))
        if horizon == float("inf"):
            attempt("DISCOUNTED", theta, row, rate, horizon, lambda: stable(lambda: discounted(c, mpf(rate))))
        else:
            attempt("DISCOUNTED", theta, row, rate, horizon,
                    lambda: stable(lambda: discounted_until(c, mpf(rate), mpf(horizon))))


if __name__ == "__main__":
    print("/* hostile_pareto_nbd.h: written by hostile_pareto.py; do not edit.\n"
          " * function, parameters, x, t_x, age, two arguments, truth */")
    print("static const truth_row hostile_pareto_nbd[] = {")
    main()
    print("};")
