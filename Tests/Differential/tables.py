"""`disagreements.md`, row by row."""

import re
from pathlib import Path

TABLE = Path(__file__).resolve().parent / "disagreements.md"


def shown(text):
    """A text of the corpus as a cell."""
    text = text.replace("\n", "⏎").replace("|", "¦")
    text = "".join(sign if " " <= sign <= "~" or sign in "⏎␊␍␀⇥⇣¦" else f"\\x{ord(sign):02x}" for sign in text)
    fence = "``" if "`" in text else "`"
    space = " " if text.startswith((" ", "`")) or text.endswith((" ", "`")) else ""
    return f"{fence}{space}{text}{space}{fence}" if text else "nothing"


def table(families):
    """The rows of these families: (family, odd part) to the three readers' cells; each has its reason."""
    rows, family = {}, None
    for line in TABLE.read_text().splitlines():
        if heading := re.match(r"## .*\((\w+)\)$", line):
            family = heading[1]
        elif family in families and line.startswith("| ") and not line.startswith(("| What", "| ---")):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == 5 and len(cells[4]) > 10, f"a row without a reason: {line}"
            assert (family, cells[0]) not in rows, f"twice: {line}"
            rows[family, cells[0]] = cells[1:4]
    return rows
