"""Tell webhooks that jobs have ended. The notices in storage are the truth; Redis remembers when to try again."""

import hashlib
import hmac
import json
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from urllib.parse import urlsplit

from producer.fleet import Fleet
from producer.post import Undelivered, post
from producer.standing import info_from_storage
from producer.webhooks import check_webhook, trusted
from schema.errors import ConfigurationError, PosefleetError, SourceMissing, TransientError
from schema.messages import VideoJob
from schema.names import NOTICES, JobKeys, NoticeKeys
from schema.version import VERSION
from workers.storage.port import ObjectInfo
from workers.storage.progress import translated

log = logging.getLogger("posefleet")

_LOOK_S = 2.0
_ANSWER_S = 15.0
_HELD_S = 120
"""Longer than any delivery takes: until then nobody else tries."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 3600.0
_GIVE_UP_S = 86_400
_AT_ONCE = 8
_MOST = 32
"""Notices of one look: all are tried well before they are anybody else's."""
_SLOW_S, _SLOW_PAUSE_S = 5.0, 60.0
"""Whoever takes longer than the first to fail is left alone for the second, and so are its other notices."""


def sign(secret: str, body: bytes, now_s: int) -> str:
    """The header ``Posefleet-Signature`` of a body that is sent at ``now_s``, seconds since 1970."""
    digest = hmac.new(secret.encode(), f"{now_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={digest}"


class Notifier:
    """Delivers the notices of one fleet; any number may run."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._secret = fleet.settings.webhook_secret or ""
        self._slow: dict[str, float] = {}
        """Submitters and hosts that were slow to fail, and until when they are left alone."""

    def look(self) -> int:
        """Try every notice whose turn it is; how many were delivered.

        Raises:
            StorageUnavailable, BrokerUnavailable
        """
        waiting = list(self._fleet.store.objects(NOTICES))
        random.shuffle(waiting)  # nobody's are first, however many somebody has
        due = islice((found for found in waiting if self._take(_job_of(found))), _MOST)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return sum(pool.map(self._tell, due))

    def run(self) -> None:
        """Deliver for ever; servers that are away are waited for."""
        while True:
            try:
                self.look()
            except TransientError:
                time.sleep(_LOOK_S)
            except PosefleetError as error:
                log.error("cannot deliver notices: %s", error)
            except Exception:
                log.exception("a mistake of ours in delivering notices, which goes on")
            time.sleep(_LOOK_S)

    def _take(self, job_id: str) -> bool:
        """Whether it is this process's turn at a notice."""
        with translated():
            return bool(self._fleet.progress.redis.set(NoticeKeys(job_id).held, "1", nx=True, ex=_HELD_S))

    def _tell(self, found: ObjectInfo) -> bool:
        """Deliver one notice; drop it when there is nobody to tell, or nobody answers for a day."""
        job_id = _job_of(found)
        try:
            job = VideoJob.from_json(self._fleet.store.get(JobKeys(job_id).job))
            if self._fleet.store.head(JobKeys(job_id).manifest) is None:
                self._pause(job_id, _FIRST_PAUSE_S)
                return False
            if (pause_s := self._left_alone_s(job)) > 0:
                self._pause(job_id, pause_s)
                return False
            self._post(job)
        except SourceMissing:
            self._drop(job_id)
        except ConfigurationError as error:
            log.warning("job %s: its webhook is not told: %s", job_id, error)
            self._drop(job_id)
        except Undelivered as error:
            self._try_later(job_id, found.modified_s, str(error))
        else:
            self._drop(job_id)
            return True
        return False

    def _post(self, job: VideoJob) -> None:
        """Tell the webhook of a job.

        Raises:
            Undelivered: it was not told.
            ConfigurationError: it must not be.
        """
        settings = self._fleet.settings
        check_webhook(job.webhook, settings)
        info = info_from_storage(self._fleet.store, job.job_id).model_dump(mode="json")
        body = json.dumps({"id": f"{job.job_id}-ended", "event": "job.ended", "job": info}).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"posefleet/{VERSION}",
            "Posefleet-Signature": sign(self._secret, body, int(time.time())),
        }
        host = urlsplit(job.webhook).hostname or ""
        began_s = time.monotonic()
        try:
            status = post(job.webhook, body, headers, anywhere=trusted(host, settings), within_s=_ANSWER_S)
        except Undelivered:
            if (now_s := time.monotonic()) - began_s > _SLOW_S:
                self._slow |= dict.fromkeys(_whose(job), now_s + _SLOW_PAUSE_S)
            raise
        if not 200 <= status < 300:
            raise Undelivered(f"{host} answered {status}")

    def _left_alone_s(self, job: VideoJob) -> float:
        now_s = time.monotonic()
        self._slow = {name: until_s for name, until_s in self._slow.items() if until_s > now_s}
        return max(self._slow.get(name, now_s) for name in _whose(job)) - now_s

    def _try_later(self, job_id: str, since_s: float, why: str) -> None:
        with translated():
            tries = int(self._fleet.progress.redis.incr(NoticeKeys(job_id).tries))
            self._fleet.progress.redis.expire(NoticeKeys(job_id).tries, 2 * _GIVE_UP_S)
        if time.time() - since_s > _GIVE_UP_S:
            log.warning("job %s: its webhook is given up after a day: %s", job_id, why)
            self._drop(job_id)
            return
        if tries == 1:
            log.warning("job %s: its webhook is tried again: %s", job_id, why)
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(tries - 1, 20))
        self._pause(job_id, random.uniform(0.5, 1.0) * longest)

    def _pause(self, job_id: str, pause_s: float) -> None:
        with translated():
            self._fleet.progress.redis.set(NoticeKeys(job_id).held, "1", px=int(1000 * pause_s))

    def _drop(self, job_id: str) -> None:
        self._fleet.store.delete([JobKeys(job_id).notice])
        with translated():
            self._fleet.progress.redis.delete(NoticeKeys(job_id).tries)


def start(fleet: Fleet) -> None:
    """Deliver in a thread of this process, if there is a secret to sign with."""
    if fleet.settings.webhook_secret is not None:
        threading.Thread(target=Notifier(fleet).run, name="notifier", daemon=True).start()


def _whose(job: VideoJob) -> tuple[str, str]:
    """Who waits for a notice, and where; without submitters hosts alone are told apart."""
    host = f"//{urlsplit(job.webhook).hostname}"
    return job.submitter or host, host


def _job_of(found: ObjectInfo) -> str:
    return found.key.removeprefix(NOTICES)
