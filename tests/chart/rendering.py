"""The chart as it comes out for given values."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import helm_python
import yaml

from tests.support.chart import CHART

Document = dict[str, Any]
NAME, NAMESPACE = "pf", "lab"
PREFIX = f"{NAME}-posefleet-"
PROFILES: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "local": ("local",),
    "gpu": ("gpu",),
    "production": ("production",),
    "production-gpu": ("production", "gpu"),
}
"""Files of values that go over each other."""


class Release:
    """All that one installation would make."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.documents: list[Document] = [
            document
            for path, text in sorted(texts.items())
            if path.endswith(".yaml")
            for document in yaml.load_all(text, yaml.CSafeLoader)
            if document
        ]

    def find(self, kind: str, name: str) -> Document | None:
        """The object of a component, or none."""
        found = [each for each in self.of(kind) if each["metadata"]["name"] == PREFIX + name]
        assert len(found) < 2
        return found[0] if found else None

    def get(self, kind: str, name: str) -> Document:
        """The object of a component."""
        found = self.find(kind, name)
        assert found is not None, f"no {kind} {name}"
        return found

    def of(self, kind: str) -> list[Document]:
        """All objects of a kind."""
        return [each for each in self.documents if each["kind"] == kind]

    def names(self, kind: str) -> set[str]:
        """Components that have an object of a kind."""
        return {each["metadata"]["name"].removeprefix(PREFIX) for each in self.of(kind)}

    def pods(self) -> Iterator[tuple[str, Document]]:
        """Pod specs by kind and component."""
        for each in self.documents:
            name = f"{each['kind']}/{each['metadata']['name'].removeprefix(PREFIX)}"
            if each["kind"] == "Pod":
                yield name, each["spec"]
            elif "template" in each.get("spec", {}):
                yield name, each["spec"]["template"]["spec"]


@cache
def chart() -> helm_python.Chart:
    """The chart, loaded once."""
    return helm_python.Chart.load(CHART)


@cache
def profile(name: str) -> Document:
    """Values of a profile, or the defaults with an autoscaler."""
    if name in ("keda", "hpa"):
        return {"autoscaling": {"by": name}}
    found: Document = {}
    for each in PROFILES[name]:
        found = merged(found, yaml.safe_load((CHART / f"values-{each}.yaml").read_text()))
    return found


def merged(below: Document, above: Document) -> Document:
    """Values over values, as Helm lays them."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = merged(below[key], above[key])
    return both


def render(values: Document | str | None = None, over: str = "defaults") -> Release:
    """What values (or YAML of them) over a profile give.

    Raises:
        helm_python.HelmError: they are refused.
    """
    given: Document = yaml.safe_load(values) if isinstance(values, str) else values or {}
    return _rendered(json.dumps(merged(profile(over), given)))


@cache
def _rendered(values: str) -> Release:
    return Release(chart().render(json.loads(values), name=NAME, namespace=NAMESPACE))


def at(document: Any, path: str) -> Any:
    """What stands at a path such as ``spec.containers.0.name``; none when there is nothing."""
    for word in path.split("."):
        if isinstance(document, list):
            document = document[int(word)] if int(word) < len(document) else None
        else:
            document = document.get(word.replace("~", ".")) if document is not None else None
        if document is None:
            return None
    return document
