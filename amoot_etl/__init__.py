"""amoot-etl: the address book of the Amoot SMS portal as clean tables."""

from amoot_etl._version import __version__

__all__ = ["__version__"]
