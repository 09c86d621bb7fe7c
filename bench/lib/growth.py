"""How a figure grows with what it was measured against."""
import math

from lib.pairs import number, table


def exponent(xs, ys):
    """The power of x that y grows with, from the first to the last: 1 is proportional, 0 does not grow. None where it
    says nothing."""
    if len(xs) < 2 or xs[0] == xs[-1] or min(xs[0], xs[-1], ys[0], ys[-1]) <= 0:
        return None
    return math.log(ys[-1] / ys[0]) / math.log(xs[-1] / xs[0])


def growth_table(name, xs, columns):
    """columns: (title, values). Each value with its ratio to the first one; the last line is the power over all."""
    header, rows = [name], [[x] for x in xs]
    last = ["grows with the power"]
    for title, values in columns:
        header += [title, "to the first"]
        for row, value in zip(rows, values):
            row += [number(value), f"{value / values[0]:.2f}" if values[0] else "–"]
        power = exponent([float(x) for x in xs], values)
        last += ["–" if power is None else f"{power:.2f}", ""]
    return table(header, rows + [last])
