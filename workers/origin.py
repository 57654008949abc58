"""Where an error came from."""

from traceback import walk_tb


def origin(error: BaseException) -> str:
    """Like `traceback.format_exc`, without lines of source.

    Python keeps each file that it reads such lines from: 22,000 lines of those that an error of Redis passes through.
    """
    parts: list[str] = []
    told: set[int] = set()  # causes may go round in circles
    link: BaseException | None = error
    while link is not None and id(link) not in told:
        told.add(id(link))
        places = [
            f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
            for frame, line in walk_tb(link.__traceback__)
        ]
        parts.append("\n".join([*places, f"{type(link).__name__}: {link}"]))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\nwhich led to\n".join(reversed(parts))
