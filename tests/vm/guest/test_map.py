# SPDX-License-Identifier: Apache-2.0
"""The identity map under SELinux: contexts made up from parts, categories of each identity's own, the resolvers' domains,
and a request looked up in the journal."""

import re
import time
from pathlib import Path

import pytest

import vm

MAP = Path("/etc/sandboxd/maps/vm.map")
TYPE = "system_u:system_r:user_webapp_t"


@pytest.fixture
def rules(configure):
    """rules(text, main): puts rules before those of the tests, and returns when they are in force."""

    def put(text, main="SELinux=require\nDynamicUID=2000000-2000999\n"):
        since = time.time()
        configure("sandboxd.conf", "[Sandboxd]\n" + main)
        configure("maps/00-first.map", text)
        # Only with these rules there are so many.
        count = len(text.splitlines()) + sum(line[:1].isalpha() for line in MAP.read_text().splitlines())
        vm.wait_for_log("sandboxd", f" {count} identity rules", since)

    return put


def context(user, uid=vm.SHARED):
    with vm.running("/app?hold", user, uid) as pid:
        return vm.context_of(pid)


def test_a_type_alone_takes_the_rest_from_the_service(rules, configure):
    service = open("/etc/sandboxd/services.d/app.service").read()
    configure("services.d/app.service", service + "SELinuxContext=system_u:system_r:anon_webapp_t:s0:c9\n")
    rules("app carol any any 30010:30010 user_webapp_t\napp dave any any 30010:30010 *:s0:c5,c6\n"
          "app alice any any 30010:30010 user_webapp_t:s0:c7\napp bob any any 30010:30010 user_webapp_t:*\n")
    assert context("carol") == f"{TYPE}:s0:c9"
    assert context("dave") == "system_u:system_r:anon_webapp_t:s0:c5,c6"
    assert context("alice") == f"{TYPE}:s0:c7"
    assert context("bob") == f"{TYPE}:s0:c9"


def test_each_identity_has_categories_of_its_own(rules):
    rules(f"app carol any any 30010:30010 {TYPE}:s0:%mcs\napp dave any any 30011:30011 {TYPE}:s0:%mcs\n"
          f"app alice any any 30012:30012 {TYPE}:s0:%mcs\n")
    found = {user: context(user, uid) for user, uid in (("carol", 30010), ("dave", 30011), ("alice", 30012))}
    for user, value in found.items():
        low, high = re.fullmatch(re.escape(TYPE) + r":s0:c(\d+),c(\d+)", value).groups()
        assert int(low) < int(high) < 1024, (user, value)
    assert len(set(found.values())) == 3
    vm.systemctl("restart", "sandboxd")
    assert context("carol", 30010) == found["carol"], "kept over a restart"


def test_categories_run_out_with_a_clear_error(rules, since):
    rules(f"app carol any any 30020:30020 {TYPE}:s0:%mcs\napp dave any any 30021:30021 {TYPE}:s0:%mcs\n",
          "SELinux=require\nMCSCategories=c800.c801\n")
    assert context("carol", 30020) == f"{TYPE}:s0:c800,c801"
    assert vm.get("/app?report", "dave").status == 502
    vm.wait_for_log("sandboxd", "category pairs of MCSCategories= are allotted", since)


def test_accounts_and_allotted_uids(rules):
    rules(f"app alice any any %user {TYPE}:s0:c1\napp carol any any dynamic {TYPE}:s0:c2\n"
          f"app dave any any dynamic {TYPE}:s0:c2\n")
    report = vm.get("/app?report", "alice").json
    assert report["uid"] == [vm.ALICE] * 3
    allotted = {user: vm.get("/app?report", user).json["uid"][0] for user in ("carol", "dave")}
    assert len(set(allotted.values())) == 2 and all(2000000 <= uid <= 2000999 for uid in allotted.values())
    who = vm.run("sandboxctl", "map", "who")
    for user, uid in allotted.items():
        assert re.search(rf"\b{uid}\b.*\b{user}\b", who), who


def test_the_resolvers_run_in_their_domains(rules):
    rules(f"app alice any any %user {TYPE}:s0:c1\napp carol any any dynamic {TYPE}:s0:c2\n")
    for user in ("alice", "carol"):
        assert vm.get("/app?report", user).status == 200
    contexts = {vm.context_of(pid) for pid in vm.children_of(vm.main_pid("sandboxd"))}
    assert {f"system_u:system_r:sandboxd_{name}_t:s0" for name in ("names", "allot")} <= contexts


def test_a_request_of_the_journal_is_explained(since):
    assert vm.get("/app?report", "mallory").status == 403
    log = vm.wait_for(lambda: vm.run("journalctl", "--unit", "sandboxd", "--since", f"@{since:.6f}", "--output", "json",
                                     "--no-pager"), "the journal")
    identifier = re.search(r'"SANDBOXD_REQUEST":"([0-9a-f]{32})"', log).group(1)
    explained = vm.run("sandboxctl", "map", "explain", f"--request={identifier}")
    assert "vm.map:6" in explained and "mallory" in explained, explained
