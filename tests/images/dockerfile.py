"""The Dockerfile as data: stages and their steps, with arguments filled in."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\?|-|\+)([^}]*))?\}|\$(\w+)")


class BuildRefused(Exception):
    """An argument that has to be given is empty."""


@dataclass(frozen=True)
class Step:
    """One instruction."""

    name: str
    """Such as RUN."""
    text: str
    """What follows, lines joined."""
    line: int

    @property
    def flags(self) -> dict[str, str]:
        """``--from=x`` and the like."""
        return dict(re.findall(r"(?:^|\s)--([\w-]+)=(\S+)", self.text)) if self.name in ("COPY", "HEALTHCHECK") else {}

    @property
    def words(self) -> list[str]:
        """The words that are no flags, as COPY takes them."""
        return [word for word in self.text.split() if not word.startswith("--")]

    @property
    def exec_form(self) -> list[str] | None:
        """The command of CMD, ENTRYPOINT or HEALTHCHECK when it is written as a list."""
        begin = self.text.find("[")
        try:
            return list(json.loads(self.text[begin:])) if begin >= 0 else None
        except ValueError:
            return None

    @property
    def pairs(self) -> dict[str, str]:
        """Names and values of ENV or LABEL."""
        return dict(word.split("=", 1) for word in shlex.split(self.text))


@dataclass
class Stage:
    """What is between one FROM and the next."""

    name: str
    base: str
    """Another stage, ``scratch``, or an image with its digest."""
    steps: list[Step] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    """All instructions of a Dockerfile."""
    found, waiting, begin = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (line.strip() or waiting):
            continue
        begin = begin or number
        waiting += line.rstrip().removesuffix("\\").strip() + " "
        if not line.rstrip().endswith("\\"):
            name, _, rest = waiting.strip().partition(" ")
            found.append(Step(name, rest.strip(), begin))
            waiting, begin = "", 0
    return found


def filled(text: str, values: dict[str, str]) -> str:
    """``text`` with its variables; of those that are not known, nothing is left.

    Raises:
        BuildRefused: one with ``:?`` is empty; with its message.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[4]
        known = values.get(name, "")
        if found[2] == "?" and not known:
            raise BuildRefused(f"{name}: {found[3]}")
        return (found[3] if known else "") if found[2] == "+" else known or (found[3] if found[2] == "-" else "")

    return _VARIABLE.sub(value, text)


def stages(given: dict[str, str], text: str | None = None) -> dict[str, Stage]:
    """The stages by name, for a build with the arguments ``given``.

    Raises:
        BuildRefused: an argument is missing.
    """
    found: dict[str, Stage] = {}
    globals_: dict[str, str] = {}
    stage = None
    for step in steps(text or DOCKERFILE.read_text()):
        if step.name == "ARG" and stage is None:
            name, _, value = step.text.partition("=")
            globals_[name] = given.get(name, value)
        elif step.name == "FROM":
            base, _, name = step.text.partition(" AS ")
            stage = found[name] = Stage(name, filled(base, globals_))
        else:
            assert stage is not None, f"line {step.line}: {step.name} before FROM"
            if step.name == "ARG":
                step = Step("ARG", f"{step.text}={globals_.get(step.text, '')}", step.line)
            stage.steps.append(step)
    return found


def needed(all_stages: dict[str, Stage], target: str) -> list[str]:
    """The stages that ``target`` is made of, in order."""
    stage = all_stages[target]
    sources = [stage.base, *(step.flags["from"] for step in stage.steps if "from" in step.flags)]
    before = [name for source in sources if source in all_stages for name in needed(all_stages, source)]
    return list(dict.fromkeys([*before, target]))
