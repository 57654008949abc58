"""The error tree, sorted by what a worker should do about an error.

::

    PosefleetError
    ├── DecoderDied               the process that reads a source died or was stopped: counts as an attempt
    ├── DeviceLost                the GPU is gone for this process, which ends: counts as an attempt
    ├── TransientError            try again later, with back-off
    │   ├── DiskFull              this worker has no room for temporary files, another may
    │   ├── StorageUnavailable    the object store did not answer, or not in full
    │   ├── BrokerUnavailable     Redis did not answer
    │   ├── QueueUnavailable      the queue of upload events did not answer
    │   └── FleetBusy             as much waits as Redis is meant to hold
    └── PermanentError            never retried; the job or the command says why
        ├── VideoError            the upload cannot be read as a video (``reason`` names the kind)
        ├── PictureError          a file cannot be read as a picture
        ├── SourceMissing         there is no such object
        ├── SourceChanged         the object was overwritten while the job ran
        ├── ModelError            the pose model is missing, damaged or not the one asked for
        ├── MessageError          a message of an unknown version or shape
        ├── DeadLetter            a batch has used up its attempts
        ├── JobEnded              the job was cancelled, deleted or published while this worked on it
        └── ConfigurationError    a setting or an option is out of range

Every constructor takes one message, so an error survives the trip through a JSON result.
Programming mistakes stay ``ValueError`` and ``TypeError`` and are not caught.
"""


class PosefleetError(Exception):
    """Root of all errors that posefleet raises on purpose."""

    reason = "error"


class DecoderDied(PosefleetError):
    """The process that reads sources died, hung or broke the protocol; the message says which.

    It may have been the source or the machine, so the batch is tried again, but not for ever.
    """

    reason = "decoder_died"


class DeviceLost(PosefleetError):
    """The device that the model runs on is gone for this process; another process may get it back."""

    reason = "device_lost"


class TransientError(PosefleetError):
    """The same call may succeed later."""

    reason = "transient"


class StorageUnavailable(TransientError):
    """The object store did not answer, or did not answer in full."""

    reason = "storage_unavailable"


class BrokerUnavailable(TransientError):
    """Redis did not answer."""

    reason = "broker_unavailable"


class QueueUnavailable(TransientError):
    """The queue of upload events did not answer."""

    reason = "queue_unavailable"


class DiskFull(TransientError):
    """This worker has no room for temporary files."""

    reason = "disk_full"


class FleetBusy(TransientError):
    """As much waits as Redis is meant to hold: a turn of its own does not count against a job."""

    reason = "fleet_busy"


class PermanentError(PosefleetError):
    """The same call will fail again."""

    reason = "permanent"


class VideoError(PermanentError):
    """The object cannot be read as a video."""

    reason = "not_a_video"


class EmptyFile(VideoError):
    """The object has no bytes."""

    reason = "empty_file"


class NoVideoStream(VideoError):
    """The container has no video stream."""

    reason = "no_video_stream"


class EncryptedVideo(VideoError):
    """The video stream is encrypted."""

    reason = "encrypted"


class NoDecoder(VideoError):
    """No decoder for the stream's codec is built in."""

    reason = "no_decoder"


class NoFrames(VideoError):
    """The stream shows no frame, or none of them decodes."""

    reason = "no_frames"


class TooLarge(VideoError):
    """The source has more bytes, pixels, frames or seconds than is allowed, or takes more memory to decode."""

    reason = "too_large"


class PictureError(PermanentError):
    """A file cannot be read as a picture."""

    reason = "not_a_picture"


class SourceMissing(PermanentError):
    """There is no such object."""

    reason = "source_missing"


class SourceChanged(PermanentError):
    """The object was overwritten after the job had been accepted."""

    reason = "source_changed"


class ModelError(PermanentError):
    """The pose model is missing, damaged or not the one that was asked for."""

    reason = "model"


class MessageError(PermanentError):
    """A message has an unknown version or shape."""

    reason = "message"


class DeadLetter(PermanentError):
    """A batch has used up its attempts."""

    reason = "dead_letter"


class JobEnded(PermanentError):
    """The job ended while something worked on it: that stops, and leaves nothing behind."""

    reason = "job_ended"


class ConfigurationError(PermanentError):
    """A setting or an option is out of range."""

    reason = "configuration"
