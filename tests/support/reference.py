"""Reference pages that are generated from the code: ``python -m tests.support.reference`` writes them."""

from pathlib import Path
from typing import Any

import typer

from producer.cli import cli
from schema.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
_FOLDERS = {"cache_dir": "`$XDG_CACHE_HOME/posefleet`", "data_dir": "`$XDG_DATA_HOME/posefleet`"}


def pages() -> dict[str, str]:
    """Text of each page."""
    return {"cli.md": _cli(), "settings.md": _settings()}


def _cli() -> str:
    said = ["# The command line", "", "Generated from the code: `python -m tests.support.reference`.", ""]
    said += [
        "The exit status is 0 when all went well, 1 when something failed, 2 when what was asked for makes no sense."
    ]
    for name, command in _commands("posefleet", typer.main.get_command(cli)):
        said += ["", f"## `{name}`", "", str(command.help).strip(), "", f"`{_usage(name, command)}`"]
        if rows := [_row(each) for each in command.params if each.name != "help" and not _is_plain(each)]:
            said += ["", "| | default | |", "|---|---|---|", *rows]
    return "\n".join(said) + "\n"


def _commands(name: str, command: Any) -> list[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        return [(name, command)]
    inner = sorted(command.commands.items())
    return [found for word, each in inner for found in _commands(f"{name} {word}", each)]


def _usage(name: str, command: Any) -> str:
    return " ".join([name, "[OPTIONS]", *(_shown(each) for each in command.params if _is_argument(each))])


def _shown(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    shown = word if argument.required or word.startswith("[") else f"[{word}]"
    return f"{shown}..." if argument.nargs == -1 and not word.endswith("...") else shown


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _is_plain(parameter: Any) -> bool:
    """An argument that its name explains."""
    return _is_argument(parameter) and not getattr(parameter, "help", None)


def _row(parameter: Any) -> str:
    options = [*parameter.opts, *parameter.secondary_opts]
    names = parameter.name.upper() if _is_argument(parameter) else ", ".join(options)
    default = parameter.default
    shown = "" if default in (None, False, "", ()) or callable(default) else f"`{default}`"
    shown = "required" if parameter.required and not _is_argument(parameter) else shown
    return f"| `{names}` | {shown} | {(parameter.help or '').replace('|', '&#124;')} |"


def _settings() -> str:
    said = ["# Settings", "", "Generated from `schema/settings.py`: `python -m tests.support.reference`.", ""]
    said += ["Environment variables of every process of the fleet, read in one place.", ""]
    said += ["| variable | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = None if field.default_factory else field.default
        shown = _FOLDERS.get(name, "–" if default in (None, "") else f"`{default}`")
        said.append(f"| `POSEFLEET_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(said) + "\n"


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
