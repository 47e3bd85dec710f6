"""Check that a Redis, or each primary of a cluster, is fit for the store and can be written."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.stores.redis import requirements
from flask_otp_mpp.stores.redis.client import ClientSource
from flask_otp_mpp.stores.redis.scripts import PROBE

# Only Redis 7.0 and newer give NOPERM for a command that a script may not do.
_FORBIDDEN: Final = re.compile(r"NOPERM|can't run this command|no permissions")
_RIGHTS: Final = "give its user the rights that docs/stores/redis.md names (ACL SETUSER)"
_MOST_TAGS: Final = 100_000
_logger = logging.getLogger("flask_otp_mpp.stores")


def check(source: ClientSource, prefix: str, *, allow_eviction: bool = False) -> str:
    """Check that a server is of the kind that the URL says, new enough, safe and writable.

    What a server does not allow to be asked, as some managed ones do, is only warned of. No
    connection is left open, because a forked worker must not share one.

    :param prefix: of all keys of the store.
    :param allow_eviction: whether there is only a warning for a server that may evict keys, too.
    :returns: what was found, in one line.
    :raises UnfitStore: with what was found instead, and what to do.
    :raises StoreError: if the server does not answer, or refuses to write for now.
    """
    with _explained(source.address):
        client = source.get()
        if isinstance(client, redis.RedisCluster):
            try:
                nodes = list(_primaries(client, source.address, prefix))
                found = {node.check(allow_eviction=allow_eviction) for node in nodes}
            finally:
                client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
            return f"{source.address}, {' and '.join(sorted(found))}"
        with redis.Redis(
            connection_pool=client.connection_pool, single_connection_client=True
        ) as one:
            try:
                node = _Node(one, source.address, f"{prefix}{{check}}:check")
                return f"{source.address}, {node.check(allow_eviction=allow_eviction)}"
            finally:
                if one.connection is not None:
                    one.connection.disconnect()


def _primaries(client: redis.RedisCluster, address: str, prefix: str) -> Iterator[_Node]:
    """Yield each primary that has slots."""
    left = {node.name for node in client.get_primaries()}  # type: ignore[no-untyped-call]
    for number in range(_MOST_TAGS):
        if not left:
            return
        key = f"{prefix}{{check-{number}}}:check"
        node = client.get_node_from_key(key)  # type: ignore[no-untyped-call]
        if node is not None and node.name in left:
            left.remove(node.name)
            server = client.get_redis_connection(node)
            yield _Node(server, f"{address}: {node.name}", key, in_cluster=True)


@dataclass(frozen=True)
class _Node:
    """A server that the store writes to.

    :param key: one that it holds, and that nothing else uses.
    """

    server: redis.Redis
    address: str
    key: str
    in_cluster: bool = False

    def check(self, *, allow_eviction: bool) -> str:
        """Return the version.

        :raises UnfitStore: if the server is not fit.
        """
        version = self._check_info(allow_eviction=allow_eviction)
        self._check_rights()
        return version

    def _check_info(self, *, allow_eviction: bool) -> str:
        try:
            info = self.server.info()
        except ResponseError as error:
            self._warn(
                "does not tell its version, eviction policy and replicas "
                f"({type(error).__name__}); make sure that it is 6.2 or newer and evicts nothing; "
                f"if it has replicas, {requirements.SETTINGS}"
            )
            return "of an unknown version"
        for problem in requirements.problems(info, self._settings, in_cluster=self.in_cluster):
            raise self._unfit(problem)
        if (evicting := requirements.eviction(info)) is not None:
            if not allow_eviction:
                raise self._unfit(f"{evicting}, or accept it by OTP_MPP_STORE_EVICTION='warn'")
            self._warn(evicting)
        for problem in requirements.warnings(info, self._settings, in_cluster=self.in_cluster):
            self._warn(problem)
        return f"version {info.get('redis_version', 'unknown')}"

    def _settings(self, pattern: str) -> Mapping[str, str]:
        try:
            found = self.server.config_get(pattern)
        except ResponseError:  # not allowed, or not known to a managed server
            return {}
        return {str(name): str(value) for name, value in found.items()}

    def _check_rights(self) -> None:
        """Do once, with a key of nobody, what the store does with the keys of users."""
        try:
            self.server.ping()
            self.server.scan(0, self.key, 1)
            with suppress(NoScriptError):
                self.server.evalsha(PROBE.sha, 1, self.key)
            refused = self.server.eval(PROBE.source, 1, self.key)
        except NoPermissionError as error:
            raise self._unfit(f"refuses a command: {error}; {_RIGHTS}") from None
        if refused is None:
            return
        command, problem = (part.decode(errors="replace").strip() for part in refused)
        if _FORBIDDEN.search(problem):
            raise self._unfit(f"does not let this user do {command}; {_RIGHTS}")
        if "READONLY" in problem:
            raise self._unfit("is a replica, which can't be written; name the primary")
        raise StoreError(f"{self.address} refuses to write: {problem}")

    def _unfit(self, problem: str) -> UnfitStore:
        return UnfitStore(f"{self.address} {problem}")

    def _warn(self, problem: str) -> None:
        _logger.warning("%s %s", self.address, problem)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Tell a server that refuses the client from one that does not answer."""
    try:
        yield
    except (RedisError, RedisClusterException) as error:
        clear_frames(error)  # the client's hold the password of the connection
        causes = list(_causes(error))
        if any(isinstance(one, AuthenticationError | AuthorizationError) for one in causes):
            raise UnfitStore(
                f"{address} refuses the user or the password; correct OTP_MPP_STORE"
            ) from error
        if any(isinstance(one, NoPermissionError) for one in causes):
            raise UnfitStore(f"{address} refuses a command; {_RIGHTS}") from error
        if any("Cluster mode is not enabled" in str(one) for one in causes):
            raise UnfitStore(f"{address} is no cluster; use redis:// for one server") from error
        raise StoreError(
            f"{address} does not answer: {type(error).__name__}; "
            "check that it runs, and OTP_MPP_STORE"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
