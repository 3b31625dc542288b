#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the place of sandboxd-names, after it was taken over: the name that is asked about says what is answered.

  uid-UID-GID[-GROUP...]  this account
  silent                  nothing
  raw-N                   N bytes
  half                    half an answer
  behind                  an answer, and half of one behind it
  deaf                    nothing, and it is not listened any more
  another                 answers to other questions, that were or will be asked, and then one of its own
"""

import os
import signal
import struct

QUESTION = struct.Struct("=IIQQQIII256s4x")
ANSWER = struct.Struct("=IIQ6I256I128s")
ANSWER_MAGIC = 0x5362616E
QUESTIONS, ANSWERS = 3, 4  # descriptors


def answer(number, uid, gid, *groups):
    numbers = (uid, gid, 0, 0, 1, len(groups), *groups, *[0] * (256 - len(groups)))
    return ANSWER.pack(ANSWER_MAGIC, 0, number, *numbers, b"")


while packet := os.read(QUESTIONS, QUESTION.size):
    _, _, number, *_, name = QUESTION.unpack(packet)
    what, *words = name.rstrip(b"\0").decode().split("-")
    numbers = [int(word) for word in words]
    good = answer(number, 33000, 33000)
    if what == "uid":
        os.write(ANSWERS, answer(number, *numbers))
    elif what == "raw":
        os.write(ANSWERS, b"x" * numbers[0])
    elif what == "half":
        os.write(ANSWERS, good[: len(good) // 2])
    elif what == "behind":
        os.write(ANSWERS, good + good[: len(good) // 2])
    elif what == "deaf":
        os.close(QUESTIONS)
        while True:
            signal.pause()
    elif what == "another":
        for other in range(max(number - 50, 1), number + 50):
            if other != number:
                os.write(ANSWERS, answer(other, 33001, 33001))
        os.write(ANSWERS, good)
