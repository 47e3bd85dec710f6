"""An explanation for people, and as JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from flask_otp_mpp.conformance.explain.explain import Explanation
from flask_otp_mpp.conformance.explain.string_to_sign import StringToSign

_AROUND: Final = 32
_MASKED: Final = re.compile(r"\*{4,}")


def as_text(explanation: Explanation, *, secrets: bool = False) -> str:
    """Write an explanation for people.

    :param secrets: whether tokens, codes and their like in the body are shown.
    """
    lines = [_verdict(explanation), ""]
    for mistake in explanation.found:
        lines += [f"{mistake.id}: {mistake.title}.", f"  Remedy: {mistake.remedy}", ""]
    if explanation.found and explanation.key:
        lines += [f"The key that made it: {explanation.key}", ""]
    if not explanation.explained:
        lines += [*_unexplained(explanation), ""]
    lines += ["String to sign:", _block(explanation.expected, secrets=secrets)]
    if explanation.signed not in (None, explanation.expected):
        assert explanation.signed is not None  # noqa: S101 - for the types
        lines += ["", "String that was signed:", _block(explanation.signed, secrets=secrets)]
        lines += _difference(explanation, secrets=secrets)
    lines += ["", *(f"Note: {note}" for note in explanation.notes)]
    return "\n".join(lines).rstrip()


def as_dict(explanation: Explanation, *, secrets: bool = False) -> dict[str, Any]:
    """Return an explanation as what JSON can hold; the parameter is that of :func:`as_text`."""
    signed = explanation.signed
    return {
        "verified": explanation.verified,
        "explained": explanation.explained,
        "found": [
            {"id": one.id, "title": one.title, "signed": one.signed, "remedy": one.remedy}
            for one in explanation.found
        ],
        "string_to_sign": _shown(explanation.expected, secrets=secrets),
        "string_signed": None if signed is None else _shown(signed, secrets=secrets),
        "then": [] if signed is None else [after.name for after in signed.after],
        "first_difference": explanation.difference,
        "key": explanation.key,
        "digest": explanation.digest,
        "tried": list(explanation.tried),
        "strings_compared": explanation.strings,
        "notes": list(explanation.notes),
    }


def _verdict(explanation: Explanation) -> str:
    if explanation.verified:
        return "The signature verifies."
    if explanation.explained:
        count = len(explanation.found)
        return f"The signature does not verify: {count} mistake{'s' if count > 1 else ''} found."
    return "The signature does not verify, and what was signed is not known."


def _unexplained(explanation: Explanation) -> list[str]:
    tried = f"Tried: {', '.join(explanation.tried)}."
    if explanation.key is None:
        return [
            "None of the given keys made this signature, in any encoding that was tried. Compare "
            "the public key that you have with the one that the signer uses.",
            tried,
        ]
    named = f" {explanation.key}" if explanation.key else ""
    lines = [
        f"The key{named} made this signature, over a string that none of the {explanation.strings} "
        "tried ones is. Have the signer print the bytes that it signs, and compare them with the "
        "string below."
    ]
    if explanation.digest:
        lines.append(f"The digest of what was signed is {explanation.digest}.")
    return [*lines, tried]


def _difference(explanation: Explanation, *, secrets: bool) -> list[str]:
    index, signed = explanation.difference, explanation.signed
    if signed is None:
        return []
    then = [f"It was then {after.name}." for after in signed.after]
    if index is None:
        if not then:
            then = ["Both have the same characters, in other bytes."]
        return ["", *then]
    texts = {
        "to sign": explanation.expected.show(secrets=secrets),
        "signed": signed.show(secrets=secrets),
    }
    begin = max(0, index - _AROUND)
    before = max(len(visible(text[begin:index])) for text in texts.values())
    lines = [
        f"  {name:<8} {visible(text[begin : index + _AROUND])}" for name, text in texts.items()
    ]
    here = {text[index : index + 1] for text in texts.values()}
    hidden = (
        [] if here != {"*"} else ["The difference is in a value that is masked: --show-secrets"]
    )
    return [
        *("", f"Character {index + 1} is the first to differ:", *lines),
        " " * (11 + before) + "^",
        *hidden,
        *then,
    ]


def _block(string: StringToSign, *, secrets: bool) -> str:
    """Return a string in indented lines; what can't be seen is written as an escape."""
    lines = _shown(string, secrets=secrets).split("\n")
    ends = [f"  {visible(line)}\\n" for line in lines[:-1]]
    return "\n".join([*ends, *([f"  {visible(lines[-1])}"] if lines[-1] else [])])


def _shown(string: StringToSign, *, secrets: bool) -> str:
    text = string.show(secrets=secrets)
    return text if secrets else _MASKED.sub("***", text)


def visible(text: str) -> str:
    """Return a text with escapes for line ends and for what is not printed."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
