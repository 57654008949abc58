"""All settings, read from the environment in one place. Units stand in the names."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schema.errors import ConfigurationError
from schema.folders import cache_folder, data_folder


class Settings(BaseSettings):
    """Each field is the environment variable ``POSEFLEET_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="POSEFLEET_", frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False, description="Redis server of queues and progress")
    s3_endpoint: str | None = Field(None, description="S3 server; none is AWS")
    s3_region: str = Field("us-east-1", description="S3 region")
    s3_access_key_id: str | None = Field(None, description="none uses boto3's own chain of credentials")
    s3_secret_access_key: str | None = Field(None, repr=False, description="goes with the access key id")
    s3_timeout_s: float = Field(30.0, gt=0, description="an S3 request that nobody answers is tried again after")
    bucket: str = Field("posefleet", min_length=3, description="bucket of jobs and results")
    model: str = Field("multipose-lightning", description="built-in name, TF-Hub handle or SavedModel folder")
    backend: str = Field(
        "auto",
        pattern="^(auto|litert|tensorflow|gpu)$",
        description="auto, litert, tensorflow, or gpu: TensorFlow, refused where it sees no GPU",
    )
    model_batch: int | None = Field(
        None, ge=1, le=512, description="pictures per call of the model; none: 2 with LiteRT, measured with TensorFlow"
    )
    model_threads: int = Field(1, ge=1, description="CPU threads of one worker process's model")
    nvenc: bool = Field(
        False, description="encode annotated videos on NVIDIA GPUs; the same on all render workers of a fleet"
    )
    warm_model: bool = Field(False, description="load the model when a worker process starts")
    ready_dir: Path | None = Field(
        None, description="gets `heartbeat`, `consuming`, `process-<pid>` when a model is loaded, `warm-<pid>`"
    )
    batch_frames: int = Field(240, ge=1, description="frames per batch that the planner aims at")
    task_soft_limit_s: int = Field(100, ge=1, description="after this a batch is told to give up")
    task_limit_s: int = Field(120, ge=2, description="after this its process is killed")
    visibility_timeout_s: int = Field(
        360,
        ge=3,
        description="an unacknowledged message is delivered again after; steps of a whole job may take 0.95 of it",
    )
    max_attempts: int = Field(3, ge=1, description="starts of one batch before it is a dead letter")
    max_stumbles: int = Field(
        10,
        ge=1,
        description="transient errors while servers answer, and losses of its worker, that are no attempts of a batch",
    )
    retry_backoff_s: float = Field(1.0, ge=0, description="first wait after a transient error; doubles, with jitter")
    patience_s: float = Field(
        30.0, ge=0, description="how long a task or an enqueue waits for Redis or S3 before it gives its turn back"
    )
    max_waiting: int = Field(500_000, ge=1, description="batches on the queues beyond which no further video is split")
    sweep_interval_s: float = Field(60.0, gt=0, description="from one sweep to the next")
    lost_after_s: float = Field(
        20.0, gt=0, description="a message that nobody has is sent again after; longer than a process takes to start"
    )
    quiet_s: float = Field(600.0, gt=0, description="jobs with no news for so long are compared with storage")
    retention_days: float | None = Field(None, gt=0, description="ended jobs are deleted after; none keeps them")
    watch: str | None = Field(
        None, description="`s3://bucket/prefix/`, several with commas between: videos uploaded there enqueue themselves"
    )
    watch_options: str = Field("{}", description='their options, as JSON: `{"quality": "best"}`')
    watch_interval_s: float = Field(300.0, gt=0, description="from one listing of the watched prefixes to the next")
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="each worker serves Prometheus metrics at this port; none: no metrics"
    )
    metrics_host: str = Field("127.0.0.1", description="address that metrics are served at; `0.0.0.0` for all")
    log_format: str = Field("text", pattern="^(text|json)$", description="text, or json: one object per line")
    flower_basic_auth: str | None = Field(
        None, repr=False, description="user:password of the local stack's Flower; none: made up once"
    )
    soft_shutdown_s: float = Field(20.0, ge=0, description="time for running tasks after SIGTERM")
    cache_dir: Path = Field(default_factory=cache_folder, description="models and compiled code")
    data_dir: Path = Field(default_factory=data_folder, description="data of the local stack")
    max_source_gb: float = Field(1000.0, gt=0, description="largest source in GB")
    max_pixels: int = Field(67_108_864, ge=1024, description="most pixels of a frame or picture")
    max_frames: int = Field(10_000_000, ge=1, description="most frames of a video")
    max_duration_h: float = Field(100.0, gt=0, description="longest video in hours")
    decoder_stall_s: float = Field(
        30.0, gt=0, description="longest that decoding may take without a frame or new bytes"
    )
    decoder_memory_mb: int = Field(2048, ge=256, description="memory of the process that decodes")
    decoder_threads: int = Field(
        1,
        ge=1,
        le=64,
        description="its threads: several keep a GPU busy, and conceal damage in H.264 less well",
    )
    api_tokens: Path | None = Field(None, description="file of API tokens; none is `tokens.json` in the data folder")
    api_buckets: str = Field(
        "",
        description="`bucket` or `bucket/prefix`, with commas between: sources that every token may name",
    )
    api_origins: str = Field("", description="origins of pages elsewhere that may use the API, with commas between")
    api_requests_per_s: float = Field(50.0, gt=0, description="requests of one token; four times as many at once")
    s3_public_endpoint: str | None = Field(None, description="S3 server as the API's clients reach it; none: the same")
    webhook_secret: str | None = Field(
        None, repr=False, min_length=16, description="signs what webhooks are told; none: no webhooks"
    )
    webhook_hosts: str = Field(
        "", description="hosts, with commas between, that webhooks may reach though private, and by plain HTTP"
    )

    @classmethod
    def read(cls) -> "Settings":
        """Settings of this process's environment.

        Raises:
            ConfigurationError: names the variable and what is valid.
        """
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"POSEFLEET_{first['loc'][0]}".upper()
            raise ConfigurationError(f"{name}={first['input']!r}: {first['msg']}") from error
        if not settings.task_soft_limit_s < settings.task_limit_s < settings.visibility_timeout_s:
            raise ConfigurationError(
                "POSEFLEET_TASK_SOFT_LIMIT_S must be less than POSEFLEET_TASK_LIMIT_S, "
                "and that less than POSEFLEET_VISIBILITY_TIMEOUT_S"
            )
        _check_address(settings.redis_url)
        _check_auth(settings.flower_basic_auth)
        return settings

    @property
    def models_dir(self) -> Path:
        return self.cache_dir / "models"

    @property
    def tokens_file(self) -> Path:
        return self.api_tokens or self.data_dir / "tokens.json"


def _check_address(url: str) -> None:
    """Refuse what is no address, without telling what it is: it may hold a password."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("redis", "rediss") and (parts.port is None or parts.port > 0)
        checks = parse_qs(parts.query).get("ssl_cert_reqs", ["required"])
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(
            "POSEFLEET_REDIS_URL is no address of a Redis server: give redis://[:password@]host:port/number"
        )
    if not set(checks) <= {"required", "optional", "none"}:
        raise ConfigurationError(
            "ssl_cert_reqs in POSEFLEET_REDIS_URL is 'required' (the default), 'optional' or 'none'"
        )


def _check_auth(pair: str | None) -> None:
    """Refuse what is no user and password, without telling what it is."""
    if pair is not None and re.fullmatch(r"[^:,]+:[^,]+", pair) is None:
        raise ConfigurationError("POSEFLEET_FLOWER_BASIC_AUTH is no user:password; neither may hold a comma")


@cache
def current() -> Settings:
    """The settings of this process, read once."""
    return Settings.read()
