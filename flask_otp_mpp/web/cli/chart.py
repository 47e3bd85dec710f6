"""A chart of bars in plain characters."""

from __future__ import annotations

from collections.abc import Sequence


def bars(rows: Sequence[tuple[str, Sequence[int]]], marks: str, width: int) -> list[str]:
    """Write a bar for each row, of parts that grow: each begins where the one before ends.

    A bar ends with its numbers. The longest one takes the width; a part that is more than nothing
    has a mark at least.

    :param rows: the label of each, and its numbers, which must not fall.
    :param marks: a character for each part.
    :param width: of a line, in characters.
    """
    labels = max(len(label) for label, _ in rows)
    ends = [" ".join(map(str, numbers)) for _, numbers in rows]
    most = max(numbers[-1] for _, numbers in rows)
    room = max(len(marks), width - labels - max(map(len, ends)) - 3)
    lines = []
    for (label, numbers), end in zip(rows, ends, strict=True):
        bar = ""
        for mark, number in zip(marks, numbers, strict=True):
            length = round(room * number / most) if most else 0
            grows = number > 0 and number != max([0, *numbers[: marks.index(mark)]])
            bar = bar.ljust(max(length, len(bar) + grows), mark)[:room]
        lines.append(f"{label:>{labels}} |{bar} {end}")
    return lines
