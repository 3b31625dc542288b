# SPDX-License-Identifier: Apache-2.0
"""The audit log of the virtual machine: every denial of SELinux since it booted, in order, none twice, none lost."""

import contextlib
import ctypes
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import vm

LOG = Path("/var/log/audit/audit.log")
KINDS = re.compile(r"type=(AVC|USER_AVC|SELINUX_ERR|USER_SELINUX_ERR) ")
# What an object manager says of itself.
NOTICES = re.compile(r"avc:  (received (policyload|setenforce) notice|granted)")

_audit = ctypes.CDLL("libaudit.so.1")

# Debian's own policy and programs: (source type, target type, class).
KNOWN = {
    # udevd raises its limit of open files, after a look at fs.nr_open.
    ("udev_t", "udev_t", "process"),
    ("udev_t", "sysctl_fs_t", "dir"),
    # load_policy, which semodule runs, may not write to the pipe that whoever runs semodule reads.
    ("load_policy_t", "unconfined_t", "fifo_file"),
}

OURS = re.compile("sandboxd|fcgi_bridge|webapp")


def _type_of(record, field):
    found = re.search(rf"\b{field}=[^: ]+:[^: ]+:([^: ]+)", record)
    return found.group(1) if found else None


@dataclass(frozen=True)
class Denial:
    """Types without user, role and range. `record` is the whole line, all there is for kinds other than AVCs."""

    source: str
    target: str
    tclass: str
    perms: frozenset
    record: str

    @classmethod
    def parse(cls, record):
        perms = re.search(r"denied  \{ ([^}]*) \}", record)
        tclass = re.search(r"\btclass=(\w+)", record)
        return cls(
            _type_of(record, "scontext") or _type_of(record, "oldcontext"),
            _type_of(record, "tcontext") or _type_of(record, "newcontext"),
            tclass.group(1) if tclass else None,
            frozenset(perms.group(1).split()) if perms else frozenset(),
            record.strip(),
        )

    def is_known(self):
        return (self.source, self.target, self.tclass) in KNOWN

    def matches(self, source=None, target=None, tclass=None, perm=None, text=None):
        return (
            source in (None, self.source)
            and target in (None, self.target)
            and tclass in (None, self.tclass)
            and (perm is None or perm in self.perms)
            and (text is None or text in self.record)
        )


class AuditLog:
    # libaudit.h: a message that means nothing, and a denial by an object manager
    USER, USER_AVC = 1005, 1107

    def __init__(self):
        self.log = LOG.open("rb")
        self.incomplete = b""  # the beginning of a line that is being written
        self.unread = []  # denials that were met while waiting for others
        self.marks = 0
        self.socket = _audit.audit_open()

    def send(self, kind, text):
        sent = _audit.audit_log_user_message(self.socket, kind, text.encode(), None, None, None, 1)
        assert sent > 0, f"a message for the audit log: {os.strerror(-sent)}"

    def _read(self):
        *lines, self.incomplete = (self.incomplete + self.log.read()).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _sync(self):
        """The lines of all that has happened until now: a message of ours, sent now, comes after them."""
        self.marks += 1
        mark = f"mark-{self.marks}-of-the-tests"
        self.send(self.USER, mark)
        lines, end = [], time.monotonic() + 60
        while True:
            new = self._read()
            lines += new
            if any(mark in line for line in new):
                return lines
            assert time.monotonic() < end, "auditd has written nothing for 60 s: is it running?"
            time.sleep(0.02)

    def fresh(self):
        """The denials that were not returned before."""
        denials, self.unread = self.unread, []
        for line in self._sync():
            if KINDS.match(line) and not NOTICES.search(line):
                denials.append(Denial.parse(line))
        return [denial for denial in denials if not denial.is_known()]

    def check(self, when):
        records = [denial.record for denial in self.fresh()]
        assert not records, f"denied, and not announced, {when}:\n" + "\n".join(records)

    @contextlib.contextmanager
    def expect(self, bound=10, **wanted):
        """
        Announces a denial that the block causes: source, target, tclass, perm and text, as many as are given. All
        that match are taken for announced; that none comes within `bound` seconds is a failure.
        """
        self.check("before the one that is announced")
        yield
        end = time.monotonic() + bound
        while True:
            denials = self.fresh()
            others = [denial for denial in denials if not denial.matches(**wanted)]
            self.unread += others
            if len(others) < len(denials):
                return
            came = "\n".join(denial.record for denial in self.unread)
            assert time.monotonic() < end, f"announced, and did not come: {wanted}; what came instead:\n{came}"
            time.sleep(0.1)

    @staticmethod
    def lost():
        """How many records the kernel had to throw away since boot."""
        status = vm.run("auditctl", "-s")
        return int(re.search(r"^lost (\d+)$", status, re.MULTILINE).group(1))
