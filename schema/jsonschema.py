"""The JSON Schema files of the messages and records: ``python -m schema.jsonschema`` writes them."""

import json
from pathlib import Path

from schema.manifest import Manifest, Results, Stitched
from schema.messages import FrameBatch, JobReference, VideoJob
from schema.pictures import PictureList
from schema.plan import Plan
from schema.record import Record

FILES: dict[str, type[Record]] = {
    "frame_batch.v1.json": FrameBatch,
    "job_reference.v1.json": JobReference,
    "manifest.v1.json": Manifest,
    "picture_list.v1.json": PictureList,
    "plan.v1.json": Plan,
    "results.v1.json": Results,
    "stitched.v1.json": Stitched,
    "video_job.v1.json": VideoJob,
}


def written(name: str) -> str:
    """The text of the schema file ``name``."""
    return json.dumps(FILES[name].model_json_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for file in FILES:
        (Path(__file__).parent / "json" / file).write_text(written(file))
