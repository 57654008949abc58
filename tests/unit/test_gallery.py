from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from schema.errors import EmptyFile, NoFrames, NoVideoStream, VideoError
from tests.support.people import person_at, rows_of, together
from workers.core.rows import TrackRows
from workers.formats import tracks as track_files
from workers.formats.tracks import TracksWriter
from workers.media import gallery
from workers.media.gallery import make_gallery

BITS = 10
WIDE, TALL = (160, 90), (90, 160)
MARGIN, TEXT_LINE = 16, 30
TICKS = 1000
SCARED = person_at(80, 40, score=0.1)


def coded(index, size=WIDE):
    """A picture whose bars say ``index`` in binary, white for one."""
    bars = np.array([index >> bit & 1 for bit in range(BITS)], np.uint8) * 150 + 75
    columns = bars[np.arange(size[0]) * BITS // size[0]]
    return np.broadcast_to(columns[None, :, None], (size[1], size[0], 3)).copy()


def index_in(picture):
    """The index that `coded` drew."""
    grey = np.asarray(picture.convert("L"), float)
    bars = np.array_split(grey[grey.shape[0] // 4 : -(grey.shape[0] // 4)].mean(0), BITS)
    return sum(int(bar[len(bar) // 4 : -(len(bar) // 4) or None].mean() > 150) << bit for bit, bar in enumerate(bars))


def video(path, times_ms, size=WIDE, codec="libx264", key_every=12, b_frames=0, picture=coded):
    """An MP4 whose frames are shown at ``times_ms``."""
    options = {"libx264": {"preset": "ultrafast", "crf": "18", "bf": str(b_frames)}, "libsvtav1": {"preset": "12"}}
    with av.open(str(path), "w", options={"video_track_timescale": str(TICKS)}) as output:
        last_ms = int(times_ms[-1] - times_ms[-2]) if len(times_ms) > 1 else 40
        stream = output.add_stream(codec, rate=Fraction(1000, last_ms), options=options.get(codec, {}))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.gop_size = key_every
        for index, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(index, size), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = int(time), Fraction(1, TICKS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def steady(count, step_ms=50):
    return np.arange(count) * step_ms


def tracks(path, people):
    """A track file; ``people`` are the poses of every frame, numbered in order."""
    with TracksWriter(path, {}) as writer:
        ids = [np.arange(len(found.scores)) for found in people]
        writer.add(rows_of(people, ids, np.arange(len(people)) / 20) if people else TrackRows.none())
    return path


def made(folder, annotated, people):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    paths = make_gallery(annotated, tracks(folder / "tracks.parquet", people), out)
    assert [path.name for path in paths] == ["poster.jpg", "contact_sheet.jpg", "preview.webp"]
    assert sorted(out.iterdir()) == sorted(paths)
    return Pictures(paths)


def read(path):
    with Image.open(path) as stored:
        assert stored.format == {".jpg": "JPEG", ".webp": "WEBP"}[path.suffix]
        return stored.convert("RGB")


class Pictures:
    def __init__(self, paths):
        self.paths = paths
        self.poster, self.sheet = (read(path) for path in paths[:2])

    def tiles(self, size=WIDE):
        """Columns and rows of the contact sheet, and the indexes of its frames."""
        width, height = max(size[0], 110) + MARGIN, size[1] + TEXT_LINE + MARGIN
        columns, rows = (self.sheet.width - MARGIN) // width, (self.sheet.height - MARGIN) // height
        corners = [(MARGIN + x * width, MARGIN + y * height) for y in range(rows) for x in range(columns)]
        tiles = [self.sheet.crop((left, top, left + size[0], top + size[1])) for left, top in corners]
        return (columns, rows), [index_in(tile) for tile in tiles if max(tile.convert("L").getextrema()) > 60]

    def preview(self):
        """Indexes and durations (milliseconds) of the preview's frames."""
        with Image.open(self.paths[2]) as moving:
            assert moving.n_frames == 1 or moving.info["loop"] == 0
            found = []
            for place in range(moving.n_frames):
                moving.seek(place)
                moving.load()
                found.append((index_in(moving), moving.info.get("duration", 0)))
        return [index for index, _ in found], [duration for _, duration in found]


def test_the_poster_shows_most_people_but_not_the_edges_of_the_video(tmp_path):
    people = [person_at(30, 30)] * 60
    people[1] = people[58] = together(*[person_at(x, 30) for x in (30, 60, 90)])
    people[40] = together(person_at(30, 30), person_at(90, 30))
    people[20] = together(person_at(30, 30), SCARED, SCARED, SCARED)
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(60)), people)
    assert index_in(shown.poster) == 40
    assert shown.poster.size == WIDE


def test_in_a_short_video_the_edges_count_too(tmp_path):
    people = [person_at(30, 30)] * 20
    people[0] = together(person_at(30, 30), person_at(90, 30))
    assert index_in(made(tmp_path, video(tmp_path / "a.mp4", steady(20)), people).poster) == 0


def test_of_as_many_people_the_surest_then_the_largest_are_on_the_poster(tmp_path):
    people = [person_at(30, 30) for _ in range(60)]
    for index in (15, 30, 45):
        people[index].keypoints[..., 2] = 0.95
    people[30].boxes[:, 2:] *= 2
    people[10].boxes[:, 2:] *= 9
    annotated = video(tmp_path / "a.mp4", steady(60))
    assert index_in(made(tmp_path, annotated, people).poster) == 30
    people[45].keypoints[..., 2] = 0.99
    assert index_in(made(tmp_path, annotated, people).poster) == 45


def test_a_large_picture_is_scaled_to_the_poster_and_the_sheet(tmp_path):
    annotated = video(tmp_path / "a.mp4", steady(3), size=(2560, 1440))
    shown = made(tmp_path, annotated, [])
    assert shown.poster.size == (1920, 1080)
    assert shown.sheet.width <= 2000
    assert read(shown.paths[2]).size == (480, 270)


def test_the_contact_sheet_has_the_centres_of_equal_slices_in_order(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(100)), [])
    assert shown.tiles() == ((5, 4), [5 * place + 2 for place in range(20)])
    assert shown.sheet.getpixel((3, 3)) < (40, 40, 40)


def test_every_tile_has_its_time_below(tmp_path):
    sheet = np.asarray(made(tmp_path, video(tmp_path / "a.mp4", steady(100)), []).sheet.convert("L"))
    for row in range(4):
        for column in range(5):
            top, left = MARGIN + row * 136 + 90 + 4, MARGIN + column * 176
            assert sheet[top : top + 24, left : left + 80].max() > 150


@pytest.mark.parametrize(
    ("seconds", "label"), [(0, "0:00.0"), (59.96, "1:00.0"), (754.32, "12:34.3"), (3600, "1:00:00.0")]
)
def test_times_are_minutes_and_seconds_and_hours_where_there_are(seconds, label):
    assert gallery._label(seconds) == label


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 1)), (4, (4, 1)), (7, (4, 2)), (12, (4, 3))])
def test_a_few_frames_are_shown_once_each(tmp_path, count, grid):
    assert made(tmp_path, video(tmp_path / "a.mp4", steady(count)), []).tiles() == (grid, list(range(count)))


def test_portraits_get_more_columns_than_rows(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(90), size=TALL), [])
    assert shown.tiles(TALL) == ((6, 3), [5 * place + 2 for place in range(18)])


def lively(count, start, stop):
    """One person who walks about from frame ``start`` to ``stop`` and stands still else."""
    x = 30 + 10 * (np.clip(np.arange(count), start, stop) - start)
    return [person_at(float(each), 40) for each in x]


def test_the_preview_is_of_the_liveliest_seconds(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(200)), lively(200, 120, 160))
    indexes, durations = shown.preview()
    assert durations == [100] * 30
    assert np.diff(indexes).tolist() == [2] * 29
    assert indexes[0] in range(108, 120)
    assert indexes[-1] in range(160, 172)
    assert shown.paths[2].stat().st_size < 600_000


def test_movement_counts_in_sizes_of_the_body(tmp_path):
    people = lively(200, 20, 60)
    for near in people:
        near.boxes[:, 2:] *= 20
    small = lively(200, 120, 160)
    both = [together(near, far) for near, far in zip(people, small, strict=True)]
    indexes, _ = made(tmp_path, video(tmp_path / "a.mp4", steady(200)), both).preview()
    assert indexes[0] in range(108, 120)


def test_uncertain_keypoints_do_not_move(tmp_path):
    people = lively(200, 120, 160)
    for index in range(20, 60, 2):
        people[index].keypoints[:, :5] += (300, 0, -0.85)
    for index in range(60, 80):
        people[index].keypoints[:, 3:9] = np.nan
    people[90].boxes[:] = np.nan
    indexes, _ = made(tmp_path, video(tmp_path / "a.mp4", steady(200)), people).preview()
    assert indexes[0] in range(108, 120)


def test_pieces_of_the_tracks_make_no_difference(tmp_path, monkeypatch):
    people = [together(one, person_at(90, 40)) for one in lively(200, 120, 160)]
    people[77] = together(*[person_at(x, 30) for x in (30, 60, 90)])
    annotated = video(tmp_path / "a.mp4", steady(200))
    before = [path.read_bytes() for path in made(tmp_path, annotated, people).paths]
    monkeypatch.setattr(track_files, "_ROWS_PER_GROUP", 7)
    shown = made(tmp_path, annotated, people)
    assert [path.read_bytes() for path in shown.paths] == before
    assert index_in(shown.poster) == 77


def test_without_people_the_middle_is_shown(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(200)), [])
    assert index_in(shown.poster) == 100
    assert shown.preview() == ([70 + 2 * place for place in range(30)], [100] * 30)


def test_a_short_video_is_previewed_whole(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(17)), [person_at(30, 30)] * 17)
    indexes, durations = shown.preview()
    assert indexes == list(range(0, 17, 2))
    assert durations == [100] * 8 + [50]


def test_one_frame_is_enough(tmp_path):
    shown = made(tmp_path, video(tmp_path / "a.mp4", [0], picture=lambda _, size: coded(613, size)), [SCARED])
    assert (index_in(shown.poster), shown.tiles(), shown.preview()[0]) == (613, ((1, 1), [613]), [613])


def test_frames_beyond_the_end_are_left_out(tmp_path):
    people = [person_at(30, 30)] * 60 + [together(person_at(30, 30), person_at(90, 30))] * 100
    people[33] = together(person_at(30, 30), person_at(90, 30))
    assert index_in(made(tmp_path, video(tmp_path / "a.mp4", steady(60)), people).poster) == 33


def shown_at(times_ms, when_ms):
    return np.searchsorted(np.asarray(times_ms), np.asarray(when_ms) + 1e-3, side="right") - 1


@pytest.mark.parametrize("offset_ms", [0, 730])
def test_frames_of_varying_length_are_taken_by_their_times(tmp_path, offset_ms):
    lengths = np.concatenate([np.full(40, 33), np.full(30, 200), np.full(60, 41)])
    times = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    people = [person_at(30, 30)] * len(times)
    people[57] = together(person_at(30, 30), person_at(90, 30))
    people[50:60] = [
        together(one, person_at(40 + 10 * place, 90)) if place == 7 else person_at(30 + 10 * place, 30)
        for place, one in enumerate(people[50:60])
    ]
    shown = made(tmp_path, video(tmp_path / "a.mp4", times + offset_ms), people)
    assert index_in(shown.poster) == 57
    length = lengths.sum()
    assert shown.tiles()[1] == shown_at(times, (np.arange(20) + 0.5) / 20 * length).tolist()
    indexes, durations = shown.preview()
    assert sum(durations) == 3000
    assert indexes == np.unique(shown_at(times, times[indexes[0]] + 100 * np.arange(30))).tolist()
    assert indexes[0] <= 50
    assert indexes[-1] >= 59


@pytest.mark.parametrize("key_every", [7, 1000])
@pytest.mark.parametrize("b_frames", [0, 3])
def test_frames_are_exact_whatever_the_key_frames(tmp_path, key_every, b_frames):
    people = [person_at(30, 30)] * 130
    people[83] = together(person_at(30, 30), person_at(90, 30))
    annotated = video(tmp_path / "a.mp4", steady(130), key_every=key_every, b_frames=b_frames)
    shown = made(tmp_path, annotated, people)
    assert index_in(shown.poster) == 83
    assert shown.tiles()[1] == shown_at(steady(130), (np.arange(20) + 0.5) / 20 * 130 * 50).tolist()
    assert np.diff(shown.preview()[0]).tolist() == [2] * 29


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1"])
def test_other_codecs_are_read_as_exactly(tmp_path, codec, capfd):
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} here")
    people = [person_at(30, 30)] * 50
    people[31] = together(person_at(30, 30), person_at(90, 30))
    shown = made(tmp_path, video(tmp_path / "a.mp4", steady(50), codec=codec), people)
    assert index_in(shown.poster) == 31
    assert shown.tiles()[1] == shown_at(steady(50), (np.arange(20) + 0.5) / 20 * 50 * 50).tolist()


@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("range_", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_follow_the_streams_matrix_and_range(tmp_path, matrix, range_):
    colour = np.array([220, 60, 30], np.uint8)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = *WIDE, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.tile(colour, (WIDE[1], WIDE[0], 1)), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=range_)
        stream.codec_context.colorspace = {Colorspace.ITU709: 1, Colorspace.ITU601: 6}[matrix]
        stream.codec_context.color_range = range_
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    poster = np.asarray(made(tmp_path, path, []).poster, int)
    assert abs(poster.mean((0, 1)) - colour).max() < 6


def test_a_video_whose_end_is_missing_gives_pictures_of_the_rest(tmp_path):
    path = video(tmp_path / "a.mp4", steady(100))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mp4"), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    body = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(body[: len(body) * 3 // 4])
    shown = made(tmp_path, tmp_path / "b.mp4", [person_at(30, 30)] * 100)
    indexes = shown.tiles()[1]
    assert indexes == sorted(indexes)
    assert 40 < indexes[-1] < 99


def no_payload(body):
    start = body.index(b"mdat") + 4
    stop = body.index(b"moov") - 4
    return body[:start] + b"\xff" * (stop - start) + body[stop:]


def cut_off(body):
    return body[: len(body) // 2]


def text(_):
    return b"hello"


def nothing(_):
    return b""


@pytest.mark.parametrize(
    ("damage", "error"), [(cut_off, VideoError), (no_payload, NoFrames), (text, VideoError), (nothing, EmptyFile)]
)
def test_a_video_of_which_nothing_decodes_says_so(tmp_path, damage, error):
    path = video(tmp_path / "a.mp4", steady(30))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(error):
        made(tmp_path, path, [])


def test_frames_that_the_video_does_not_have_are_not_counted(tmp_path):
    annotated = video(tmp_path / "a.mp4", steady(60))
    people = [SCARED] * 30 + [person_at(30, 30)] * 10 + [SCARED] * 40
    people[65] = together(person_at(30, 30), person_at(100, 30))
    tracks(tmp_path / "t.parquet", people)
    folder = tmp_path / "pictures"
    folder.mkdir()
    make_gallery(annotated, tmp_path / "t.parquet", folder, left_out=[(10, 30)])
    assert index_in(Image.open(folder / "poster.jpg")) == 45


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.rate, frame.pts = 48_000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(NoVideoStream):
        made(tmp_path, tmp_path / "a.mp4", [])
