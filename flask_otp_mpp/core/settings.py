"""Groups of settings: a frozen dataclass declares each key with its default, bounds and meaning.

Reading, error texts and the documentation's table come from that declaration::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MailSettings:
        port: int = setting("MAIL_PORT", whole(1, 65535), "The server's port.", default=25)

    settings = read_group(MailSettings, app.config, faults)
    settings.port

A fault never hides another one: it is added to a list, and something harmless takes the place of
the value, so that everything else can be read and checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar

from flask_otp_mpp.core.readers import Reader, Unreadable

PREFIX: Final = "OTP_MPP_"
Faults: TypeAlias = list[tuple[str, str]]
"""What is wrong with a configuration: pairs of key and finding."""
T = TypeVar("T")
G = TypeVar("G")
_METADATA: Final = "otp_mpp_setting"


class ConfigurationError(Exception):
    """Every error of a configuration, each with its key, what was found, and the remedy.

    :ivar faults: pairs of key and finding; one key may be at fault several times.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        lines = "".join(f"\n  {key!r}: {finding}" for key, finding in faults)
        plural = "" if len(faults) == 1 else "s"
        super().__init__(f"flask-otp-mpp: {len(faults)} configuration error{plural}:{lines}")
        self.faults = tuple(faults)


class Required(Enum):
    """Mark a setting that has no default."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """Hold the declaration of one key.

    :param name: the key without its prefix.
    :param meaning: one sentence for the documentation.
    :param default: the value if the key is not set, as one would configure it.
    :param placeholder: takes the place of a required value that is at fault.
    """

    name: str
    reader: Reader[T]
    meaning: str
    default: object = REQUIRED
    placeholder: T | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Check values of a group that must fit together.

    :param fields: the fields whose values are checked; the first one is named in the fault.
    :param check: called with their values; returns what is wrong, or an empty text.
    """

    fields: tuple[str, ...]
    check: Callable[..., str]


def setting(
    key: str,
    reader: Reader[T],
    meaning: str,
    *,
    default: object = REQUIRED,
    placeholder: T | None = None,
    secret: bool = False,
) -> T:
    """Declare a field of a group.

    :param key: without ``OTP_MPP_``.
    :param default: as one would configure it; it is read like any other value.
    :param placeholder: for a setting without a default: takes its place while it is at fault.
    :param secret: keeps the value out of the group's repr.
    """
    metadata = {_METADATA: Setting(key, reader, meaning, default, placeholder)}
    declared: Any
    if default is REQUIRED:
        declared = field(repr=not secret, metadata=metadata)
    else:
        value = reader(default)
        declared = field(default_factory=lambda: value, repr=not secret, metadata=metadata)
    return declared  # type: ignore[no-any-return]  # the dataclass puts a T in its place


def settings_of(group: type) -> dict[str, Setting[Any]]:
    """Return the declarations of a group by the names of their fields."""
    return {one.name: one.metadata[_METADATA] for one in fields(group) if _METADATA in one.metadata}


def key_of(group: type, name: str) -> str:
    """Return the configuration key of a field."""
    return PREFIX + settings_of(group)[name].name


def read_group(
    group: type[G], config: Mapping[str, Any], faults: Faults, *, prefix: str = PREFIX, **given: Any
) -> G:
    """Read the settings of a group; what is wrong is added to the faults.

    In place of a value at fault stands what could be read of it, its default or its placeholder.

    :param given: fields that are no settings.
    """
    values = dict(given)
    sound: dict[str, Any] = {}
    declared = settings_of(group)
    for name, one in declared.items():
        key = prefix + one.name
        raw = config.get(key, one.default)
        if one.default is REQUIRED:
            values[name] = one.placeholder
        if raw is REQUIRED:
            faults.append((key, f"is missing; set it to {one.reader.kind}. {one.meaning}"))
            continue
        try:
            values[name] = sound[name] = one.reader(raw)
        except Unreadable as fault:
            faults.extend((key, finding) for finding in fault.findings)
            values[name] = fault.rest
        except ValueError as fault:
            faults.append((key, str(fault)))
    for rule, finding in _broken(group, sound):
        faults.append((prefix + declared[rule.fields[0]].name, finding))
        for name in rule.fields:
            if declared[name].default is not REQUIRED:
                values.pop(name, None)
    return group(**values)


def read_members(
    group: type[G], members: Mapping[str, Any], faults: Faults, *, of: str, **given: Any
) -> G:
    """Read a group from a mapping of a host that holds nothing else; None is like a missing member.

    :param of: what has these members, for errors.
    :param given: fields that are no settings.
    """
    present = {str(name): value for name, value in members.items() if value is not None}
    read = read_group(group, present, faults, prefix="", **given)
    known = [one.name for one in settings_of(group).values()]
    for name in present.keys() - known:
        faults.append((name, f"is no member of {of}; {advice_on(name, known)}"))
    return read


def group_faults(group: object) -> Faults:
    """Return what is wrong with a group that was not read but made: pairs of field and finding."""
    values = {name: getattr(group, name) for name in settings_of(type(group))}
    found = [
        (name, finding)
        for name, one in settings_of(type(group)).items()
        if (finding := one.reader.check(values[name]))
    ]
    for name, _ in found:
        values.pop(name)
    broken = _broken(type(group), values)
    return found + [(rule.fields[0], finding) for rule, finding in broken]


def report_unknown(config: Mapping[str, Any], groups: Iterable[type], faults: Faults) -> None:
    """Add each ``OTP_MPP_*`` key that no group declares to the faults."""
    known = [one.name for group in groups for one in settings_of(group).values()]
    for key in config:
        name = key.removeprefix(PREFIX)
        if key.startswith(PREFIX) and name not in known:
            faults.append((key, f"is not a setting; {advice_on(name, known, PREFIX)}"))


def advice_on(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return the advice for an unknown name: the known name that is like it, or to remove it."""
    near = get_close_matches(name, list(known), 1)
    return f"did you mean {prefix + near[0]!r}?" if near else "remove it"


def _broken(group: type, values: Mapping[str, Any]) -> Iterator[tuple[Rule, str]]:
    """Find the rules that the values break; one about a value at fault is left out."""
    rules: tuple[Rule, ...] = getattr(group, "RULES", ())
    for rule in rules:
        if values.keys() >= set(rule.fields):
            finding = rule.check(*(values[name] for name in rule.fields))
            if finding:
                yield rule, finding
