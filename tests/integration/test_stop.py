# SPDX-License-Identifier: Apache-2.0
"""The broker's end: by SIGTERM, with requests running, and by idleness."""

import signal
import time

import fcgi
from stack import applications_of, fresh_user, processes_of, wait_for

APP = {"ScriptDirectory": "/apps", "BindReadOnlyPaths": "@BASE@/apps:/apps", "RuntimeMaxSec": "60"}
IDLE = 1  # second


def test_sigterm_lets_a_running_request_finish(make_stack):
    one = make_stack({"cgi": APP})
    with one.begin("cgi", "echo", user="alice", method="POST", CONTENT_LENGTH="4") as connection:
        connection.read_until(b"\r\n\r\n")
        one.broker.send_signal(signal.SIGTERM)
        one.logged("stopping; 1 requests are running")
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"last"))
        response = connection.read_response()
    assert (response.stdout, response.app_status) == (b"last", 0)
    assert one.broker.wait(5) == 0


def test_sigterm_ends_what_does_not_finish_with_503(make_stack):
    one = make_stack({"cgi": APP})
    user, uid = fresh_user()
    with one.begin("cgi", "never", user=user) as connection:
        wait_for(lambda: applications_of(uid), "the application to run")
        one.broker.send_signal(signal.SIGTERM)
        response = connection.read_response()
    assert response.status == 503
    assert response.header("retry-after")
    assert one.broker.wait(5) == 0


def test_a_broker_without_requests_ends_and_one_with_a_request_does_not(make_stack):
    one = make_stack({"cgi": APP}, broker_options=[f"--idle-exit={IDLE}"])
    with one.begin("cgi", "echo", user="alice", method="POST", CONTENT_LENGTH="1") as connection:
        connection.read_until(b"\r\n\r\n")
        time.sleep(3 * IDLE)
        assert one.broker.poll() is None
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"x"))
        assert connection.read_response().stdout == b"x"
    since = time.monotonic()
    wait_for(lambda: one.broker.poll() is not None, "the idle broker to end")
    assert one.broker.returncode == 0
    assert time.monotonic() - since > IDLE / 2, "it did not wait"


def test_an_idle_broker_stays_while_the_next_one_could_not_start(make_stack):
    one = make_stack({"cgi": APP}, broker_options=[f"--idle-exit={IDLE}"])
    path = one.base / "config" / "maps" / "broken.map"
    path.write_text("cgi alice\n")
    one.logged(r"maps/broken\.map:1\b")
    assert one.broker.poll() is None
    assert one.request("cgi", user="alice").status == 200
    path.unlink()
    wait_for(lambda: one.broker.poll() is not None, "the idle broker to end")
    assert one.broker.returncode == 0
