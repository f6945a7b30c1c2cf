#!/usr/bin/python3
"""Published and independently verified vectors as C tables.

usage: vectors.py vectors.json FOLDER

Writes FOLDER/vectors_FAMILY.h.  The source is a list of {model, function, inputs,
output, ...}.
"""
import json
import sys
from math import log1p

INF = float("inf")


def literal(value):
    return "INFINITY" if value == INF else repr(float(value))


def line(what, theta, row, arg, arg2, truth):
    theta = (theta + [0, 0, 0, 0])[:max(4, len(theta))]
    cells = ", ".join(literal(v) for v in theta)
    rest = ", ".join(literal(v) for v in [*row, arg, arg2, truth])
    return f"\t{{{what}, {{{cells}}}, {rest}}},"


def bg_nbd(entries):
    for entry in entries:
        i = entry["inputs"]
        if "r" not in i:
            continue
        theta = [i[k] for k in ("r", "alpha", "a", "b")]
        row = [i.get("x", 0), i.get("t_x", 0), i.get("T", 0)]
        out = entry["output"]
        function = entry["function"]
        if function == "loglik":
            yield line("LOGLIK", theta, row, 0, 0, out)
        elif function == "p_alive":
            yield line("P_ALIVE", theta, row, 0, 0, out)
        elif function == "cond_exp":
            yield line("PURCHASES", theta, row, i["t"], 0, out)
        elif function == "exp_x":
            yield line("EXPECTED", theta, row, i["t"], 0, out)
        elif function == "dert":
            yield line("DERT", theta, row, i["delta"], INF, out)
        elif function == "det_new_customer":
            yield line("DISCOUNTED", theta, row, i["delta"], INF, out)
        elif function == "pmf":
            yield line("PMF", theta, [0, 0, 0], i["t"], i["x"], out)


def purchases(names):
    """Families whose new customers need not be alive: p_alive, exp_x and pmf are those of strangers."""
    def lines(entries):
        for entry in entries:
            i = entry["inputs"]
            if "r" not in i:
                continue
            theta = [i[k] for k in names]
            row = [i.get("x", 0), i.get("t_x", 0), i.get("T", 0)]
            out = entry["output"]
            function = entry["function"]
            if function == "loglik":
                yield line("LOGLIK", theta, row, i.get("litt", 0), 0, out)
            elif function == "p_alive":
                yield line("P_ALIVE", theta, row, 0, 0, out)
            elif function in ("cond_exp", "cond_exp_exact"):
                yield line("PURCHASES", theta, row, i["t"], 0, out)
            elif function == "exp_x":
                yield line("NEW", theta, row, i["t"], 0, out)
            elif function == "dert":
                yield line("DERT", theta, row, i["delta"], INF, out)
            elif function == "pmf":
                yield line("MASS", theta, [0, 0, 0], i["t"], i["x"], out)
    return lines


def opportunities(entries):
    """age n; the paper's alive is that at n + 1"""
    for entry in entries:
        i = entry["inputs"]
        if "alpha" not in i:
            continue
        theta = [i[k] for k in ("alpha", "beta", "gamma", "delta")]
        history = "t_x" in i
        row = [i["x"], i["t_x"], i["n"]] if history else [0, 0, 0]
        out = entry["output"]
        function = entry["function"]
        if function == "loglik":
            yield line("LOGLIK", theta, row, 0, 0, out)
        elif function == "p_alive_at_n_plus_1":
            yield line("P_ALIVE", theta, row, 0, 0, out)
        elif function == "p_alive_at_n":
            yield line("P_ALIVE_AT_LAST", theta, row, 0, 0, out)
        elif function == "cond_exp":
            yield line("PURCHASES", theta, row, i["n_star"], 0, out)
        elif function == "exp_x":
            yield line("NEW", theta, row, i["n"], 0, out)
        elif function == "dert":
            yield line("DERT", theta, row, log1p(i["d"]), INF, out)
        elif function == "pmf":
            yield line("MASS", theta, row, i["n"], i["x"], out)


def gamma_gamma(entries):
    for entry in entries:
        i = entry["inputs"]
        if "p" not in i:
            continue
        theta = [i[k] for k in ("p", "q", "gamma")]
        what = {"loglik": "SPEND_LOGLIK", "cond_mean": "SPEND"}[entry["function"]]
        yield line(what, theta, [i["x"], i["m"], 0], 0, 0, entry["output"])


def contract(entries):
    """t renewals made: chances of the next, of an end at t, and payments to come"""
    for entry in entries:
        i = entry["inputs"]
        theta = [i[k] for k in ("alpha", "beta", "gamma", "delta", "c") if k in i]
        out = entry["output"]
        function = entry["function"]
        t = i.get("t", 0)
        if function == "survivor":
            yield line("SURVIVAL", theta, [0, 0, 0], t, 0, out)
        elif function == "retention":
            yield line("PMF", theta, [0, 0, t - 1], 1, 1, out)
        elif function == "pmf":
            yield line("PMF", theta, [0, 0, 0], t, t - 1, out)
        elif function == "derl_before_nth_renewal_decision":
            yield line("RESIDUAL", theta, [0, 0, 0], i["n"] - 1, i["d"], out)
        elif function == "derl_after_nth_renewal":
            yield line("DISCOUNTED", theta, [0, 0, i["n"]], log1p(i["d"]), INF, out)
        elif function == "del":
            yield line("DISCOUNTED", theta, [0, 0, 0], log1p(i["d"]), INF, out - 1)


def main(source, folder):
    with open(source) as file:
        vectors = json.load(file)
    for model, name, lines in (("bgnbd", "bg_nbd", bg_nbd),
                               ("mbgnbd", "mbg_nbd", purchases(("r", "alpha", "a", "b"))),
                               ("pnbd", "pareto_nbd", purchases(("r", "alpha", "s", "beta"))),
                               ("bgcnbd", "bg_cnbd_k", purchases(("k", "r", "alpha", "a", "b"))),
                               ("mbgcnbd", "mbg_cnbd_k", purchases(("k", "r", "alpha", "a", "b"))),
                               ("bgbb", "bg_bb", opportunities),
                               ("gamma_gamma", "gamma_gamma", gamma_gamma),
                               ("sbg", "sbg", contract), ("bdw", "bdw", contract)):
        entries = [e for e in vectors if e["model"] == model]
        with open(f"{folder}/vectors_{name}.h", "w") as out:
            out.write(f"/* vectors_{name}.h: written by vectors.py; do not edit. */\n")
            out.write(f"static const truth_row vectors_{name}[] = {{\n")
            out.write("\n".join(lines(entries)) + "\n};\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
