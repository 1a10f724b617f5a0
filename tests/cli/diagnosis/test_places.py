"""Places that are full, slow, or on a network disk."""

from __future__ import annotations

from etude.cli.diagnosis import places
from etude.cli.diagnosis.advice import System
from etude.insight.machine import Measurement

DEBIAN = System("debian", "Debian 13", "x86_64")


def test_the_file_system_of_a_folder(tmp_path):
    mounts = f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path.resolve()} nfs4 rw 0 0\n"
    assert places.file_system_of(tmp_path / "deep", mounts) == "nfs4"
    assert places.file_system_of(tmp_path.parent, mounts) == "ext4"
    assert places.file_system_of(tmp_path, "") is None
    # a name that only begins alike is not inside
    assert places.file_system_of(tmp_path.with_name(tmp_path.name + "2"), mounts) == "ext4"


def test_judging_a_disk():
    fast, slow = (Measurement("disk write", v, v, v, "MB/s", 3, 1, "disk") for v in (500.0, 5.0))
    assert places._judge("runs", 1 << 40, fast, "ext4") == ("fine", None)
    assert places._judge("store", 1 << 40, fast, "nfs4")[0] == "improvable"
    assert places._judge("runs", 1 << 40, fast, "nfs4")[0] == "fine"
    assert places._judge("runs", 1 << 40, slow, "ext4")[0] == "improvable"
    assert places._judge("runs", 1 << 20, fast, "ext4")[0] == "improvable"


def test_a_place_that_cannot_be_written_is_broken_unless_it_is_for_downloads(monkeypatch):
    def full(place, seconds):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places, "disk_speed", full)
    found = places.examine(DEBIAN, quick=True)
    states = {each.name: each.state for each in found.findings}
    assert states == {
        "place.runs": "broken",
        "place.cache": "broken",
        "place.data": "improvable",
        "place.store": "broken",
    }
    assert "No space left" in found.findings[0].value.en
    assert found.findings[0].command == "export ETUDE_RUNS=/tmp/etude"
    assert found.facts["places"]["runs"]["writable"] is False


def test_looking_at_a_place_does_not_create_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_DATA", str(tmp_path / "not" / "yet"))
    assert places.nearest(tmp_path / "not" / "yet") == tmp_path
    facts = places.examine(DEBIAN, quick=True).facts["places"]["data"]
    assert facts["exists"] is False
    assert facts["free_bytes"] > 0
    assert list(tmp_path.iterdir()) == []
