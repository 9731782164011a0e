"""dlt's REST source to Parquet files: contacts as they come, nothing cleaned. Runs in an environment of its own.

python dlt_rest.py URL TOKEN FOLDER GROUP...
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dlt
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source


def listing(group: str) -> dict[str, Any]:
    """Declare one listing."""
    endpoint = {
        "path": "ContactList",
        "method": "POST",
        "data": {"ContactGroupID": group},
        "data_selector": "Data",
        "paginator": "single_page",
    }
    return {"name": f"contacts_{group}".replace("-", "_"), "table_name": "contacts", "endpoint": endpoint}


def main(url: str, token: str, folder: str, *groups: str) -> None:
    """Pull every listing and load it."""
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{url}/",
                "auth": {"type": "api_key", "name": "Authorization", "api_key": token, "location": "header"},
            },
            "resource_defaults": {"write_disposition": "replace"},
            "resources": [listing(group) for group in groups],
        }
    )
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(Path(folder) / "state"),
        destination=filesystem(bucket_url=(Path(folder) / "loaded").as_uri()),
        dataset_name="portal",
    )
    pipeline.run(source, loader_file_format="parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
