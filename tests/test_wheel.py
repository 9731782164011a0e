"""What is built is what people install: the wheel, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wheel_exports_in_a_clean_environment(tmp_path):
    """The built wheel, installed beside nothing else, exports the embedded portal."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, _ROOT],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "clean"], check=True)
    python = tmp_path / "clean" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True
    )
    command = [python, "-m", "amoot_etl", "export", "--demo", "--json", "--format", "csv", "--format", "xlsx"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["manifest"]["counts"]["kept"] == 5000
    assert (tmp_path / "output" / "contacts.xlsx").is_file()
