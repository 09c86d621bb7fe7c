"""Two engines measured in turn, and the table of their ratios."""
from dataclasses import dataclass, field

from lib import figures, programs


@dataclass
class Row:
    """One line of the table. ours and peer: functions that run one measurement each and give its record; where there are
    several (ways to use the cores, say), the best counts. value: the number, from a record."""
    title: str
    ours: list
    peer: list
    value: object
    unit: str
    lower_is_better: bool
    target: float  # ratio ours / peer that is aimed at
    stretch: float = None
    pairs: list = field(default_factory=list)  # (our record, the peer's), of each repetition

    def best(self, candidates):
        found = [candidate() for candidate in candidates]
        return (min if self.lower_is_better else max)(found, key=self.value)

    def values(self, side):
        return [self.value(pair[side]) for pair in self.pairs]

    def ratios(self):
        return [ours / peer for ours, peer in zip(self.values(0), self.values(1))]

    def met(self, ratio, goal):
        return ratio <= goal if self.lower_is_better else ratio >= goal


def run_pair(row, ours_first):
    if ours_first:
        ours = row.best(row.ours)
        return ours, row.best(row.peer)
    peer = row.best(row.peer)
    return row.best(row.ours), peer


def disturbance(pair):
    return max(programs.foreign_of(entry) for entry in pair)


def measure(rows, reps, extra, noise, say=lambda text: None):
    """Both sides of all rows in turn, `reps` times. A pair beside which others used more than `noise` cores is measured
    again, `extra` times a row at most; the calmest pairs count."""
    tries = {id(row): 0 for row in rows}
    for rep in range(reps + extra):
        for row in rows:
            calm = sum(disturbance(pair) <= noise for pair in row.pairs)
            if calm >= reps:
                continue
            pair = run_pair(row, ours_first=tries[id(row)] % 2 == 0)
            tries[id(row)] += 1
            row.pairs.append(pair)
            say(f"{row.title}: {row.value(pair[0]):.4g} to {row.value(pair[1]):.4g} {row.unit}, "
                f"{disturbance(pair):.2f} foreign cores")
    for row in rows:
        row.pairs = sorted(row.pairs, key=disturbance)[:reps]


def summary(row):
    ratios = row.ratios()
    ratio = figures.median(ratios)
    return {"title": row.title, "unit": row.unit, "ours": figures.median(row.values(0)),
            "peer": figures.median(row.values(1)), "ratio": ratio, "spread": figures.spread(ratios), "ratios": ratios,
            "compute": row.pairs[0][0].get("compute"), "repetitions": len(row.pairs),
            "target": row.target, "stretch": row.stretch, "lower_is_better": row.lower_is_better,
            "met": row.met(ratio, row.target), "foreign": max(disturbance(pair) for pair in row.pairs),
            "records": [list(pair) for pair in row.pairs]}


def number(value):
    """Three or four digits that matter."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def goal(entry, key):
    value = entry[key]
    if value is None:
        return "–"
    return ("≤ " if entry["lower_is_better"] else "≥ ") + f"{value:g}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def ratio_table(entries):
    return table(
        ["what", "type", "unit", "Attend", "CTranslate2", "ratio", "spread", "target", "stretch", "met"],
        [[e["title"], e["compute"] or "–", e["unit"], number(e["ours"]), number(e["peer"]), f"{e['ratio']:.2f}",
          f"± {100 * e['spread']:.0f} %", goal(e, "target"), goal(e, "stretch"), "yes" if e["met"] else "no"]
         for e in entries])
