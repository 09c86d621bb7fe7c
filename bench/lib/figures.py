"""Numbers of repeated runs: percentiles, medians with their spread, and Poisson arrivals."""
import math
import random


def percentile(values, p):
    """The p-th percentile, 0 to 100, between the two nearest values; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * p / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values):
    return percentile(values, 50)


def spread(values):
    """Half of the range over the median: 0.05 means that all runs lay within about 5 % of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


class SplitMix64:
    """Steele's SplitMix64. serving_bench draws the same numbers, so that both sides get the same arrivals."""
    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed & self.MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def uniform(self):
        """In [0, 1)."""
        return (self.next() >> 11) * 2.0 ** -53


def poisson_arrivals(rate, seconds, seed):
    """Seconds from the start at which rate * seconds requests (at least one) arrive."""
    draw, at, arrivals = SplitMix64(seed), 0.0, []
    for _ in range(max(1, int(rate * seconds))):
        at += -math.log1p(-draw.uniform()) / rate
        arrivals.append(at)
    return arrivals


def bootstrap_mean(values, resamples, seed, level=0.95):
    """(low, high) between which the mean lies at this level, by resampling the values."""
    draw = random.Random(seed)
    means = [sum(draw.choices(values, k=len(values))) / len(values) for _ in range(resamples)]
    return percentile(means, 50 * (1 - level)), percentile(means, 50 * (1 + level))
