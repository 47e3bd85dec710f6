"""Tell whether a body is JSON in UTF-8 by its Content-Type."""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import Final

from werkzeug.http import parse_list_header, parse_options_header

_LONGEST: Final = 256


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type says JSON in UTF-8; no type at all is taken for that, too.

    RFC 9110, section 8.3: case, white space, empty and unknown parameters do not matter. Servers
    join a repeated header with commas; each of its values must say the same.
    """
    return len(content_type) <= _LONGEST and _is_json(content_type)


@lru_cache(64)
def _is_json(content_type: str) -> bool:
    values = [parse_options_header(value) for value in parse_list_header(content_type)]
    return all(
        kind.lower() == "application/json" and _is_utf8(parameters.get("charset", "utf-8"))
        for kind, parameters in values
    )


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        return False
