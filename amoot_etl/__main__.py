"""`python -m amoot_etl` is `amoot-etl`."""

from amoot_etl.cli import main

main()
