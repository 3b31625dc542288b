# SPDX-License-Identifier: Apache-2.0
"""The end of a bridge and the beginning of the next: no request is lost, whenever it comes."""

import fcntl
import os
import random
import re
import select
import socket
import struct
import termios
import threading
import time
from pathlib import Path

import fcgi
import pytest
import stack as lib
from service_manager import ServiceManager
from stack import wait_for
from test_path import APP

SERVICE = {**APP, "RuntimeMaxSec": "120", "MaxConnections": "128"}
TCP = f"127.0.0.1:{lib.free_port()}"
SERVICES = {
    "other": APP,
    "unix": SERVICE,
    "tcp": {**SERVICE, "FrontDoor": TCP, "FrontEndUser": None, "TrustNetworkFrontEnd": "127.0.0.1"},
}
RESTARTS = int(os.environ.get("RESTARTS", "25"))


@pytest.fixture(scope="module")
def stack(app):
    one = lib.Stack(SERVICES, programs=[app], direct=("unix", "tcp"))
    yield one
    one.stop()


@pytest.fixture
def make_manager(stack):
    managers = []

    def make(service="unix", **arguments):
        managers.append(ServiceManager(stack, service, **arguments))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


@pytest.fixture(params=["unix", "tcp"])
def manager(request, make_manager):
    one = make_manager(request.param)
    one.start()
    return one


def post(stack, body, flags=fcgi.KEEP_CONN):
    params = stack.params("echo", user="alice", method="POST", stdin=body)
    return fcgi.whole_request(params, body, flags=flags)


def serve(stack, connection):
    """One more request on the connection; its answer is whole and its own."""
    body = fcgi.token().encode()
    connection.send(post(stack, body))
    check(connection.read_response(), body)


def check(response, body):
    assert not response.closed, "the connection was closed in the place of an answer"
    assert (response.status, response.body) == (200, body)
    assert (response.app_status, response.protocol_status) == (0, fcgi.REQUEST_COMPLETE)


def connected(manager, stack):
    """A connection between two requests."""
    connection = fcgi.Connection(manager.door)
    serve(stack, connection)
    return connection


def unread(connection):
    """How much of what was sent the bridge has not read: SIOCOUTQ, unix(7); rx_queue of its socket, proc(5)."""
    if connection.socket.family == socket.AF_UNIX:
        return struct.unpack("i", fcntl.ioctl(connection.socket, termios.TIOCOUTQ, b"\0" * 4))[0]
    ours, its = (f":{address[1]:04X}" for address in (connection.socket.getsockname(), connection.socket.getpeername()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (queue,) = [line[4] for line in lines if line[1].endswith(its) and line[2].endswith(ours)]
    return int(queue.split(":")[1], 16)


def wait_read(connection):
    wait_for(lambda: unread(connection) == 0, "the bridge to read what was sent")


def wait_stopping(manager, since=0):
    wait_for(lambda: "stopping;" in manager.log()[since:], "the bridge to notice SIGTERM")


def test_an_idle_connection_is_answered_by_the_next_bridge(stack, manager):
    with connected(manager, stack) as connection:
        before = manager.bridge
        for _ in range(3):
            manager.restart()
            assert manager.bridge.pid != before.pid and before.poll() == 0
            assert manager.stored == [], "the next bridge has it: nobody else needs a copy"
            serve(stack, connection)
            before = manager.bridge


def test_a_connection_that_was_never_used_is_handed_over_too(stack, manager):
    with fcgi.Connection(manager.door) as connection:
        with connected(manager, stack):  # so the first one has been accepted
            manager.restart()
        serve(stack, connection)


def test_what_is_sent_while_no_bridge_runs_is_answered_by_the_next_one(stack, manager):
    body = fcgi.token().encode()
    with connected(manager, stack) as connection:
        manager.stop()
        wait_for(lambda: len(manager.stored) == 1, "the connection to be stored")
        connection.send(post(stack, body))
        with fcgi.Connection(manager.door) as fresh:  # and a new connection waits in the backlog
            fresh.send(post(stack, body))
            manager.start()
            check(connection.read_response(), body)
            check(fresh.read_response(), body)


def test_a_request_sent_around_sigterm_is_never_lost(stack, manager):
    """At many moments before and after the signal; a POST, which a web server never sends twice."""
    with connected(manager, stack) as connection:
        for step in range(RESTARTS):
            delay, body = (step - RESTARTS / 3) * 0.0004, fcgi.token().encode()
            sender = threading.Timer(max(0, delay), connection.send, [post(stack, body)])
            sender.start()
            time.sleep(max(0, -delay))
            manager.restart()
            sender.join()
            check(connection.read_response(), body)


def test_no_request_under_load_is_lost(stack, manager):
    """Clients that send a request as soon as the one before is answered, on connections that last and on new ones."""
    done, failures, counts = threading.Event(), [], []

    def work(keep):
        chance, count, connection = random.Random(keep), 0, None
        try:
            while not done.is_set():
                connection = connection or fcgi.Connection(manager.door)
                body = fcgi.token().encode()
                data = post(stack, body, fcgi.KEEP_CONN if keep else 0)
                cut = chance.randrange(len(data))
                connection.send(data[:cut])
                time.sleep(chance.random() * 0.003)
                connection.send(data[cut:])
                check(connection.read_response(), body)
                count += 1
                time.sleep(chance.random() * 0.01)
                if not keep:
                    connection.close()
                    connection = None
            if connection:
                connection.close()
        except Exception as error:  # reported by the main thread
            failures.append(error)
        counts.append(count)

    clients = [threading.Thread(target=work, args=[keep]) for keep in (1, 2, 3, 4, 0, 0)]
    for client in clients:
        client.start()
    pids = {manager.bridge.pid}
    while len(pids) <= RESTARTS and not failures:
        time.sleep(0.03)
        manager.restart()
        pids.add(manager.bridge.pid)
    done.set()
    for client in clients:
        client.join(lib.BOUND)
        assert not client.is_alive(), "a client is stuck"
    assert not failures, f"{failures[0]!r}\n{manager.log()[-3000:]}"
    assert min(counts) >= RESTARTS / 2, f"the clients hardly came to work: {counts}"


@pytest.mark.parametrize("cut", [1, 7, 8, 20, 100, -1])
def test_a_request_of_which_a_part_was_read_is_finished_by_the_bridge_that_read_it(stack, manager, cut):
    body = fcgi.token().encode()
    data = post(stack, body)
    with connected(manager, stack) as connection:
        connection.send(data[:cut])
        wait_read(connection)
        before = manager.bridge
        manager.terminate()
        wait_stopping(manager)
        time.sleep(0.1)
        assert before.poll() is None and not manager.stored
        connection.send(data[cut:])
        check(connection.read_response(), body)
        manager.wait()
        manager.start()
        serve(stack, connection)  # kept, and handed over after its request


def test_a_running_request_finishes_and_its_response_is_whole(stack, manager):
    size, body = 3 << 20, b"last words"
    with fcgi.Connection(manager.door) as connection, fcgi.Connection(manager.door) as last:
        params = stack.params(f"burst:{size}", user="alice", method="POST", stdin=body)
        for one, flags in ((connection, fcgi.KEEP_CONN), (last, 0)):
            one.send(fcgi.begin(flags=flags) + fcgi.encode_stream(fcgi.PARAMS, 1, fcgi.encode_pairs(params)))
        started = [one.read_until(b"x") for one in (connection, last)]
        manager.terminate()
        wait_stopping(manager)
        expected = b"x" * size + b"then %d\n" % len(body)
        for one, response in zip((connection, last), started):
            one.send(fcgi.encode_stream(fcgi.STDIN, 1, body))
            rest = one.read_response()
            assert response.body + rest.stdout == expected and rest.app_status == 0
        assert last.closed(), "it did not ask to be kept"
        manager.wait()
        manager.start()
        serve(stack, connection)


def test_a_request_longer_than_the_drain_timeout_is_cut_off_and_idle_connections_survive(stack, make_manager):
    manager = make_manager()
    manager.start("--drain-timeout=500ms")
    with connected(manager, stack) as idle, fcgi.Connection(manager.door) as running:
        params = stack.params("hold", user="alice")
        running.send(fcgi.whole_request(params, flags=fcgi.KEEP_CONN))
        running.read_until(b"\r\n\r\n")
        manager.restart()
        rest = running.read_response()
        assert rest.closed and rest.app_status is None
        assert "1 requests unfinished" in manager.log()
        serve(stack, idle)


def test_the_bridge_waits_until_the_service_manager_has_the_connections(stack, manager):
    with connected(manager, stack) as connection:
        manager.answers.clear()
        manager.terminate()
        wait_stopping(manager)
        time.sleep(1)
        assert manager.bridge.poll() is None, "it ended before its connections had arrived"
        manager.answers.set()
        manager.wait()
        assert len(manager.stored) == 1
        manager.start()
        serve(stack, connection)


def test_a_service_manager_that_does_not_answer_is_not_waited_for_for_ever(stack, make_manager):
    manager = make_manager()
    manager.start()
    with connected(manager, stack):
        manager.answers.clear()
        manager.stop()
        assert "may be lost" in manager.log()
        manager.problems.clear()  # what it hears afterwards is too late indeed
        manager.answers.set()
        wait_for(lambda: manager.problems, "the late message")
        manager.problems.clear()


def test_a_web_server_that_leaves_meanwhile_does_no_harm(stack, manager):
    with connected(manager, stack) as stays, connected(manager, stack) as leaves:
        manager.stop()
        leaves.close()
        manager.start()
        serve(stack, stays)


# Without a store


@pytest.mark.parametrize("missing", ["variable", "socket"])
def test_without_a_store_what_comes_with_the_signal_is_served_before_the_end(stack, make_manager, missing):
    manager = make_manager(notify=missing == "socket")
    manager.start()
    body = fcgi.token().encode()
    with connected(manager, stack) as connection, connected(manager, stack) as silent:
        if missing == "socket":
            manager.path.unlink()
        manager.terminate()
        wait_stopping(manager)
        connection.send(post(stack, body))
        check(connection.read_response(), body)
        assert connection.closed() and silent.closed()
        manager.wait()
        assert ("cannot hand an idle connection over" in manager.log()) == (missing == "socket")


def test_without_a_store_a_busy_connection_does_not_delay_the_end(stack, make_manager):
    """It is closed after the request that is running when the last call is over."""
    manager = make_manager(notify=False)
    manager.start("--drain-timeout=50s")
    with connected(manager, stack) as connection:
        manager.terminate()
        answered = 0
        while True:
            body = fcgi.token().encode()
            connection.send(post(stack, body))
            response = connection.read_response()
            if response.closed:
                break
            check(response, body)
            answered += 1
        assert answered > 0 and response.stdout == b""
        manager.wait()
        assert "unfinished" not in manager.log()


# What is handed in at the start


def test_more_connections_than_the_limit_are_closed(stack, manager):
    connections = [connected(manager, stack) for _ in range(5)]
    manager.restart("--max-connections=3")
    assert "2 connections handed over are closed" in manager.log()
    alive = 0
    for connection in connections:
        connection.send(post(stack, b"x"))
        response = connection.read_response()
        alive += not response.closed
    assert alive == 3
    for connection in connections:
        connection.close()
    with fcgi.Connection(manager.door) as connection:  # the doors open again
        serve(stack, connection)


def test_many_connections_are_handed_over(stack, manager):
    connections = [connected(manager, stack) for _ in range(300)]
    manager.restart()
    for connection in connections:
        serve(stack, connection)
        connection.close()


def test_descriptors_of_wrong_kinds_are_closed_and_the_others_served(stack, make_manager):
    manager = make_manager()
    good, good_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    misnamed, misnamed_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    packets, packets_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    datagrams, lonely = (
        socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    )
    second = socket.create_server(("127.0.0.1", 0))
    reader, writer = os.pipe()
    strangers = [
        ("connection", reader),
        ("connection", packets.fileno()),
        ("connection", datagrams.fileno()),
        ("connection", lonely.fileno()),
        ("stored", misnamed.fileno()),
        ("", writer),
        ("connection", good.fileno()),
        ("connection", second.fileno()),  # listens: a door, as its kind says
    ]
    manager.start(strangers=strangers)
    for one in (good, misnamed, packets, datagrams, lonely, second):
        one.close()
    os.close(reader)
    os.close(writer)
    assert len(re.findall(r"descriptor \d+, named '\w*', is closed", manager.log())) == 6
    wait_for(lambda: "serving 2 sockets and 1 connections" in manager.log(), "the line about them")
    for closed in (misnamed_far, packets_far):
        closed.settimeout(lib.BOUND)
        assert closed.recv(1) == b""
        closed.close()
    good_far.settimeout(lib.BOUND)
    good_far.sendall(fcgi.encode_record(fcgi.GET_VALUES, 0, fcgi.encode_pairs({"FCGI_MPXS_CONNS": ""})))
    assert good_far.recv(100)[1] == fcgi.GET_VALUES_RESULT
    good_far.close()
    with fcgi.Connection(manager.door) as connection:
        serve(stack, connection)


def test_without_any_listening_socket_it_does_not_start(stack, make_manager):
    manager = make_manager()
    one, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    manager.spawn([("connection", one.fileno())])
    assert manager.bridge.wait(lib.BOUND) == 1
    assert "no listening socket" in manager.log()
    far.settimeout(0.1)
    with pytest.raises(TimeoutError):  # not shut down: the store still has it, for a bridge that does start
        far.recv(1)
    one.close()
    far.close()


# --idle-exit


def test_it_exits_when_nobody_is_connected_and_the_next_connection_is_served(stack, manager):
    manager.stop()
    for _ in range(3):
        manager.start("--idle-exit=300ms")
        manager.wait()
        assert "--idle-exit=" in manager.log()
        with fcgi.Connection(manager.door) as connection:
            manager.start("--idle-exit=300ms")
            serve(stack, connection)
        manager.wait()


def test_it_does_not_exit_while_a_connection_is_open(stack, manager):
    manager.stop()
    manager.start("--idle-exit=300ms")
    with connected(manager, stack) as connection:
        with fcgi.Connection(manager.door) as second:
            serve(stack, second)
        time.sleep(1.5)
        assert manager.bridge.poll() is None
        serve(stack, connection)
    manager.wait()


def test_idle_time_begins_anew_with_each_connection(stack, manager):
    manager.stop()
    manager.start("--idle-exit=2s")
    for _ in range(6):
        time.sleep(0.5)
        connected(manager, stack).close()
    ended = time.monotonic()
    manager.wait()
    assert time.monotonic() - ended > 1


def test_a_connection_made_in_the_moment_of_the_exit_is_served(stack, manager):
    manager.stop()
    for step in range(RESTARTS):
        manager.start("--idle-exit=50ms")
        time.sleep(0.040 + step * 0.0008)
        body = fcgi.token().encode()
        with fcgi.Connection(manager.door) as connection:
            connection.send(post(stack, body, flags=0))
            while not select.select([connection.socket], [], [], 0.02)[0]:
                if manager.bridge.poll() is not None:  # systemd sees the backlog and starts the next one
                    manager.start("--idle-exit=50ms")
            check(connection.read_response(), body)
        manager.wait()
