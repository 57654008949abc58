"""The Celery application of a worker process: ``celery -A workers.app worker``."""

from schema.queue import make_app
from schema.settings import current

app = make_app(current())
