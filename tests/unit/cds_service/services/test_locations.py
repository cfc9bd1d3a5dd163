"""A folder and a bucket, used in the same way."""

import os
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from cds_service.location_urls import location_url
from cds_service.services.locations import Location, LocationError


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    text = str(tmp_path / "a b") if request.param == "folder" else f"memory://bucket/{uuid4()}"
    return Location.open(location_url(text, development=True), None)


def test_files_are_written_listed_fetched_and_moved(location: Location, tmp_path: Path) -> None:
    assert location.listed() == []
    location.write("b.txt", b"two")
    location.write("a.txt", b"one")
    location.write("folder/c.txt", b"three")
    assert [(one.name, one.size) for one in location.listed()] == [("a.txt", 3), ("b.txt", 3)]
    before = location.listed()[0]
    location.write("a.txt", b"more")
    assert location.listed()[0] != before
    location.fetch("a.txt", tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == b"more"
    location.move("a.txt", "aside/a.txt")
    assert [one.name for one in location.listed()] == ["b.txt"]
    assert [one.name for one in location.below("aside").listed()] == ["a.txt"]


def test_what_is_not_there_is_told_without_its_name(location: Location, tmp_path: Path) -> None:
    with pytest.raises(LocationError, match="cannot be read") as error:
        location.fetch("xqz.txt", tmp_path / "here")
    assert "xqz" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_file_in_a_folder_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = Location.open(location_url(str(tmp_path), development=False), None)
    location.write("a.txt", b"before")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocationError, match=r"cannot be written \(No space left on device\)"):
        location.write("a.txt", b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"before")]


def test_what_a_killed_process_left_of_a_file_is_cleared_up(tmp_path: Path) -> None:
    location = Location.open(location_url(str(tmp_path), development=False), None)
    (tmp_path / ".a[1].txt.0123.partial").write_bytes(b"ha")
    (tmp_path / ".b.txt.0123.partial").write_bytes(b"of another")
    location.write("a[1].txt", b"half")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.txt.0123.partial", "a[1].txt"]


def test_files_are_for_owner_and_group_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        location = Location.open(location_url(str(tmp_path), development=False), None)
        location.write("x/y/a.txt", b"")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "x").rglob("*"))]
    assert modes == [0o750, 0o640]


def test_the_object_of_a_folder_itself_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    location = Location.open(f"memory://bucket/{uuid4()}", None)
    location.write("a.csv", b"1")
    found = location._files.ls(location._root, detail=True)
    # As s3fs lists what a console made when somebody "created a folder".
    marker = {"name": f"{location._root}/", "size": 0, "type": "file"}
    monkeypatch.setattr(location._files, "ls", lambda *_args, **_options: [marker, *found])
    assert [one.name for one in location.listed()] == ["a.csv"]


def test_options_that_do_not_fit_are_told_without_their_values() -> None:
    with pytest.raises(LocationError, match="needs the extra `gs`"):
        Location.open("gs://bucket", SecretStr('{"token": "xqz"}'))
