# SPDX-License-Identifier: Apache-2.0
"""identities.py URL: asks the probe as three users who it is, and prints a table of its answers.

Ends with status 1 if two of the users were answered by the same identity, or any of them by one that is not
confined.
"""

import base64
import json
import sys
import urllib.request

USERS = ["anonymous", "alice", "bob"]
CAPABILITY_SETS = ["cap_eff", "cap_prm", "cap_inh", "cap_bnd", "cap_amb"]


def ask(url, user):
    request = urllib.request.Request(f"{url}probe?json")
    if user != "anonymous":
        credentials = base64.b64encode(f"{user}:{user}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    # Without the proxies that the environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return json.load(response)
    except OSError as error:
        sys.exit(f"identities.py: {request.full_url} as {user}: {error}")


def row(user, facts):
    no_capabilities = all(facts[name] == "0" * 16 for name in CAPABILITY_SETS)
    return [
        user,
        "/".join(str(uid) for uid in facts["uid"]),
        "/".join(str(gid) for gid in facts["gid"]),
        str(facts["pid"]),
        "none" if no_capabilities else "SOME",
        str(facts["seccomp"]),
        str(facts["no_new_privs"]),
        " ".join(facts["root"]["entries"]),
    ]


def is_confined(facts):
    return (
        all(facts[name] == "0" * 16 for name in CAPABILITY_SETS)
        and facts["seccomp"] == 2
        and facts["no_new_privs"] == 1
        and len(set(facts["uid"])) == 1
        and 0 not in facts["uid"] + facts["gid"] + facts["groups"]
        and not facts["regain_uid0"]["worked"]
        and not facts["regain_gid0"]["worked"]
    )


answers = {user: ask(sys.argv[1], user) for user in USERS}
table = [["who", "uid r/e/s", "gid r/e/s", "pid", "capabilities", "seccomp", "no_new_privs", "in the root"]]
table += [row(user, facts) for user, facts in answers.items()]
widths = [max(len(cell) for cell in column) for column in zip(*table)]
for cells in table:
    print("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())

if len({facts["uid"][0] for facts in answers.values()}) != len(USERS):
    sys.exit("identities.py: two users were answered by the same identity")
if not all(is_confined(facts) for facts in answers.values()):
    sys.exit("identities.py: a process was not confined: " + json.dumps(answers))
