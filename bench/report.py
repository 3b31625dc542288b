# SPDX-License-Identifier: Apache-2.0
"""Writes what was measured: latest.json, a table in latest.md, a plot in latest.svg."""

import json
import math
from html import escape

from load import CPU

HIGHER_IS_BETTER = {"throughput"}
NOT_RATIOS = {"PSS, MB", "private, bytes"}


def reached(row):
    """None without a goal."""
    if row["goal"] is None:
        return None
    return row["ratio"] >= row["goal"] if row["metric"] in HIGHER_IS_BETTER else row["ratio"] <= row["goal"]


def goal_text(row):
    if row["goal"] is None:
        return ""
    return f"{'≥' if row['metric'] in HIGHER_IS_BETTER else '≤'} {row['goal']:g}"


def number(value):
    """Three digits that say something."""
    return f"{value:.{max(0, 2 - int(math.floor(math.log10(abs(value)))))}f}" if value else "0"


def table(rows):
    lines = ["| work | against | metric | ratio | 95% interval | must | |", "|" + " --- |" * 7]
    for row in rows:
        verdict = {None: "", True: "reached", False: "**missed**"}[reached(row)]
        lines.append(f"| {row['work']} | {row['against']} | {row['metric']} | {number(row['ratio'])} "
                     f"| {number(row['low'])}–{number(row['high'])} | {goal_text(row)} | {verdict} |")
    return lines


def markdown(rows, how, details):
    goals = [row for row in rows if row["goal"] is not None]
    others = [row for row in rows if row["goal"] is None]
    return [
        how, "",
        "Ratios are ours to theirs. Throughput: more is better; everything else: less. CPU is the processor time of all",
        "processes of a contender, without the web server and the load.", "", "![plot](latest.svg)", "",
        *table(goals), "", "Without a goal:", "", *table(others), "",
        "Absolute figures, medians of the rounds; this machine's and this minute's only:", *details,
    ]


# The plot: one line for each ratio, on a logarithmic axis.

WIDTH, LEFT, RIGHT, TOP, LINE = 1200, 640, 120, 64, 22
COLOURS = {None: "#555", True: "#1a7f37", False: "#c62828"}
STYLE = """text{font:12px sans-serif;fill:#222}
.small{font-size:11px;fill:#666}
.title{font-size:15px;font-weight:bold}"""


class Axis:
    def __init__(self, values):
        self.low = math.floor(math.log10(min(values)) * 3) / 3
        self.high = math.ceil(math.log10(max(values)) * 3) / 3

    def x(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        """1, 2 and 5 of each power of ten that is within."""
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        candidates = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        return [value for value in candidates if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9]


def text(x, y, content, **attributes):
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escape(content)}</text>'


def line(x1, y1, x2, y2, colour, **attributes):
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{given}/>'


def draw_row(axis, row, y):
    colour = COLOURS[reached(row)]
    pair = row["work"] if row["against"] == "itself" else f"{row['work']} ÷ {row['against']}"
    parts = [text(LEFT - 12, y + 4, f"{pair}, {row['metric']}", text_anchor="end")]
    if row["goal"] is not None:
        x = axis.x(row["goal"])
        parts.append(line(x, y - 9, x, y + 9, "#000", stroke_width=2))
        # Towards where the goal is reached.
        tip = 6 if row["metric"] in HIGHER_IS_BETTER else -6
        parts.append(f'<path d="M{x:.1f} {y - 9} l{tip} 4 l{-tip} 4 z" fill="#000"/>')
    parts.append(line(axis.x(row["low"]), y, axis.x(row["high"]), y, colour, stroke_width=4, stroke_opacity=0.45))
    parts.append(f'<circle cx="{axis.x(row["ratio"]):.1f}" cy="{y}" r="4" fill="{colour}"/>')
    goal = f" ({goal_text(row)})" if row["goal"] is not None else ""
    parts.append(text(WIDTH - RIGHT + 10, y + 4, number(row["ratio"]) + goal, fill=colour))
    return parts


def plot(rows):
    """The SVG text of the rows that are ratios: those with a goal, and after them the processor time of each pair."""
    possible = [row for row in rows if row["metric"] not in NOT_RATIOS and min(row["low"], row["ratio"]) > 0]
    shown = [row for row in possible if row["goal"] is not None]
    shown += [row for row in possible if row["goal"] is None and row["metric"] == CPU]
    goals = [row["goal"] for row in shown if row["goal"] is not None]
    axis = Axis([0.9, 1.1, *goals, *(row[key] for row in shown for key in ("low", "high"))])
    bottom = TOP + LINE * len(shown)
    parts = [text(16, 26, "sandboxd against its peers, and itself", **{"class": "title"}),
             text(16, 44, "ratio with 95% interval; black: what must be reached, and on which side; green reached, red "
                          "missed, grey no goal", **{"class": "small"})]
    for value in axis.ticks():
        x = axis.x(value)
        parts.append(line(x, TOP - 6, x, bottom, "#999" if value == 1 else "#e4e4e4"))
        parts.append(text(x, bottom + 16, f"{value:g}", text_anchor="middle", **{"class": "small"}))
    for index, row in enumerate(shown):
        parts += draw_row(axis, row, TOP + LINE * index + LINE // 2)
    height = bottom + 28
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{STYLE}</style>",
                      '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"])


def write(folder, rows, lines):
    folder.mkdir(exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(rows, indent=1) + "\n")
    (folder / "latest.md").write_text("\n".join(lines) + "\n")
    (folder / "latest.svg").write_text(plot(rows))
