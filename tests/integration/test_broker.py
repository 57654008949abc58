"""How deliveries are noted and acknowledged in Redis."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest
from kombu.asynchronous import Hub

from schema import broker
from schema.broker import AHEAD, Channel
from schema.errors import BrokerUnavailable, JobEnded
from schema.messages import JobReference
from schema.names import TASK_STITCH
from schema.queue import make_app, send
from schema.settings import Settings
from tests.benchmarks.scaling.monitor import Monitor
from tests.support.proxy import Faults, Proxy
from tests.support.waiting import until
from workers.consumer import PatientConsumer
from workers.storage.progress import Progress

INDEX, UNACKED = "posefleet:unacked_index", "posefleet:unacked"


def taken(channel: Any) -> Any:
    """The message next in turn of stitch."""
    message = channel.basic_get("stitch")
    assert message is not None
    return message


def test_a_channel_that_kombu_has_closed_costs_one_error(progress: Progress, redis_url: str, monkeypatch):
    app = make_app(Settings(redis_url=redis_url))
    send(app, TASK_STITCH, [JobReference(job_id="a")])
    with app.producer_pool.acquire() as producer:
        closed = producer.channel

    def put(*_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'client'")

    with monkeypatch.context() as broken:
        broken.setattr(Channel, "_put", put)
        with pytest.raises(BrokerUnavailable, match="the connection was lost"):
            send(app, TASK_STITCH, [JobReference(job_id="b")])
    with app.producer_pool.acquire() as producer:
        assert producer.channel is not closed
    send(app, TASK_STITCH, [JobReference(job_id="c")])
    assert progress.redis.llen("posefleet:stitch") == 2


def test_a_batch_of_messages_on_a_lost_connection_is_an_outage(progress: Progress, redis_url: str, monkeypatch):
    messages = [JobReference(job_id=each) for each in "abc"]
    with Proxy(int(redis_url.rpartition(":")[2].partition("/")[0])) as proxy:
        app = make_app(Settings(redis_url=f"redis://127.0.0.1:{proxy.port}/0"))
        with monkeypatch.context() as lost:
            lost.setattr("schema.queue.hit", lambda *_: proxy.half_open_all())
            with pytest.raises(BrokerUnavailable, match="TimeoutError"):
                send(app, TASK_STITCH, messages)
        send(app, TASK_STITCH, messages)
        app.close()
    assert progress.redis.llen("posefleet:stitch") == 4


def test_a_task_that_is_stopped_while_it_sends_says_so(progress: Progress, redis_url: str, monkeypatch):
    app = make_app(Settings(redis_url=redis_url))

    def stopped(*_: object) -> None:
        raise JobEnded("stopped")

    monkeypatch.setattr("redis.client.Pipeline.execute", stopped)
    with pytest.raises(JobEnded):
        send(app, TASK_STITCH, [JobReference(job_id=each) for each in "abc"])


def test_a_message_may_jump_its_queue(progress: Progress, redis_url: str):
    app = make_app(Settings(redis_url=redis_url))
    send(app, TASK_STITCH, [JobReference(job_id=each) for each in "ab"])
    app.send_task(TASK_STITCH, args=["urgent"], queue="stitch", headers={AHEAD: True})
    with app.connection() as connection, connection.channel() as channel:
        first, second = taken(channel), taken(channel)
        assert first.payload[0] == ["urgent"]
        assert second.payload[0][0]["job_id"] == "a"


def test_a_delivery_takes_two_commands_and_its_acknowledgement_two(progress: Progress, redis_url: str):
    app = make_app(Settings(redis_url=redis_url))
    send(app, TASK_STITCH, [JobReference(job_id="a")])
    with app.connection() as connection, connection.channel() as channel:
        with Monitor(redis_url) as monitor:
            message = taken(channel)
            message.ack()
            progress.redis.echo("all seen")
            until(lambda: any("ECHO" in name for name in monitor.sent))
        assert progress.redis.hlen(UNACKED) == progress.redis.zcard(INDEX) == 0
    noted = {name: count for name, count in monitor.sent.items() if "unacked" in name}
    assert noted == dict.fromkeys(("ZADD unacked_index", "HSET unacked", "HDEL unacked", "ZREM unacked_index"), 1)


@pytest.mark.parametrize("settle", ["ack", "reject", "requeue"])
def test_a_message_is_settled_though_the_connection_is_stale(progress: Progress, redis_url: str, settle: str):
    with through_a_proxy(redis_url) as (proxy, channel):
        message = taken(channel)
        proxy.half_open_all()
        getattr(message, settle)()
        assert channel.qos.can_consume()
    assert progress.redis.hlen(UNACKED) == progress.redis.zcard(INDEX) == 0
    assert progress.redis.llen("posefleet:stitch") == (settle == "requeue")


@pytest.mark.parametrize("waits", [False, True])
def test_when_a_connection_is_lost_others_that_wait_for_nothing_are_let_go(
    progress: Progress, redis_url: str, waits: bool
):
    with through_a_proxy(redis_url) as (proxy, channel):
        asks = channel.client.connection = channel.async_pool.get_connection()
        channel._in_poll = asks if waits else None
        with channel.conn_or_acquire() as one, channel.conn_or_acquire() as other:
            both = [each.connection_pool.get_connection() for each in (one, other)]
        for connection in both:
            channel.pool.release(connection)
        proxy.half_open_all()
        with pytest.raises(channel.connection_errors):
            channel._size("stitch")
        assert [each._sock for each in both] == [None, None]
        assert (asks._sock is not None) == waits
        assert channel._size("stitch") == 1
        channel._in_poll = None


@pytest.mark.parametrize("settle", ["ack", "requeue"])
def test_what_cannot_be_settled_keeps_nobody_from_going_on_and_comes_again(
    progress: Progress, redis_url: str, settle: str
):
    with through_a_proxy(redis_url) as (proxy, channel):
        message = taken(channel)
        proxy.faults = Faults(silent=True)
        proxy.half_open_all()
        getattr(message, settle)()
        assert channel.qos.can_consume()
        proxy.faults = Faults()
    assert progress.redis.hlen(UNACKED) == progress.redis.zcard(INDEX) == 1


def test_who_cannot_put_a_message_back_as_redis_is_full_goes_on(progress: Progress, redis_url: str):
    with through_a_proxy(redis_url) as (_, channel):
        channel.basic_qos(prefetch_count=1)
        message = taken(channel)
        progress.redis.config_set("maxmemory", 1)
        try:
            message.requeue()
        finally:
            progress.redis.config_set("maxmemory", 0)
        assert channel.qos.can_consume()
    assert progress.redis.hlen(UNACKED) == progress.redis.zcard(INDEX) == 1


def test_no_message_is_taken_that_no_process_is_ready_for(progress: Progress, redis_url: str, monkeypatch):
    monkeypatch.setattr(broker, "_missing", lambda: missing)
    with through_a_proxy(redis_url) as (_, channel):
        channel.basic_qos(prefetch_count=2)
        missing = 2
        assert not channel.qos.can_consume()
        missing = 1
        assert channel.qos.can_consume()
        message = taken(channel)
        assert not channel.qos.can_consume()
        channel.basic_qos(prefetch_count=3)  # as Celery does while a message waits for its time
        assert channel.qos.can_consume()
        channel.basic_qos(prefetch_count=2)
        missing = 0
        assert channel.qos.can_consume()
        message.ack()
        channel.basic_qos(prefetch_count=0)
        missing = 2
        assert channel.qos.can_consume()


@contextmanager
def through_a_proxy(redis_url: str) -> Iterator[tuple[Proxy, Any]]:
    """A channel of a worker that takes one message at a time, and one message of stitch for it."""
    with Proxy(int(redis_url.rpartition(":")[2].partition("/")[0])) as proxy:
        app = make_app(Settings(redis_url=f"redis://127.0.0.1:{proxy.port}/0"))
        send(app, TASK_STITCH, [JobReference(job_id="a")])
        with app.connection() as connection, connection.channel() as channel:
            channel.basic_qos(prefetch_count=1)
            yield proxy, channel
        app.close()


def test_what_redis_lost_half_of_is_forgotten(progress: Progress, redis_url: str):
    app = make_app(Settings(redis_url=redis_url, visibility_timeout_s=130))
    send(app, TASK_STITCH, [JobReference(job_id="a")])
    with app.connection() as connection, connection.channel() as channel:
        message = taken(channel)
        progress.redis.hdel(UNACKED, message.delivery_tag)
        progress.redis.zadd(INDEX, {message.delivery_tag: time.time() - 1000})
        channel.qos.restore_visible(num=10, interval=1)
        assert progress.redis.zcard(INDEX) == 0
        assert progress.redis.llen("posefleet:stitch") == 0


def test_what_is_overdue_is_on_its_queue_again(progress: Progress, redis_url: str):
    app = make_app(Settings(redis_url=redis_url, visibility_timeout_s=130))
    send(app, TASK_STITCH, [JobReference(job_id="a")])
    with app.connection() as connection, connection.channel() as channel:
        message = taken(channel)
        progress.redis.zadd(INDEX, {message.delivery_tag: time.time() - 1000})
        channel.qos.restore_visible(num=10, interval=1)
        assert progress.redis.hlen(UNACKED) == progress.redis.zcard(INDEX) == 0
        assert progress.redis.llen("posefleet:stitch") == 1


def test_a_worker_keeps_nothing_of_a_connection_that_it_lost(progress: Progress, redis_url: str, monkeypatch):
    monkeypatch.setattr("workers.held.progress", lambda: progress)
    app, hub, kept = make_app(Settings(redis_url=redis_url)), Hub(), []
    pool = SimpleNamespace(num_processes=1, is_green=False)
    worker = SimpleNamespace(use_eventloop=True)
    consumer = PatientConsumer(lambda _: None, app=app, hub=hub, pool=pool, controller=worker)
    for _ in range(4):
        connection = consumer.connect()
        kept.append(ref(connection.transport))
        connection.default_channel.client.ping()
        connection.release()
    assert len(hub.on_tick) == 1
    del connection
    gc.collect()
    assert sum(each() is not None for each in kept) <= 1
    hub.close()
    app.close()
