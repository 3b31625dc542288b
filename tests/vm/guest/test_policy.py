# SPDX-License-Identifier: Apache-2.0
"""The policy in force, as a whole: who can become what, and what nobody can; and the example of policy/HACKING.md."""

import collections
import re
from pathlib import Path

import pytest
import setools

import vm

PROGRAMS = (
    *("fcgi_bridge_t", "sandboxd_t", "sandboxd_compiler_t", "sandboxd_zygote_t"),
    *("sandboxd_names_t", "sandboxd_allot_t"),
)
FILES = ("sandboxd_service_t", "sandboxd_runtime_t", "fcgi_bridge_runtime_t", "sandboxd_conf_t")
MANUAL = Path("policy/HACKING.md")

Rule = collections.namedtuple("Rule", "source target tclass perms")


class Policy:
    """
    The rules that concern our domains, found in one pass, since the policy has a hundred thousand. Without those for
    the attribute `domain` as a source, unless they name us: what the reference policy lets everybody do to everybody is
    not this module's.
    """

    def __init__(self):
        policy = setools.SELinuxPolicy("/sys/fs/selinux/policy")
        attributes = {str(one): {str(attribute) for attribute in one.attributes()} for one in policy.types()}
        self.permissive = {str(one) for one in policy.types() if one.ispermissive}
        self.attributes = attributes
        self.applications = sorted(one for one in attributes if "sandboxd_app_domain" in attributes[one])
        ours = {*PROGRAMS, *self.applications, *FILES}
        names = {name for one in ours for name in (one, *attributes[one])}
        self.allowed, self.transitions = [], []
        for rule in policy.terules():
            source, target = str(rule.source), str(rule.target)
            if (source == "domain" and target not in ours) or (source not in names and target not in names):
                continue
            if rule.ruletype == setools.TERuletype.allow:
                self.allowed.append(Rule(source, target, str(rule.tclass), {str(perm) for perm in rule.perms}))
            elif rule.ruletype == setools.TERuletype.type_transition and str(rule.tclass) == "process":
                self.transitions.append(Rule(source, target, str(rule.default), set()))

    def _stands_for(self, name, one):
        return name == one or name in self.attributes[one]

    def targets(self, source, tclass, *perms):
        """What a domain may do one of these things to, without itself."""
        found = {
            rule.target
            for rule in self.allowed
            if self._stands_for(rule.source, source) and re.fullmatch(tclass, rule.tclass) and rule.perms & set(perms)
        }
        return found - {source}

    def classes(self, source, *perms):
        return {
            rule.tclass for rule in self.allowed if self._stands_for(rule.source, source) and rule.perms & set(perms)
        }

    def sources(self, target, tclass, *perms):
        return {
            rule.source
            for rule in self.allowed
            if self._stands_for(rule.target, target) and rule.tclass == tclass and rule.perms & set(perms)
        }


@pytest.fixture(scope="module")
def policy():
    return Policy()


def test_the_three_domains_are_there_and_constrained_by_categories(policy):
    assert {"anon_webapp_t", "staff_webapp_t", "user_webapp_t"} <= set(policy.applications)
    assert all("mcs_constrained_type" in policy.attributes[domain] for domain in policy.applications)
    assert not policy.permissive & {*PROGRAMS, *policy.applications}
    assert not [domain for domain in PROGRAMS if "unconfined_domain_type" in policy.attributes[domain]]


def test_only_the_zygote_enters_an_application_and_only_by_the_entry_program(policy):
    for domain in policy.applications:
        entered_from = policy.sources(domain, "process", "transition", "dyntransition")
        assert entered_from - {"unconfined_t"} == {"sandboxd_zygote_t"}, "unconfined_t is of the tests' own module"
        assert policy.targets(domain, "file", "entrypoint") == {"sandboxd_entry_exec_t"}
        assert policy.targets(domain, "process", "transition", "dyntransition") == set()


def test_no_program_executes_anything_in_its_own_domain(policy):
    for domain in PROGRAMS:
        assert policy.targets(domain, "file", "execute_no_trans") == set()


def test_who_becomes_what(policy):
    becomes = {domain: policy.targets(domain, "process", "transition", "dyntransition") for domain in PROGRAMS}
    assert becomes == {
        "fcgi_bridge_t": set(),
        "sandboxd_t": {"sandboxd_allot_t", "sandboxd_compiler_t", "sandboxd_names_t", "sandboxd_zygote_t"},
        "sandboxd_compiler_t": set(),
        "sandboxd_names_t": set(),
        "sandboxd_allot_t": set(),
        "sandboxd_zygote_t": {"sandboxd_app_domain"},
    }
    assert not [rule for rule in policy.transitions if rule.source in ("sandboxd_zygote_t", *policy.applications)]


def test_an_application_reaches_nobody_and_writes_its_own(policy):
    for domain in policy.applications:
        name = domain.removesuffix("_t")
        assert policy.targets(domain, ".*_socket", "connectto", "sendto", "name_connect", "name_bind") == set()
        sockets = {tclass for tclass in policy.classes(domain, "create") if tclass.endswith("_socket")}
        assert sockets == {"unix_dgram_socket", "unix_stream_socket"}
        assert policy.targets(domain, "process", "ptrace", "signal", "sigkill", "getattr", "setsched") == set()
        assert policy.targets(domain, "capability2?", "sys_admin", "setuid", "dac_override", "bpf", "perfmon") == set()
        # What comes to it open: memory without a name, groups of its children, the environment of a request.
        given = {"hugetlbfs_t", "cgroup_t", "fcgi_bridge_tmpfs_t"}
        assert not policy.targets(domain, "file", "open", "create", "setattr") & given
        assert "cgroup_t" not in policy.targets(domain, "dir", "search", "open")
        assert policy.targets(domain, ".*_socket", "accept", "listen") == set()
        written = policy.targets(domain, "file", "write", "append", "create") - given
        assert written == {f"{name}_data_t", f"{name}_tmp_t"}
        assert not policy.targets(domain, "file", "execute", "execute_no_trans") & written


def test_who_may_start_services(policy):
    assert policy.targets("fcgi_bridge_t", "service", "start") == {"sandboxd_service_file_type"}
    for domain in policy.applications:
        assert policy.targets(domain, "service", "start") == set()
    # unlabeled_t, and httpd_t, by a boolean each.
    starters = policy.sources("sandboxd_service_t", "service", "start") - {"front_test_t", "haproxy_t"}
    assert starters == {"fcgi_bridge_t", "httpd_t", "unlabeled_t"}


def test_who_reaches_the_broker_and_the_bridge(policy):
    everything = {"unconfined_domain_type"}
    assert policy.sources("sandboxd_t", "unix_stream_socket", "connectto") - everything == {"fcgi_bridge_t"}
    fronts = policy.sources("fcgi_bridge_t", "unix_stream_socket", "connectto") - everything
    assert fronts - {"front_test_t", "stranger_test_t", "haproxy_t"} == {"httpd_t"}
    assert "domain" not in policy.sources("sandboxd_conf_t", "file", "write", "append", "create")


def block(beginning):
    """The one block of code in the manual that begins so."""
    blocks = re.findall(r"^```\n(.*?)^```$", MANUAL.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if text.startswith(beginning)]
    return found


def test_the_example_of_the_manual(tmp_path, configure):
    uploads = Path("/srv/blog/uploads")
    uploads.mkdir(parents=True)
    uploads.chmod(0o777)
    hold = Path("/srv/www/php/hold.php").read_text()
    (uploads.parent / "hold.php").write_text(hold.replace("<?php", f"<?php touch('{uploads}/by-alice');", 1))
    (tmp_path / "blog.te").write_text(block("policy_module(blog"))
    (tmp_path / "blog.fc").write_text(block("/srv/blog(/.*)?"))
    vm.run("sh", "-ec", block("make -f /usr/share/selinux/devel/Makefile"), cwd=tmp_path)
    configure("services.d/manual.service", block("[Service]"))
    configure("maps/00-manual.map", re.sub("^blog", "manual", block("blog  alice"), flags=re.MULTILINE))
    try:
        vm.systemctl("start", "fcgi-bridge@manual.socket")
        with vm.running("/manual/hold.php", "alice", vm.ALICE) as pid:
            assert vm.context_of(pid) == "system_u:system_r:blog_t:s0:c1"
            made = vm.wait_for(lambda: list(uploads.iterdir()), "the upload")
        assert "blog_data_t" in vm.run("stat", "--format", "%C", str(made[0]))
    finally:
        vm.systemctl("stop", "fcgi-bridge@manual.socket", "fcgi-bridge@manual.service")
