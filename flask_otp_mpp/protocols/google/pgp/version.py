"""Tell whether a version of GnuPG has a fault that a message could use.

Only faults are counted that a message can reach here: it comes without armor, its packets were
walked, and what decides is what gpg writes to its status descriptor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

FIXED: Final[Mapping[tuple[int, int], int]] = {(2, 2): 36, (2, 3): 7}
"""The first release of a series without known faults; series that follow never had them.

Before, a signature's notation could write any line to the status descriptor, and so prove anybody
(CVE-2022-34903); before 2.2.8 the name of a file could, too (CVE-2018-12020). The faults in armor
that 2.2.51 and 2.4.9 mend (CVE-2025-68973) can't be reached: gpg is given no armored message.
"""

_VERSION: Final = re.compile(rb"gpg \([^)\n]*\) (\d{1,4})\.(\d{1,4})\.(\d{1,4})")


def find_fault(output: bytes) -> str:
    """Return what is wrong with the version that ``gpg --version`` tells; empty if nothing is."""
    found = _VERSION.match(output)
    if found is None:
        return "does not report its version"
    major, minor, release = map(int, found.groups())
    oldest = min(FIXED)
    if (major, minor) >= oldest and release >= FIXED.get((major, minor), 0):
        return ""
    fixed = FIXED.get((major, minor), FIXED[oldest])
    series = ".".join(map(str, (major, minor) if (major, minor) in FIXED else oldest))
    return (
        f"{major}.{minor}.{release} lets a message forge its signature (CVE-2022-34903), unless "
        f"the distribution has fixed it; install {series}.{fixed} or later"
    )
