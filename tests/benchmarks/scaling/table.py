"""The figures of a part as lines for people."""

from collections.abc import Callable
from typing import Any

#: Commands that follow from a batch; all others from time, per worker, whatever it does.
_OF_A_BATCH = ("BRPOP infer", "ZADD unacked_index", "HSET unacked", "HDEL unacked", "ZREM unacked_index")
_OF_A_BATCH += ("EVALSHA START", "EVALSHA FINISH", "PUBLISH task.multi")


def lines(name: str, figures: Any) -> list[str]:
    """What a part found, beside its bars."""
    return ["", f"== {name}", *_LINES.get(name, _plain)(figures)]


def _workers(figures: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['workers']:3} workers {each['rate']:7.2f} batches/s, {each['linear']:.3f} of linear (bar 0.95), "
        f"{each['of_ideal']:.3f} of the model alone, CPU {each['cpu']:.0%}"
        for each in figures
    ]


def _device(figures: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['processes']:3} processes: the device works {each['works']:.3f} of the time "
        f"(answers of S3 take {each['answer_ms']:.0f} ms)"
        for each in figures
    ]


def _traffic(figures: dict[str, Any]) -> list[str]:
    sent, to_send = figures["redis"], figures["redis_to_send"]
    own = sum(count for name, count in sent.items() if name in _OF_A_BATCH) + sum(to_send.values())
    by_time = sum(count for name, count in sent.items() if name not in _OF_A_BATCH) - to_send["PUBLISH task.sent"]
    a_second = by_time * figures["batches"] / figures["seconds"] / figures["workers"]
    reads = sum(count for name, count in figures["s3"].items() if name == "GET source")
    other = sum(figures["s3"].values()) - reads
    return [
        f"Redis: {own:.1f} commands per batch (bar 12), and {a_second:.2f} per worker and second by the clock",
        *(f"  {count:6.2f}  {name}" for name, count in {**to_send, **sent}.items()),
        f"inside scripts: {sum(figures['redis_inside_scripts'].values()):.1f}",
        f"S3: {other:.2f} requests per batch (bar 4), and {reads:.2f} reads of the source",
        *(f"  {count:6.2f}  {name}" for name, count in figures["s3"].items()),
    ]


def _plain(figures: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in figures.items():
        found += [f"{name}:", *(f"  {line}" for line in _plain(value))] if isinstance(value, dict) else []
        found += [] if isinstance(value, dict) else [f"{name:20} {value:,.3f}".rstrip("0").rstrip(".")]
    return found


_LINES: dict[str, Callable[[Any], list[str]]] = {"workers": _workers, "device": _device, "traffic": _traffic}
