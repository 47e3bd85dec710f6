"""The network to which an address belongs: what traffic is counted by."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_MAX_LENGTH: Final = 64
_BRACKETS: Final = re.compile(r"\[([^\]]*)\](?::[0-9]*)?")
_IPV4_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]*")


@lru_cache(4096)
def network_of(text: str, ipv6_prefix: int) -> str:
    """Return the IPv4 address or the IPv6 network for which a request is counted.

    One host has many spellings: some proxies add a port, which changes with each connection, or
    brackets; a zone id names an interface of this machine; a socket for both versions shows IPv4 as
    IPv6 (RFC 4291, section 2.5.5.2). And one subscriber has a whole IPv6 network, usually a /64
    (RFC 6177), so that a count by address would never be reached.

    :param text: the peer's address, as the server or the proxy tells it.
    :param ipv6_prefix: how many bits of an IPv6 address count.
    :returns: what is no address, such as the path of a Unix socket, as it is, up to 64 characters.
    """
    bare = text.strip()
    for pattern in (_BRACKETS, _IPV4_WITH_PORT):
        if found := pattern.fullmatch(bare):
            bare = found[1]
    try:
        address: IPv4Address | IPv6Address = ip_address(bare.partition("%")[0])
    except ValueError:
        return text[:_MAX_LENGTH]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((address, ipv6_prefix), strict=False))
        address = address.ipv4_mapped
    return str(address)
