"""What the scripts of this folder share: exact doubles in, decimal digits out.

Run with Debian's python3 (python3-mpmath).  The headers these scripts write are
committed, so that the tests need neither.
"""
from mpmath import mp, mpf, nstr


def number(value):
    """A C double literal that reads back as exactly this double (or 21 digits of an mpf)."""
    if isinstance(value, mpf):
        if value == mp.inf:
            return "INFINITY"
        if value != 0 and abs(value) < mpf(10) ** -300:
            return "0"
        return nstr(value, 21, min_fixed=0, max_fixed=0)
    if value == float("inf"):
        return "INFINITY"
    return repr(float(value))


def header(path, script, body):
    name = path.split("/")[-1]
    with open(path, "w") as out:
        out.write(f"/* {name}: written by {script}; do not edit. */\n{body}\n")
