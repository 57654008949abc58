import pytest

from schema.errors import ConfigurationError
from schema.messages import ModelIdentity, Source, VideoJob
from schema.options import PRESETS, Options

SOURCE = Source(bucket="videos", key="a.mp4", etag='"1"', size=10)
MODEL = ModelIdentity(name="m", sha256="0" * 64)


def test_a_preset_sets_what_is_not_given():
    best = Options.checked(quality="best", looks=2)
    assert (best.input_size, best.extra_sizes, best.refine) == (768, (512, 256), "thunder")
    assert best.looks == 2


def test_the_defaults_are_the_preset_fast():
    assert Options() == Options.checked(quality="fast")
    assert {name: getattr(Options(), name) for name in PRESETS["fast"]} == PRESETS["fast"]


def test_a_preset_and_its_options_written_out_are_the_same_job():
    preset = VideoJob.accept(SOURCE, Options.checked(quality="balanced"), MODEL)
    written = VideoJob.accept(SOURCE, Options.checked(**PRESETS["balanced"]), MODEL)
    assert preset.job_id == written.job_id


def test_options_survive_the_trip_without_meeting_the_preset_again():
    options = Options.checked(quality="best", refine="off", extra_sizes="128")
    assert Options.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_size": 250}, "--input-size 250: a multiple of 32 from 128 to 768"),
        ({"extra_sizes": "256,100"}, "--extra-sizes 256,100: up to four multiples of 32"),
        ({"max_people": 101}, "--max-people 101: 1 to 100"),
        ({"refine": "big"}, "--refine big: off, lightning or thunder"),
        ({"looks": 5}, "--looks 5: 1 to 4"),
        ({"tiles": "0x2"}, "--tiles 0x2: auto, off or ROWSxCOLUMNS"),
        ({"tiles": "9x1"}, "--tiles 9x1: auto, off or ROWSxCOLUMNS"),
        ({"quality": "great"}, "--quality great: fast, balanced or best"),
        ({"formats": ["xyz"]}, "--format xyz: coco, csv, deeplabcut"),
        ({"sharpness": 3}, "--sharpness 3: there is no such option"),
    ],
)
def test_what_is_out_of_range_is_named_with_what_is_valid(values, message):
    with pytest.raises(ConfigurationError) as caught:
        Options.checked(**values)
    assert str(caught.value).startswith(message)


def test_what_is_said_twice_is_done_once():
    options = Options.checked(formats="trc,csv,trc", style=["trails", "overlay", "trails"])
    assert options.formats == ("trc", "csv")
    assert options.style == ("trails", "overlay")
    with pytest.raises(ConfigurationError):
        Options.checked(formats=[["trc"]])


def test_work_grows_with_every_option_that_costs():
    plain = Options().work
    dearer = [{"input_size": 512}, {"extra_sizes": "512"}, {"refine": "lightning"}, {"tiles": "2x2"}, {"tiles": "auto"}]
    assert all(Options.checked(**values).work > plain for values in dearer)
    assert Options.checked(refine="thunder", looks=4).work > 2 * Options.checked(refine="thunder").work
