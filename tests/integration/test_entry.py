# SPDX-License-Identifier: Apache-2.0
"""sandboxd-entry, with descriptors as the zygote's child leaves them: 0 to 2 pipes, 3 the report, 4 a program."""

import os
import signal
import struct

import pytest

import stack as lib

EBADFD, ENOENT, EACCES = 77, 2, 13
REPORT, PROGRAM, WARM = 3, 4, 6


def place(descriptors):
    """Puts descriptors where they belong and closes the rest, in a child that is about to execute."""
    high = {number: os.dup2(fd, 100 + number) for number, fd in descriptors.items()}
    for number in range(10):
        if number in high:
            os.dup2(high[number], number)
        else:
            os.closerange(number, number + 1)
    os.closerange(10, 1024)


def enter(argv, program=None, replaced=(), lost=(), kinds="bbb", warm=""):
    """
    Executes it; returns the exit status, the report or None, and what was written. `replaced`: now /dev/null; `lost`:
    closed. `kinds`: what the streams were, b for a pipe. `warm`: what those of an application zygote were; they are
    pipes.
    """
    kinds += ("P" if program else "S") + warm
    pipes = {number: os.pipe() for number in range(4)}
    mine = {0: pipes[0][0], **{number: pipes[number][1] for number in (1, 2, 3)}}
    if program:
        mine[PROGRAM] = os.open(program, os.O_RDONLY)
    mine.update({number: pipes[1][1] for number in range(WARM, WARM + len(warm))})
    null = os.open("/dev/null", os.O_RDWR)
    opened = [null, mine.get(PROGRAM), pipes[0][1], *(pipes[number][0] for number in (1, 2, 3))]
    mine.update({number: null for number in replaced})
    mine = {number: fd for number, fd in mine.items() if number not in lost}
    pid = os.fork()
    if pid == 0:
        try:
            place(mine)
            os.execve(lib.BUILD / "sandboxd-entry", [kinds, *argv], {"WORD": "kept"})
        finally:
            os._exit(99)
    for number in range(4):
        os.close(pipes[number][0 if number == 0 else 1])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    report, output = os.read(pipes[3][0], 100), os.read(pipes[1][0], 65536)
    for fd in filter(None, opened):
        os.close(fd)
    return status, struct.unpack("IIi", report) if report else None, output.decode()


@pytest.fixture(scope="module")
def shown():
    """A program that says what it has: arguments, environment, descriptors."""
    return ["sh", "-c", 'echo "$0 $1 $WORD"; for fd in 0 1 2 3 4 5; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; :', "first", "second"]


def test_a_program_goes_by_descriptor_and_finds_only_its_streams(shown):
    status, report, output = enter(shown, program="/bin/dash")
    assert (status, report) == (0, None)
    assert output.splitlines() == ["first second kept", "0", "1", "2"]


def test_a_script_goes_by_its_path(tmp_path):
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\necho "$0 $1 $WORD"\n')
    script.chmod(0o755)
    assert enter([str(script), "argument"]) == (0, None, f"{script} argument kept\n")


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_was_taken_away_is_told(stream, shown):
    """What the kernel does to a descriptor that the new domain may not use: /dev/null in its place."""
    status, report, output = enter(shown, program="/bin/dash", replaced=[stream])
    assert status == 120
    assert report[0] == 1 and report[2] == EBADFD
    assert output == ""


def test_null_is_not_an_error_where_it_was_null_before(shown):
    status, report, _ = enter(shown, program="/bin/dash", replaced=[0], kinds="nbb")
    assert (status, report) == (0, None)


def test_those_of_an_application_zygote_stay(shown):
    shown = [shown[0], shown[1], shown[2].replace("4 5", "4 5 6 7 8 9 10"), *shown[3:]]
    status, report, output = enter(shown, program="/bin/dash", warm="bbbb")
    assert (status, report) == (0, None)
    assert output.splitlines() == ["first second kept", "0", "1", "2", "6", "7", "8", "9"]


@pytest.mark.parametrize("how", ["replaced", "lost"])
@pytest.mark.parametrize("descriptor", [6, 7, 8, 9])
def test_one_of_them_that_was_taken_away_is_told(descriptor, how, shown):
    status, report, output = enter(shown, program="/bin/dash", warm="bbbb", **{how: [descriptor]})
    assert (status, report[0], report[2], output) == (120, 1, EBADFD, "")


@pytest.mark.parametrize("missing, error", [("/nowhere/at/all", ENOENT), ("/etc/passwd", EACCES)])
def test_a_script_that_cannot_be_executed_is_told(missing, error):
    status, report, output = enter([missing])
    assert (status, report[0], report[2], output) == (120, 1, error, "")


def test_a_program_that_was_taken_away_is_told(shown):
    status, report, _ = enter(shown, program="/bin/dash", replaced=[PROGRAM])
    assert (status, report[0], report[2]) == (120, 1, EACCES)


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_was_closed_is_told(stream, shown):
    status, report, _ = enter(shown, program="/bin/dash", lost=[stream])
    assert (status, report[0], report[2]) == (120, 1, EBADFD)


def test_a_program_that_was_closed_is_told_and_not_looked_for_by_name(shown):
    status, report, output = enter(["/bin/echo", "executed"], program="/bin/dash", lost=[PROGRAM])
    assert (status, report[0], report[2], output) == (120, 1, EBADFD, "")


@pytest.mark.parametrize("how", ["replaced", "lost"])
def test_without_a_report_pipe_it_dies_by_a_signal_which_init_tells(how, shown):
    status, report, output = enter(shown, program="/bin/dash", **{how: [REPORT]})
    assert (status, report, output) == (-signal.SIGILL, None, "")
