#!/usr/bin/env python3
"""Draws p99 latency against load, for us and the peer, from what `compare --online` wrote.

    plot_load.py --json build/bench/compare.json --out load.svg [--model opus]

An SVG without dependencies that can be read on light and on dark ground.
"""
import argparse
import json
import math
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 62, 56
STYLE = """
  .ground { fill: #ffffff } .ink { fill: #1f2328 } .quiet { fill: #59636e } .grid { stroke: #d1d9e0; stroke-width: 1 }
  .axis { stroke: #59636e; stroke-width: 1 }
  .ours { stroke: #0969da; fill: #0969da } .peer { stroke: #bc4c00; fill: #bc4c00 }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .dashed { stroke-dasharray: 7 4 }
  .mark { stroke: none } .name { stroke: none; font-weight: 600 }
  text { font-family: system-ui, sans-serif; font-size: 13px } .title { font-size: 16px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
    .axis { stroke: #9198a1 } .ours { stroke: #4493f8; fill: #4493f8 } .peer { stroke: #f0883e; fill: #f0883e }
  }"""


def round_step(span, most):
    """1, 2 or 5 times a power of ten, so that at most so many steps fill the span."""
    power = 10 ** math.floor(math.log10(span / most))
    return next(step * power for step in (1, 2, 5, 10) if span / (step * power) <= most)


def decades(low, high):
    """Powers of ten that enclose the values."""
    return math.floor(math.log10(low)), max(math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1)


class Chart:
    """Loads to the right, milliseconds upwards on a logarithmic scale."""

    def __init__(self, series):
        points = [point for _, _, line in series for point in line]
        self.most = max(x for x, _ in points)
        self.low, self.high = decades(min(y for _, y in points), max(y for _, y in points))
        self.parts = []

    def x(self, load):
        return LEFT + (WIDTH - LEFT - RIGHT) * load / (self.most * 1.03)

    def y(self, ms):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(ms) - self.low) / (self.high - self.low)

    def add(self, name, text=None, **attributes):
        words = " ".join(f"{key.rstrip('_').replace('_', '-')}={quoteattr(str(value))}" for key, value in attributes.items())
        self.parts.append(f"<{name} {words}/>" if text is None else f"<{name} {words}>{escape(text)}</{name}>")

    def text(self, x, y, text, class_="quiet", anchor="middle", **more):
        self.add("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=class_, **more)

    def line(self, x1, y1, x2, y2, class_):
        self.add("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_)

    def axes(self):
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for power in range(self.low, self.high + 1):
            for factor in (1, 2, 5):
                ms = factor * 10.0 ** power
                if ms > 10.0 ** self.high:
                    break
                self.line(LEFT, self.y(ms), right, self.y(ms), "grid")
                self.text(LEFT - 8, self.y(ms) + 4, f"{ms:g}", anchor="end")
        step = round_step(self.most, 8)
        for i in range(int(self.most / step) + 1):
            self.line(self.x(i * step), bottom, self.x(i * step), bottom + 5, "axis")
            self.text(self.x(i * step), bottom + 20, f"{i * step:g}")
        self.line(LEFT, bottom, right, bottom, "axis")
        self.text((LEFT + right) / 2, HEIGHT - 14, "sentences a second that arrive")
        self.text(18, (TOP + bottom) / 2, "p99 latency, ms", transform=f"rotate(-90 18 {(TOP + bottom) / 2:.1f})")

    def curve(self, class_, line, dashed):
        places = [(self.x(load), self.y(ms)) for load, ms in line]
        self.add("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
                 class_=f"line {class_}" + (" dashed" if dashed else ""), style="fill: none")
        for x, y in places:
            if dashed:
                self.add("rect", x=f"{x - 3.5:.1f}", y=f"{y - 3.5:.1f}", width=7, height=7, class_=f"mark {class_}")
            else:
                self.add("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=f"mark {class_}")


def draw(title, series):
    """series: (name, "ours" or "peer", [(load, ms)]); the peer is dashed, so that colours are not needed."""
    chart = Chart(series)
    chart.axes()
    chart.text(LEFT, 24, title, "ink title", "start")
    for i, (name, class_, line) in enumerate(series):
        chart.curve(class_, sorted(line), dashed=class_ == "peer")
        at = LEFT + i * 200
        dashed = " dashed" if class_ == "peer" else ""
        chart.add("line", x1=at, y1=42, x2=at + 28, y2=42, class_=f"line {class_}{dashed}")
        chart.text(at + 36, 46, name, f"name {class_}", "start")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}\n</style>\n"
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>\n' + "\n".join(chart.parts) + "\n</svg>\n")


def series_of(points):
    """Of the sweep of one model; the peer at the time its call returns, which is when its API gives answers."""
    def line(side):
        return [(point["rate"], point[side]["p99_ms"]) for point in points if point[side]["requests"] > 0]
    peer = points[0]["peer"]["engine"].replace("ctranslate2", "CTranslate2")
    types = {side: points[0][side]["compute"] for side in ("ours", "peer")}
    return [(f"Attend, {types['ours']}", "ours", line("ours")), (f"{peer}, {types['peer']}", "peer", line("peer"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--model", default="opus")
    args = parser.parse_args()
    with open(args.json, encoding="utf-8") as f:
        result = json.load(f)
    points = [point for point in result["sweep"] if point["model"] == args.model]
    if not points:
        raise SystemExit(f"{args.json} has no loads of {args.model}: run compare --online")
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(draw(f"p99 against load, {result['models'][args.model]}", series_of(points)))


if __name__ == "__main__":
    main()
