"""Where the programs of `infra/` are, so that tests can call them and import from them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "infra" / "local"
OPERATE = ROOT / "infra" / "operate"
sys.path[:0] = [str(LOCAL), str(ROOT / "infra")]
