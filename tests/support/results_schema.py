"""``docs/results.schema.json`` from the models of the document; run it to write the file anew."""

from __future__ import annotations

import json
from pathlib import Path

from asasr_bench.bench.exchange.document import schema

SCHEMA = Path(__file__).parents[2] / "docs" / "results.schema.json"


def text() -> str:
    """The file as it must be."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
