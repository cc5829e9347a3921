"""A lock file anew: pip-compile, with the digests that an index lists. `make lock` calls it.

    build/tools/bin/python tools/lock.py --output-file requirements.lock ... pyproject.toml

pip-compile asks for digests where only PyPI itself answers, and else downloads every file of a
version to hash it, which is gigabytes for torch. But an index lists a digest beside each file's
name (PEP 503), to which pip holds what it downloads; so that one is taken where there is one.
"""

import sys

from pip._internal.models.link import Link
from piptools.repositories.pypi import PyPIRepository
from piptools.scripts.compile import cli

hash_file = PyPIRepository._get_file_hash


def listed_hash(self: PyPIRepository, link: Link) -> str:
    """As pip-compile writes a digest: "sha256:...", of the index if it lists one."""
    return f"sha256:{link.hash}" if link.hash_name == "sha256" else hash_file(self, link)


if __name__ == "__main__":
    PyPIRepository._get_file_hash = listed_hash
    sys.exit(cli())
