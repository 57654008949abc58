"""What publish does when only the sound is at fault."""

import pytest

from schema.errors import DecoderDied, VideoError
from schema.manifest import Manifest, Stitched
from schema.names import JobKeys
from tests.support.memory import Memory
from tests.unit.test_stitch import JOB, plan_of
from workers.stages import publish as stage

KEYS = JobKeys(JOB.job_id)
STITCHED = Stitched(frames=40, tracks=0, max_people=0, first_indexes=(0,))


@pytest.mark.parametrize("error", [VideoError("the stream is damaged"), DecoderDied("killed by SIGSEGV")])
def test_sound_that_cannot_be_read_is_left_out_and_the_job_says_so(error, monkeypatch, tmp_path):
    def join(pieces, source, plan, options, target, open_sound):
        if open_sound is not None:
            raise error
        target.write_bytes(b"silent")

    monkeypatch.setattr(stage, "join", join)
    monkeypatch.setattr(stage, "make_gallery", lambda *_: [])
    store = Memory()
    store.put_new(KEYS.piece(0, 40), b"piece")
    store.put_new(KEYS.result("tracks.parquet"), b"tracks")
    stage.publish(store=store, job=JOB, plan=plan_of([(0, 40)]), stitched=STITCHED, steps={}, work=tmp_path)
    manifest = Manifest.from_json(store.get(KEYS.manifest))
    assert manifest.state == "succeeded"
    assert manifest.warnings == (f"the sound cannot be read and is left out: {error}",)
    assert store.get(KEYS.result("annotated.mp4")) == b"silent"
