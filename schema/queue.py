"""The Celery application that producers and workers share: queues, limits and delivery, argued in one place.

Redis as a broker loses or repeats work in known ways, so: acknowledge late, never redeliver by rejecting, keep
messages of a lost connection, restore unacknowledged messages soon after the visibility timeout, and spawn pool
processes instead of forking them.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from celery import Celery
from celery.exceptions import OperationalError
from kombu import Exchange, Queue
from kombu.exceptions import BatchPublishError
from kombu.exceptions import OperationalError as BrokerError
from redis.connection import parse_url
from redis.exceptions import RedisError

from schema import broker
from schema.errors import BrokerUnavailable
from schema.failpoint import hit
from schema.names import QUEUE_PLAN, QUEUES, TASK_PUBLISH, TASK_QUEUES, TASK_SPLIT, TASK_STITCH, queue_name
from schema.settings import Settings

KEY_PREFIX = "posefleet:"
_PROBES = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
KEEPALIVE = {getattr(socket, name): value for name, value in _PROBES.items() if hasattr(socket, name)}
"""The kernel notices within some 11 s that Redis's machine is gone, on all connections at once."""
_AT_ONCE = 500
"""Messages in one round trip."""
_PATIENCE_S = 30
_AWAY = (OperationalError, BrokerError, RedisError, OSError)
_OF_THE_WHOLE_JOB = (TASK_SPLIT, TASK_STITCH, TASK_PUBLISH)


class Message(Protocol):
    """What every task takes as its one argument."""

    @property
    def job_id(self) -> str: ...

    @property
    def unit(self) -> str: ...

    def to_message(self) -> dict[str, object]: ...


def _longer(settings: Settings) -> dict[str, int]:
    """Limits of steps of a whole job: nearly until their message is delivered again."""
    hard = max(settings.task_limit_s, int(0.95 * settings.visibility_timeout_s))
    return {"soft_time_limit": max(settings.task_soft_limit_s, hard - 5), "time_limit": hard}


def tls_of(url: str) -> dict[str, object] | None:
    """How a connection to ``rediss://`` is secured: as its query says; without, certificates are checked."""
    if not url.startswith("rediss:"):
        return None
    said: dict[str, object] = parse_url(url)  # type: ignore[no-untyped-call]
    return {"ssl_cert_reqs": "required", **{name: said[name] for name in said if name.startswith("ssl_")}}


def make_app(settings: Settings) -> Celery:
    """The Celery application for these settings; connects to nothing yet."""
    broker.use()
    modules = ["workers.tasks", "producer.tasks", "workers.telemetry.worker"]
    app = Celery("posefleet", broker=settings.redis_url, include=modules, amqp="schema.lanes:LanedAMQP")
    app.conf.update(
        broker_use_ssl=tls_of(settings.redis_url),
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_default_queue=QUEUE_PLAN,
        task_create_missing_queues=False,
        task_routes={task: {"queue": queue} for task, queue in TASK_QUEUES.items()},
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        task_soft_time_limit=settings.task_soft_limit_s,
        task_time_limit=settings.task_limit_s,
        task_annotations=dict.fromkeys(_OF_THE_WHOLE_JOB, _longer(settings)),
        task_send_sent_event=True,
        task_track_started=True,
        worker_prefetch_multiplier=1,
        worker_consumer="workers.consumer:PatientConsumer",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=settings.soft_shutdown_s,
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=600,
        worker_send_task_events=True,
        worker_hijack_root_logger=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_s,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_timeout": 3,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            "health_check_interval": 3,
            "global_keyprefix": KEY_PREFIX,
            "queue_order_strategy": "schema.lanes:Turns",
            "priority_steps": [0],
        },
        visibility_timeout=settings.visibility_timeout_s,
        result_expires=86_400,
    )
    app.conf.update(dict.fromkeys(("task_retry_on_worker_lost", "task_acks_on_failure"), True))
    app.conf.update(task_acks_on_timeout=False)
    return app


def send(app: Celery, task: str, messages: Sequence[Message], lane: str = "") -> None:
    """Put messages on a lane of the task's queue, under ids that people can read.

    Raises:
        BrokerUnavailable: Redis did not take them, or not all.
    """
    try:
        _send_all(app, task, messages, lane)
    except BatchPublishError as error:
        if isinstance(error.__cause__, _AWAY):
            raise _not_taken(task, error.__cause__) from error
        raise error.__cause__ or error from error
    except _AWAY as error:
        raise _not_taken(task, error) from error
    except AttributeError as error:
        connect_anew(app)
        raise BrokerUnavailable(f"Redis took no message for {task}: the connection was lost") from error


def _send_all(app: Celery, task: str, messages: Sequence[Message], lane: str) -> None:
    """The first one on its own, which makes a lost connection anew; the others in batches."""
    for message in messages[:1]:
        _send(app, task, message, lane, retry=True)
    if len(messages) > 1:
        with app.producer_pool.acquire(block=True, timeout=_PATIENCE_S) as producer, producer.batch(_AT_ONCE):
            for message in messages[1:]:
                hit("queue.between_messages", f"{message.job_id}/{message.unit}")
                _send(app, task, message, lane, producer=producer)


def _not_taken(task: str, error: Exception) -> BrokerUnavailable:
    full = "maxmemory" in str(error)
    why = "it is full: give it more memory, or wait until work is done" if full else type(error).__name__
    return BrokerUnavailable(f"Redis took no message for {task}: {why}")


def connect_anew(app: Celery) -> None:
    """Give up the connection used last: lost at a bad moment, it leaves kombu with a channel that is closed; and when
    others are lost it is as old, and would cost a timeout."""
    with app.producer_pool.acquire(block=True, timeout=_PATIENCE_S) as producer:
        producer.connection.collect()


def _send(app: Celery, task: str, message: Message, lane: str, **options: Any) -> None:
    readable = f"(job {message.job_id} {_words(message)})"
    task_id = f"{step_of(task)}-{message.job_id}-{message.unit}"
    options |= {"queue": queue_name(TASK_QUEUES[task], lane), "argsrepr": readable, "kwargsrepr": "{}"}
    app.send_task(task, args=[message.to_message()], task_id=task_id, **options)


def lane_of(delivery_info: Mapping[str, object] | None) -> str:
    """The lane that a message came on."""
    return str((delivery_info or {}).get("routing_key") or "").partition(".")[2]


def step_of(task: str) -> str:
    """The step that a task does."""
    return task.rpartition(".")[2]


def unit_of(task_id: str) -> tuple[str, str, str]:
    """Step, job id and unit of a message with the id ``task_id``; empty where it is none of ours."""
    step, _, rest = task_id.partition("-")
    job_id, _, unit = rest.partition("-")
    return step, job_id, unit


def _words(message: Message) -> str:
    first, _, last = message.unit.partition("-")
    return f"frames {int(first)}..{int(last)}" if last else "whole video"
