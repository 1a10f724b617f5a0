"""Downloads from servers on this machine that break off, lie, or are not there."""

from __future__ import annotations

import errno
import hashlib
import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import etude.data.download as download
from etude.data.download import NotFetched, fetch

CONTENT = bytes(range(256)) * 2000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT at /good; /cut breaks off halfway, once; /wrong serves something else."""

    asked: list = []

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.asked.append((self.path, start))
        if self.path not in ("/good", "/cut", "/wrong"):
            self.send_error(404)
            return
        if start >= len(CONTENT):
            self.send_error(416)
            return
        content = CONTENT[start:] if self.path != "/wrong" else CONTENT[::-1][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.path == "/cut" and not start
        self.wfile.write(content[: len(content) // 2] if cut else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.asked = []
    http = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join(timeout=10)
    http.server_close()


def right(path) -> bool:
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(CONTENT).digest()


def test_a_file_arrives_whole_and_progress_is_told(server, tmp_path):
    told = []
    path = fetch(
        [f"{server}/good"], tmp_path / "new" / "file", right, lambda done, total: told.append((done, total))
    )
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_broken_download_goes_on_where_it_broke_off(server, tmp_path):
    target = tmp_path / "file"
    with pytest.raises(NotFetched, match="broke off"):
        fetch([f"{server}/cut"], target, right)
    assert not target.exists()
    half = (tmp_path / "file.part").stat().st_size
    assert half == len(CONTENT) // 2
    assert fetch([f"{server}/cut"], target, right).read_bytes() == CONTENT
    assert Server.asked == [("/cut", 0), ("/cut", half)]


def test_the_next_mirror_helps_where_one_is_gone_or_breaks_off(server, tmp_path):
    urls = ["http://127.0.0.1:9/nobody", f"{server}/missing", f"{server}/cut", f"{server}/good"]
    assert fetch(urls, tmp_path / "file", right).read_bytes() == CONTENT
    assert Server.asked[-1] == ("/good", len(CONTENT) // 2)


def test_another_file_is_thrown_away(server, tmp_path):
    with pytest.raises(NotFetched, match="not the file that was expected"):
        fetch([f"{server}/wrong"], tmp_path / "file", right)
    assert list(tmp_path.iterdir()) == []


def test_a_spoilt_beginning_is_fetched_anew(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    assert fetch([f"{server}/good"], tmp_path / "file", right).read_bytes() == CONTENT
    assert Server.asked == [("/good", 1000), ("/good", 0)]


def test_a_part_that_is_already_whole_is_taken(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch([f"{server}/good"], tmp_path / "file", right).read_bytes() == CONTENT


def test_after_ctrl_c_a_download_goes_on(server, tmp_path):
    def press(done, total):
        if done > total / 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([f"{server}/good"], tmp_path / "file", right, press)
    have = (tmp_path / "file.part").stat().st_size
    assert 0 < have < len(CONTENT)
    assert fetch([f"{server}/good"], tmp_path / "file", right).read_bytes() == CONTENT
    assert Server.asked[-1] == ("/good", have)


def test_a_server_that_says_nothing_is_given_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/good"
        with pytest.raises(NotFetched, match="timed out"):
            fetch([url], tmp_path / "file", right)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_web_server_gives_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def answer():
            with listening.accept()[0] as caller:
                caller.recv(4096)
                caller.sendall(b"login\x1b[31m" + b"x" * 5000 + b"\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotFetched, match="login") as error:
            fetch([f"http://127.0.0.1:{listening.getsockname()[1]}/good"], tmp_path / "file", right)
        thread.join(timeout=10)
    for words in (error.value.text.en, error.value.text.zh):
        assert words.isprintable()
        assert len(words) < 400


def test_a_network_that_goes_away_midway_is_the_next_mirror_s_turn(server, tmp_path, monkeypatch):
    read, calls = http.client.HTTPResponse.read, []

    def failing(self, *size):
        calls.append(size)
        if len(calls) == 2:
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        return read(self, *size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", failing)
    assert fetch([f"{server}/good"] * 2, tmp_path / "file", right).read_bytes() == CONTENT
    assert [start > 0 for _, start in Server.asked] == [False, True]


def test_a_full_disk_is_not_taken_for_a_network(server, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        fetch([f"{server}/good"] * 2, tmp_path / "file", right)
    assert error.value.errno == errno.ENOSPC
    assert len(Server.asked) == 1
