"""What of the chart is generated: ``python -m tests.support.chart`` writes tables and copies alerts and dashboard."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm"
COPIES = {
    ROOT / "docs" / "grafana" / "posefleet.json": CHART / "files" / "dashboard.json",
    ROOT / "docs" / "prometheus" / "alerts.yaml": CHART / "files" / "alerts.yaml",
}
"""Helm reads no files outside a chart."""
_LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):(?P<value> .*?)?(?:(?:^|  )# ?(?P<text>.*))?$")
_MARK = "<!-- generated from values.yaml: python -m tests.support.chart -->"


@dataclass(frozen=True)
class Value:
    """One value of values.yaml, or a group of them."""

    path: str
    default: Any
    text: str


def values() -> list[Value]:
    """All values in order: what is written on one line is one value."""
    found, parents = [], [""]
    for line in (CHART / "values.yaml").read_text().splitlines():
        if (match := _LINE.match(line)) is None or not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = len(match["indent"]) // 2
        parents[depth:] = [match["key"]]
        found.append(Value(".".join(parents), _default(match["value"]), match["text"] or ""))
    return found


def _default(text: str | None) -> Any:
    return yaml.safe_load(text) if text and text.strip() else None


def table() -> str:
    """The README's tables: one for each group at the top of values.yaml."""
    said: list[str] = []
    for value in values():
        if "." not in value.path:
            said += ["", f"### `{value.path}`", "", *([_sentence(value.text), ""] if value.text else [])]
            said += ["| value | default | what |", "|---|---|---|"]
        elif value.default is not None or value.text:
            said.append(f"| `{value.path}` | {_shown(value.default)} | {value.text.replace('|', '&#124;')} |")
    return "\n".join(said).strip() + "\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _shown(default: Any) -> str:
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def readme() -> str:
    """The README with tables as they should be."""
    text = (CHART / "README.md").read_text()
    return f"{text.partition(_MARK)[0]}{_MARK}\n\n{table()}"


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
    for source, copy in COPIES.items():
        copy.write_text(source.read_text())
