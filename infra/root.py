"""The folder that all paths begin with: of a checkout, or of a release."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
