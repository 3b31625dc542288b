# SPDX-License-Identifier: Apache-2.0
"""The broker's side of common/question.h: questions, answers, and a resolver program to speak them with."""

import fcntl
import os
import select
import signal
import struct
import subprocess
from dataclasses import dataclass

ACCOUNT, UID, CATEGORIES = range(3)
FOUND, UNKNOWN, UNAVAILABLE, EXHAUSTED = range(4)

QUESTION_MAGIC, ANSWER_MAGIC = 0x53627175, 0x5362616E
QUESTION = struct.Struct("=IIQQQIII256s4x")
ANSWER = struct.Struct("=IIQ6I256I128s")
SECOND = 1000000


def question(
    number, name="", *, kind=ACCOUNT, timeout=30 * SECOND, ttl=0, first=0, last=0, uid=0, magic=QUESTION_MAGIC
):
    """The packet. Times are µs."""
    return QUESTION.pack(magic, kind, number, timeout, ttl, first, last, uid, name.encode())


@dataclass
class Answer:
    status: int
    number: int
    uid: int
    gid: int
    first: int
    second: int
    has_shell: int
    groups: tuple
    detail: str


def parse(packet):
    """An answer, after the checks that the broker makes too."""
    assert len(packet) == ANSWER.size, f"{len(packet)} bytes"
    magic, status, number, uid, gid, first, second, has_shell, n_groups, *rest = ANSWER.unpack(packet)
    detail, behind = rest[-1].split(b"\0", 1)
    assert magic == ANSWER_MAGIC and status <= EXHAUSTED and n_groups <= 256 and not behind.strip(b"\0")
    return Answer(status, number, uid, gid, first, second, has_shell, tuple(rest[:n_groups]), detail.decode())


class Resolver:
    """A resolver program with our two pipes at its descriptors 3 and 4, without environment, rights and, by default, root.

    Of use to tests: pid, write(), send(), is_answered(), receive(), ask(), close(), stop(); log() is what it has written
    so far. `questions` and `answers` are our ends.
    `prefix` is the beginning of a command that is run as root, `wrap` of one that is run as the account.
    """

    def __init__(
        self,
        program,
        log,
        prefix=(),
        account=("--reuid=65534", "--regid=65534", "--clear-groups"),
        wrap=(),
        arguments=(),
    ):
        pipes = [os.pipe(), os.pipe()]
        (_, self.questions), (self.answers, _) = pipes
        # Out of the way of the numbers that they get.
        reading, writing = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in (pipes[0][0], pipes[1][1]))
        os.close(pipes[0][0])
        os.close(pipes[1][1])
        self.log_path = log
        self.number = 0
        give = ["bash", "-c", f'exec 3<&{reading} {reading}<&- 4>&{writing} {writing}>&-; exec "$@"', "bash"]
        drop = [*(("setpriv", *account, "--no-new-privs") if account else ()), "env", "-i"]
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [*give, *prefix, *drop, *wrap, str(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[reading, writing],
            )
        os.close(reading)
        os.close(writing)
        self.pid = self.process.pid

    def log(self):
        return self.log_path.read_text()

    def write(self, packet):
        assert os.write(self.questions, packet) == len(packet)

    def send(self, name="", **arguments):
        """Sends a question and returns its number."""
        self.number += 1
        self.write(question(self.number, name, **arguments))
        return self.number

    def is_answered(self, timeout=0):
        return bool(select.select([self.answers], [], [], timeout)[0])

    def receive(self):
        """The next answer; None when there will be none."""
        assert self.is_answered(60), self.log()
        packet = os.read(self.answers, ANSWER.size)
        return parse(packet) if packet else None

    def receive_all(self, numbers):
        """The answers to these questions, in whatever order they come: {number: answer}."""
        answers = {}
        while len(answers) < len(numbers):
            answer = self.receive()
            assert answer, f"it has ended: {self.log()}"
            assert answer.number in numbers and answer.number not in answers, f"{answer} was not asked for"
            answers[answer.number] = answer
        return answers

    def ask(self, name="", **arguments):
        number = self.send(name, **arguments)
        answer = self.receive()
        assert answer and answer.number == number, f"{answer}: {self.log()}"
        return answer

    def close(self):
        """What a broker does that ends."""
        for fd in {self.questions, self.answers} - {None}:
            os.close(fd)
        self.questions = self.answers = None

    def wait(self):
        """Returns the exit status; the end must be near."""
        return self.process.wait(60)

    def stop(self):
        """Closes the pipes: so ends the program. Returns its exit status."""
        self.close()
        try:
            return self.wait()
        finally:
            if self.process.returncode is None:
                os.kill(self.pid, signal.SIGKILL)
                self.process.wait()
