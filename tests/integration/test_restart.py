# SPDX-License-Identifier: Apache-2.0
"""The end of a bridge and the beginning of the next: no request is lost, whenever it comes."""

import contextlib
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


@pytest.mark.parametrize("notify", [True, False])
def test_a_part_of_a_record_does_not_hold_up_the_end(stack, make_manager, notify):
    manager = make_manager(notify=notify)
    manager.start("--drain-timeout=50s")
    with connected(manager, stack) as used, fcgi.Connection(manager.door) as fresh:
        for connection in (used, fresh):
            connection.send(b"\1")
            wait_read(connection)
        began = time.monotonic()
        manager.stop()
        assert time.monotonic() - began < 20
        assert used.closed() and fresh.closed() and manager.stored == []
        assert "unfinished" not in manager.log()


def test_a_part_of_a_record_has_the_time_of_parameters(stack, make_manager):
    manager = make_manager()
    manager.start("--params-timeout=1s")
    record = fcgi.encode_record(fcgi.GET_VALUES, 0, b"")
    with connected(manager, stack) as connection, fcgi.Connection(manager.door) as fresh:
        fresh.send(b"\1")
        for _ in range(3):  # each record has the time for itself, and none runs between them
            connection.send(record[:3])
            wait_read(connection)
            time.sleep(0.4)
            connection.send(record[3:])
            assert connection.read_record().type == fcgi.GET_VALUES_RESULT
            time.sleep(0.4)
        assert fresh.closed()
        serve(stack, connection)
        connection.send(record[:3])
        assert connection.closed()
        assert manager.log().count("a record came only in part") == 2


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
        assert "1 connections unfinished, 1 of them in a request" in manager.log()
        serve(stack, idle)


def test_the_service_manager_is_asked_to_wait_for_the_drain(stack, make_manager):
    manager = make_manager()
    manager.start("--drain-timeout=10min")
    with connected(manager, stack):  # for its sake the bridge waits until all has been heard
        manager.stop()
    assert manager.heard.index("EXTEND_TIMEOUT_USEC=615000000") == manager.heard.index("STOPPING=1") + 1


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


@pytest.mark.parametrize("room", [None, 0, 2])
def test_what_the_store_has_no_room_for_is_served_before_the_end(stack, make_manager, room):
    """NOTIFY_SOCKET alone is no sign of a store."""
    manager = make_manager(room=room)
    manager.start()
    connections = [connected(manager, stack) for _ in range(4)]
    manager.terminate()
    wait_stopping(manager)
    wait_for(lambda: len(manager.stored) == (room or 0), "what there is room for to be stored")
    for connection in connections:
        connection.send(post(stack, b"x"))
    manager.wait()
    manager.start()
    for connection in connections:
        check(connection.read_response(), b"x")
        connection.close()
    assert manager.log().count("cannot hand an idle connection over") == (room == 2)


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


def test_more_connections_than_descriptors_do_not_keep_it_from_starting(stack, make_manager):
    manager = make_manager()
    manager.start()
    connections = [connected(manager, stack) for _ in range(80)]
    manager.stop()
    passed = manager.passed()
    manager.spawn(passed, limit=3 + len(passed) + 3)
    assert manager.ready.wait(lib.BOUND), manager.log()
    assert "58 connections handed over are closed" in manager.log()
    alive = 0
    for connection in connections:
        connection.send(fcgi.encode_record(fcgi.GET_VALUES, 0, b""))
        alive += connection.read_record() is not None
        connection.close()
    assert alive == 87 - 64 - 1


def test_many_connections_are_handed_over(stack, manager):
    connections = [connected(manager, stack) for _ in range(300)]
    manager.restart()
    for connection in connections:
        serve(stack, connection)
        connection.close()


def accepted(listener, address=None):
    """A new connection to a listening socket: its end there, as a descriptor, and the other."""
    far = fcgi.Connection(address or listener.getsockname())
    return listener.accept()[0].detach(), far


def answers(connection):
    with contextlib.suppress(OSError):
        connection.send(fcgi.encode_record(fcgi.GET_VALUES, 0, fcgi.encode_pairs({"FCGI_MPXS_CONNS": ""})))
        return connection.read_record() is not None
    return False


def test_only_connections_to_its_doors_are_taken_and_nothing_stays_stored(stack, manager):
    manager.stop()
    stranger = socket.create_server(("127.0.0.1", 0))
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    packets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near, good = accepted(manager.listener)
    misnamed, far_misnamed = accepted(manager.listener)
    elsewhere, far_elsewhere = accepted(stranger)
    reader, writer = os.pipe()
    manager.store("connection", reader)
    manager.store("connection", pair[0].detach())
    manager.store("connection", packets[0].detach())
    manager.store("connection", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach())
    manager.store("connection", socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach())
    manager.store("connection", stranger.detach())  # listens, but no socket unit has it
    manager.store("connection", elsewhere)
    manager.store("connection", near)
    manager.store("stored", misnamed)
    manager.store("else", writer)
    manager.start()
    assert len(re.findall(r"descriptor \d+, named '\w*', is closed", manager.log())) == 9
    wait_for(lambda: "serving 1 sockets and 1 connections" in manager.log(), "the line about them")
    assert manager.stored == []
    for far in (pair[1], packets[1]):
        far.settimeout(lib.BOUND)
        assert far.recv(1) == b""
        far.close()
    assert answers(good) and not answers(far_misnamed) and not answers(far_elsewhere)
    for one in (good, far_misnamed, far_elsewhere):
        one.close()
    with fcgi.Connection(manager.door) as connection:
        serve(stack, connection)


LOCAL, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.mark.parametrize(
    ("came_to", "address", "door", "taken"),
    [
        (LOCAL, LOCAL, LOCAL, True),
        ("0.0.0.0", LOCAL, "0.0.0.0", True),
        (LOCAL, LOCAL, OTHER, False),
        (LOCAL, LOCAL, "another port", False),
        ("::1", "::1", "::1", True),
        ("::", "::1", "::", True),
        ("::", LOCAL, "::", True),  # an IPv4 client of an IPv6 socket
        ("::", "::1", "another port", False),
        ("::", "::1", LOCAL, False),
    ],
)
def test_a_connection_belongs_to_a_door_by_address_and_port(make_manager, came_to, address, door, taken):
    def listen(ip, port):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        return socket.create_server((ip, port), family=family, dualstack_ipv6=family == socket.AF_INET6)

    manager = make_manager()
    with listen(came_to, 0) as before:
        port = before.getsockname()[1]
        near, far = accepted(before, (address, port))
    manager.store("connection", near)
    with far, listen(came_to, 0) if door == "another port" else listen(door, port) as listener:
        manager.spawn([("front", listener.fileno()), *manager.stored])
        assert manager.ready.wait(10), manager.log()
        assert answers(far) == taken


def test_a_door_has_another_name_than_connections(make_manager):
    manager = make_manager()
    assert manager.spawn([("connection", manager.listener.fileno())]).wait(lib.BOUND) == 1
    assert "no listening socket" in manager.log()


def test_connections_that_the_service_manager_cannot_be_told_to_forget_are_not_read(stack, make_manager):
    """Else it would hand them to the next bridge too, which would take what is left of a body for records."""
    manager = make_manager()
    manager.start()
    with connected(manager, stack) as connection:
        manager.stop()
        manager.path.rename(f"{manager.path}.away")
        connection.send(post(stack, b"x"))
        assert manager.spawn(manager.passed()).wait(lib.BOUND) == 1
        assert "cannot tell the service manager" in manager.log()
        assert unread(connection) > 0
        Path(f"{manager.path}.away").rename(manager.path)
        manager.start()
        check(connection.read_response(), b"x")


def test_without_any_listening_socket_it_does_not_start(stack, make_manager):
    manager = make_manager()
    one, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    assert manager.spawn([("connection", one.fileno())]).wait(lib.BOUND) == 1
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
