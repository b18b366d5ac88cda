"""How a date is written: the contract standard's pattern letters, and what DuckDB reads.

The Open Data Contract Standard writes `dd-MM-yyyy` (letters of the JDK's DateTimeFormatter);
`strptime` writes `%d-%m-%Y`. Only letters that both know are accepted.
"""

from __future__ import annotations

import re

_STRPTIME = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "DDD": "%j",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "ss": "%S",
    "SSSSSS": "%f",
    "SSS": "%g",
    "a": "%p",
    "XX": "%z",
}
_LETTERS = {code: letters for letters, code in _STRPTIME.items()}
_PATTERN = re.compile(
    r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])"
)
_CODE = re.compile(r"%%|%-?[A-Za-z]|(?P<text>[A-Za-z']+)|[^%]")


def strptime_of(pattern: str) -> str:
    """`dd-MM-yyyy` as `%d-%m-%Y`; raises ValueError naming the letters that have no meaning here.

    Text stands in single quotes (`yyyy-MM-dd'T'HH:mm:ss`), a quote as two.
    """
    parts, end = [], 0
    for match in _PATTERN.finditer(pattern):
        if match.start() != end:
            break
        end = match.end()
        if match["letters"] is not None:
            if match["letters"] not in _STRPTIME:
                raise ValueError(
                    f"format {pattern!r}: {match['letters']!r} is none of {', '.join(_STRPTIME)}"
                )
            parts.append(_STRPTIME[match["letters"]])
        else:
            text = match["quoted"] if match["quoted"] is not None else match["other"]
            parts.append((text.replace("''", "'") or "'").replace("%", "%%"))
    if end != len(pattern) or not parts:
        raise ValueError(f"format {pattern!r} is empty or has a quote that does not end")
    return "".join(parts)


def pattern_of(strptime: str) -> str:
    """`%d-%m-%Y` as `dd-MM-yyyy`; raises ValueError naming the code that has no letters."""
    parts = []
    for match in _CODE.finditer(strptime):
        code = match[0]
        if code == "%%":
            parts.append("%")
        elif match["text"] is not None:
            parts.append("'" + code.replace("'", "''") + "'")
        elif code.startswith("%"):
            if code not in _LETTERS:
                raise ValueError(f"{strptime!r}: {code} has no letters in the contract standard")
            parts.append(_LETTERS[code])
        else:
            parts.append(code)
    return "".join(parts)
