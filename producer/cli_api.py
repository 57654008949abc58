"""Commands of the HTTP API: serve it, and its tokens."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from producer.api.tokens import TokenFile
from producer.fleet import Fleet
from schema.settings import current

cli = typer.Typer()
token_cli = typer.Typer(no_args_is_help=True, help="Who may use the HTTP API.")
cli.add_typer(token_cli, name="token")

AName = Annotated[str, typer.Argument(help="Of the token: the submitter of its jobs.")]


@cli.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of http://…/.")] = 8080,
) -> None:
    """Serve the HTTP API and the page until stopped."""
    from producer.api.serve import serve

    serve(Fleet(), host, port)


@token_cli.command("create")
def token_create(
    name: AName,
    scope: Annotated[
        list[str] | None, typer.Option(help="read, submit, manage, events or admin, again and again; the first three.")
    ] = None,
) -> None:
    """Make a token and print it, this once."""
    print(_file().create(name, scope or ["read", "submit", "manage"]))


@token_cli.command("list")
def token_list() -> None:
    """List tokens: name, scopes, since when."""
    for token in _file().all():
        since = datetime.fromtimestamp(token.created_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        print(f"{token.name:<24}  {since}  {' '.join(token.scopes)}")


@token_cli.command("revoke")
def token_revoke(name: AName) -> None:
    """End a token at once."""
    _file().revoke(name)
    print(f"token {name} is revoked")


def _file() -> TokenFile:
    return TokenFile(current().tokens_file)
