"""A fault: what a wallet does wrong, and which cases find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.stores import Store
from tests.conformance.faulty.layer import Layer

MakeStore: TypeAlias = Callable[[Clock], Store]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a wallet does wrong.

    :param wrong: what it is, in a sentence.
    :param fails: the ids of all cases that must find it.
    :param sometimes: the ids of those that find it or not, as their requests happen to be ordered.
    :param layer: makes what stands before the wallet.
    :param store: makes the wallet's store.
    :param kit: values of the kit's file, that differ.
    """

    name: str
    wrong: str
    fails: tuple[str, ...]
    sometimes: tuple[str, ...] = ()
    wire: Wire = Wire.ALIPAYPLUS
    layer: Callable[[], Layer] | None = None
    store: MakeStore | None = None
    kit: Mapping[str, Any] = field(default_factory=dict)


class FaultList:
    """The faults of a module, in their order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, name: str, wrong: str, *fails: str, **how: Any) -> Callable[[Layer], Layer]:
        """Return a decorator that makes a layer a fault; see :class:`Fault`."""

        def add(layer: Layer) -> Layer:
            self._faults.append(Fault(name, wrong, fails, layer=lambda: layer, **how))
            return layer

        return add

    def add_stateful(
        self, name: str, wrong: str, *fails: str, **how: Any
    ) -> Callable[[Callable[[], Layer]], Callable[[], Layer]]:
        """Return a decorator for what makes a layer that remembers: each wallet has its own."""

        def add(make: Callable[[], Layer]) -> Callable[[], Layer]:
            self._faults.append(Fault(name, wrong, fails, layer=make, **how))
            return make

        return add

    def add_store(
        self, name: str, wrong: str, *fails: str, **how: Any
    ) -> Callable[[MakeStore], MakeStore]:
        """Return a decorator that makes a store a fault."""

        def add(make: MakeStore) -> MakeStore:
            self._faults.append(Fault(name, wrong, fails, store=make, **how))
            return make

        return add
