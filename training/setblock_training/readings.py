"""How far the descriptions of NL-RX determine their expressions: what a table of the training rows' readings gets right.

    python -m setblock_training.readings --eval ../test/eval/tasks

Descriptions that differ only in what they speak of share a template. `table` answers with the reading that most training rows
of a template have; `hindsight` with the one that most rows of all splits have, which no model can know. Prints JSON.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from .augment import PhraseExchange
from .documents import TAGS, read_rows

Readings = dict[str, Counter[str]]


def readings_of(rows: list[dict[str, str]]) -> Readings:
    return PhraseExchange(rows).readings


def share_right(rows: list[dict[str, str]], readings: Readings) -> float:
    """Share of rows whose own reading is the most frequent one of their template; a template that is not there has none."""
    templates = [PhraseExchange.templates(row) for row in rows]
    right = sum(known is not None and most_frequent(readings, known[0]) == known[1] for known in templates)
    return round(right / len(rows), 4)


def most_frequent(readings: Readings, sentence: str) -> str | None:
    return readings[sentence].most_common(1)[0][0] if sentence in readings else None


def report(rows: list[dict[str, str]], evaluated: set[str]) -> dict[str, object]:
    held_out = [row for row in rows if row["split"] != "train"]
    table = readings_of([row for row in rows if row["split"] == "train"])
    hindsight = readings_of(rows)
    sets = {"heldOut": held_out, "evaluated": [row for row in held_out if f"[{TAGS['nlrx']}] {row['input']}" in evaluated]}
    return {
        "templates": len(table),
        "ambiguous": sum(len(readings) > 1 for readings in table.values()),
    } | {
        name: {"rows": len(part), "table": share_right(part, table), "hindsight": share_right(part, hindsight)}
        for name, part in sets.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True, help="folder of the evaluated rows")
    lines = (parser.parse_args().eval / "regex.jsonl").read_text(encoding="utf-8").splitlines()
    print(json.dumps(report(read_rows("nlrx"), {json.loads(line)["prompt"] for line in lines})))


if __name__ == "__main__":
    main()
