"""`amoot-etl init`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from amoot_etl.errors import OutputError, SettingsError

TEMPLATE: Final = """\
# Settings of amoot-etl. It reads ./amoot.toml, else the one in your settings folder, else what --config names.
# A flag beats the environment (AMOOT_OUT ...), which beats this file. What is commented out is the default.
# A token never stands here: only where it is found.

# base_url = "https://portal.amootsms.com/rest"
# out = "output"                     # the folder that Power BI, Excel and the rest read from

# Where the token is found, unless AMOOT_TOKEN or --token-file says so. One of the two:
# token_env = "AMOOT_TOKEN"          # a variable of the environment
# token_file = "amoot.token"         # a file, next to this one unless its path is whole; chmod 600 it

# How patient a run is.
# retries = 5                        # tries after the first
# backoff = 1.0                      # first wait between tries, in seconds; later ones double
# timeout = 300.0                    # longest time without a byte, in seconds: a big listing is slow to begin
# deadline = "2h"                    # give up if the portal has not told everything by then (no limit)

# How gentle, and how careful.
# concurrency = 4                    # requests at a time
# max_rps = 2.0                      # requests a second (no limit)
# max_body = "5GB"                   # refuse a larger answer (no limit)

# What CSV and Excel look like.
# labels = "en"                      # headings: en or fa
# csv_profile = "plain"              # plain for programs, excel for people
# csv_compression = "none"           # none, gzip or zstd
# columns = ["contact_id", "mobile", "full_name"]     # only these columns of contacts (all)
# exclude = ["address"]              # without these

# What your custom fields mean. The types: text, integer, decimal, boolean, date, mobile, email, national_id,
# legal_id, postal_code, sheba, card, choice, json.
# [mapping.custom_text_1]
# name = "national_id"
# label = "کد ملی"                   # its Persian heading
# description = "Of the buyer."      # what it holds, for the data dictionary
# type = "national_id"
#
# [mapping.custom_text_2]
# name = "level"
# type = "choice"                    # which needs its choices, each with other words that mean it, if any
# choices = { gold = ["طلایی", "VIP"], silver = "نقره‌ای" }     # or ["gold", "silver"]
#
# [mapping.custom_text_3]
# name = "discount"
# type = "decimal"
# places = 2                         # digits behind the point

# Several accounts of the portal: `amoot-etl export --account shop`. Each has a token and a folder of its own; what
# it does not say holds as above.
# [accounts.shop]
# token_env = "AMOOT_TOKEN_SHOP"
# out = "output/shop"
#
# [accounts.clinic]
# token_file = "/run/secrets/amoot-clinic"
# out = "output/clinic"
"""


@click.command()
@click.argument(
    "path", type=click.Path(dir_okay=False, path_type=Path), default=Path("amoot.toml"), metavar="[FILE]"
)
def command(path: Path) -> None:
    """Write a commented amoot.toml, in which every setting that it takes stands with its default.

    A file that is there is left alone.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise SettingsError(f"{path} is there already: give another name", subject=str(path)) from None
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}: choose another folder", subject=str(path)
        ) from error
    click.echo(f"Wrote {path}: set the token (AMOOT_TOKEN), then look with `amoot-etl doctor`")
