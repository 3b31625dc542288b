# SPDX-License-Identifier: Apache-2.0
#
# make                  the programs, in build/
# sudo make demo        the main job with real applications, on 127.0.0.1:$(DEMO_PORT)
# sudo make check       every test; installs what it needs
# make install          DESTDIR= PREFIX=
# make lint             clang-format, clang-tidy, cppcheck, shellcheck
# make SANITIZE=address,undefined BUILD=build-asan
# make help             the rest

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/lib/sandboxd
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
CONFIGDIR ?= $(SYSCONFDIR)/sandboxd
STATEDIR ?= /var/lib/sandboxd
DEMO_PORT ?= 8080

CC ?= cc
# Whole command lines: make V=1
Q := $(if $(V),,@)

# An option, where the compiler knows it.
accepted = $(shell $(CC) -Werror $(1) -E -x c /dev/null >/dev/null 2>&1 && echo $(1))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection $(call accepted,-ftrivial-auto-var-init=zero)
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
HARDENING += -fcf-protection=full
endif
# The preloaded library is never built with a sanitizer: the applications it is loaded into are not.
PIC_HARDENING := $(HARDENING) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -D_FORTIFY_SOURCE=2
HARDENING += -fPIE
ifdef SANITIZE
HARDENING += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_LDFLAGS := -fsanitize=$(SANITIZE)
else
HARDENING += -D_FORTIFY_SOURCE=2
endif

GLIB := $(patsubst -I%,-isystem%,$(shell pkg-config --cflags glib-2.0 2>/dev/null))
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) $(GLIB)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CFLAGS) -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANITIZE_LDFLAGS)

# The zygote is static: each request is a fork of it, and what is not mapped need be neither copied nor faulted in. Not
# under a sanitizer, whose libraries are dynamic.
ZYGOTE_LDFLAGS := $(if $(SANITIZE),,-static-pie)

PIC_CFLAGS = -std=gnu11 $(WARNINGS) $(PIC_HARDENING) $(CFLAGS) -MMD -MP
PIC_LDFLAGS := -shared -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs,--as-needed,--gc-sections

PROGRAMS := sandboxd sandboxd-zygote sandboxd-compile sandboxd-names sandboxd-allot fcgi-bridge sandboxctl
MANUALS := $(wildcard man/*.[1-8])

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
pic_objects = $(patsubst %.c,$(BUILD)/pic/%.o,$(1))

COMMON := $(wildcard common/*.c)
BRIDGE := $(wildcard fcgi-bridge/*.c)
COMPILER := $(wildcard compiler/*.c)
ALLOT := $(wildcard allot/*.c)
CONTROL := $(wildcard sandboxctl/*.c)
NAMES := $(wildcard names/*.c)
# What runs after the drop; the entry program is one of its own.
ENTRY := child/entry.c
CHILD := $(filter-out $(ENTRY),$(wildcard child/*.c))
# The library that warm applications are executed with, and what it shares with those who execute the others.
WARM := $(wildcard warm/*.c)
WARM_SHARED := child/environment.c child/memfd.c child/program.c common/descriptors.c common/index.c common/rseq.c \
	common/step.c common/warm.c common/wire.c fcgi-bridge/error-page.c fcgi-bridge/record.c
ZYGOTE := sandboxd/zygote-main.c sandboxd/root.c sandboxd/jail.c
BROKER := $(filter-out $(ZYGOTE),$(wildcard sandboxd/*.c))

all: $(addprefix $(BUILD)/,$(PROGRAMS) sandboxd-entry warm/sandboxd-warm.so) $(BUILD)/probe

# Each program takes of it what it uses.
$(BUILD)/common.a: $(call objects,$(COMMON))
	@echo "  AR   $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/sandboxd: $(call objects,$(BROKER))
$(BUILD)/sandboxd: LDLIBS = -lsystemd -lcap -lselinux -laudit -lcdb
$(BUILD)/sandboxd-zygote: $(call objects,$(ZYGOTE) $(CHILD))
$(BUILD)/sandboxd-zygote: LDFLAGS += $(ZYGOTE_LDFLAGS)
$(BUILD)/sandboxd-zygote: LDLIBS = -lcap
$(BUILD)/sandboxd-compile: $(call objects,$(COMPILER))
$(BUILD)/sandboxd-compile: LDLIBS = -lseccomp -lselinux -linih -lcdb -lglib-2.0
$(BUILD)/sandboxd-names: $(call objects,$(NAMES))
$(BUILD)/sandboxd-names: LDLIBS = -lsystemd
$(BUILD)/sandboxd-allot: $(call objects,$(ALLOT))
$(BUILD)/sandboxd-allot: LDLIBS = -lsqlite3 -lsystemd
$(BUILD)/fcgi-bridge: $(call objects,$(BRIDGE))
$(BUILD)/fcgi-bridge: LDLIBS = -lsystemd -lseccomp -lcap
$(BUILD)/sandboxctl: $(call objects,$(CONTROL) names/account.c)
$(BUILD)/sandboxctl: LDLIBS = -lsystemd -lcdb

$(addprefix $(BUILD)/,$(PROGRAMS)): $(BUILD)/common.a
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter-out %.a,$^) $(BUILD)/common.a $(LDLIBS)

# Without any library, for it is executed in roots that have none: no canary to check, nothing to relocate.
$(BUILD)/sandboxd-entry: $(ENTRY) common/step.h common/warm.h child/application.h sandboxd/jail.h
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARNINGS) -O2 -fPIE -ffreestanding -fno-stack-protector -nostdlib \
		-static-pie -Wl,-z,relro,-z,now,-z,noexecstack -o $@ $<

# With nothing but libc: whatever it needs, every application would load.
$(BUILD)/warm/sandboxd-warm.so: $(call pic_objects,$(WARM) $(WARM_SHARED))
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(PIC_LDFLAGS) -o $@ $^

# Static: it reports from inside any root, whatever libraries are there.
$(BUILD)/probe: demo/apps/probe.c
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<

# The runner of Python applications; its parts are looked for beside it.
RUNNER := $(addprefix $(BUILD)/,$(wildcard warm/*.py))
all: $(RUNNER)
$(RUNNER): $(BUILD)/%: %
	@mkdir -p $(@D)
	$(Q)cp $< $@

# The tests' application, for a machine without a compiler.
$(BUILD)/app: tests/integration/apps/app.c
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<

$(BUILD)/warm-app: tests/integration/apps/warm_probe.c
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -Wno-conversion -O2 -o $@ $< -l:libfcgi.a -lcap

$(BUILD)/avc: bench/apps/avc.c
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -o $@ $< -lselinux

# Where things are installed, as the programs know it. Written anew only when it changes, so that `make install` with
# another PREFIX= builds what is concerned once more.
$(BUILD)/paths.h: FORCE
	@mkdir -p $(@D)
	@printf '#define %s "%s"\n' VERSION '$(VERSION)' CONFIG_DIR '$(CONFIGDIR)' LIBEXEC_DIR '$(LIBEXECDIR)' STATE_DIR '$(STATEDIR)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/obj/%.o: %.c | $(BUILD)/paths.h
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/pic/%.o: %.c | $(BUILD)/paths.h
	@mkdir -p $(@D)
	@echo "  CC   $< (PIC)"
	$(Q)$(CC) $(CPPFLAGS) $(PIC_CFLAGS) -c -o $@ $<

$(BUILD)/syscall-groups.h: compiler/generate-syscall-groups
	@mkdir -p $(@D)
	@echo "  GEN  $@"
	$(Q)compiler/generate-syscall-groups >$@.new && mv $@.new $@
$(BUILD)/obj/compiler/syscalls.o: $(BUILD)/syscall-groups.h

-include $(shell find $(BUILD)/obj $(BUILD)/pic -name '*.d' 2>/dev/null)


# --- set-up, demo and tests ---

# A machine that has only a base system gets what a target needs; quick when it is all there.
packages-%:
	@tools/install-packages $*

accounts: packages-build
	@systemd-sysusers $(CURDIR)/units/sandboxd.sysusers

# The recipes call make again, so that programs are looked for after the packages are there.
demo: packages-build packages-demo accounts
	@$(MAKE) --no-print-directory all
	@DEMO_PORT=$(DEMO_PORT) BUILD=$(BUILD) demo/run

check: packages-build packages-check packages-demo packages-vm accounts
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tests/run

# In a virtual machine, with SELinux enforcing and systemd as PID 1.
check-vm: packages-build packages-vm vm-programs
	@tests/vm/run

vm-shell: packages-build packages-vm vm-programs
	@tests/vm/run --shell

# As they are installed there; apart from $(BUILD), because PREFIX= is part of them.
vm-programs: packages-build packages-policy
	@$(MAKE) --no-print-directory BUILD=build-vm PREFIX=/usr all build-vm/app build-vm/warm-app build-vm/avc \
		build-vm/policy/sandboxd_test.pp

bench: packages-build packages-bench packages-check accounts
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) bench/run $(if $(QUICK),--quick)

# --- unit tests and fuzz harnesses: each names what it links in a line "links:" ---

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test-*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz-*.c))
links = $(shell sed -n 's,^/\* links: \(.*\) \*/$$,\1,p' $(1))
libs = $(shell sed -n 's,^/\* libs: \(.*\) \*/$$,\1,p' $(1))

unit-tests: $(UNIT_TESTS)
fuzzers: $(FUZZERS)

# They are built in one step from sources: whatever changes, they are built again.
HEADERS := $(wildcard allot/*.h common/*.h fcgi-bridge/*.h compiler/*.h names/*.h sandboxctl/*.h child/*.h sandboxd/*.h \
	tests/*/*.h) common/index.c

.SECONDEXPANSION:
$(BUILD)/unit/%: tests/unit/%.c $$(call links,tests/unit/$$*.c) $(BUILD)/syscall-groups.h $(HEADERS)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARNINGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
		-o $@ $< $(call links,$<) -lcmocka $(call libs,$<)

$(BUILD)/fuzz/%: tests/fuzz/%.c $$(call links,tests/fuzz/$$*.c) $(BUILD)/syscall-groups.h $(HEADERS)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)clang $(CPPFLAGS) -std=gnu11 $(WARNINGS) -O1 -g -fsanitize=fuzzer,address,undefined \
		-o $@ $< $(call links,$<) $(call libs,$<)

# Seconds for each harness.
FUZZ_SECONDS ?= 60
fuzz: $(FUZZERS)
	@for harness in $(notdir $(FUZZERS)); do \
		mkdir -p $(BUILD)/corpus/$$harness && \
		$(BUILD)/fuzz/$$harness -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/ \
			$(BUILD)/corpus/$$harness tests/fuzz/corpus/$${harness#fuzz-} || exit 1; done

# --- what a reader can check without running anything ---

SOURCES := $(COMMON) $(ALLOT) $(BRIDGE) $(COMPILER) $(NAMES) $(CONTROL) $(CHILD) $(ENTRY) $(wildcard sandboxd/*.c) $(WARM)
C_FILES := $(SOURCES) $(wildcard warm/*.h allot/*.h common/*.h fcgi-bridge/*.h compiler/*.h names/*.h sandboxctl/*.h child/*.h sandboxd/*.h \
	tests/*/*.[ch] tests/*/*/*.[ch] demo/apps/*.c bench/apps/*.[ch])

lint: lint-format lint-tidy lint-cppcheck lint-shell check-size check-units check-docs

format:
	clang-format -i $(C_FILES)

lint-format:
	clang-format --dry-run -Werror $(C_FILES)

lint-tidy: $(patsubst %.c,$(BUILD)/tidy/%,$(SOURCES))

$(BUILD)/tidy/%: %.c .clang-tidy $(BUILD)/syscall-groups.h | $(BUILD)/paths.h
	@mkdir -p $(@D)
	@echo "  TIDY $<"
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) -std=gnu11 2>/dev/null && touch $@

lint-cppcheck: $(BUILD)/syscall-groups.h $(BUILD)/paths.h
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -D__x86_64__ \
		-I. -I$(BUILD) $(SOURCES)

lint-shell:
	shellcheck tools/install-packages demo/run demo/check.sh tests/run compiler/generate-syscall-groups .ci/run \
		tests/vm/build-image tests/vm/run tests/vm/guest/run

# The code that runs with privilege: broker and zygote, without comments and blank lines. child/ runs after the drop.
PRIVILEGED_MAX := 3000
check-size:
	@lines=$$(for file in sandboxd/*.c; do $(CC) -fpreprocessed -dD -E -P $$file 2>/dev/null; done | grep -c .); \
	echo "privileged code: $$lines lines of C, at most $(PRIVILEGED_MAX)"; [ $$lines -lt $(PRIVILEGED_MAX) ]

check-units: all
	@tools/check-units $(BUILD)

check-docs: all
	@BUILD=$(BUILD) tools/check-docs

# --- the SELinux policy module, with the headers of the system's reference policy ---

POLICY_DEVEL ?= /usr/share/selinux/devel

policy: packages-policy
	@$(MAKE) --no-print-directory $(BUILD)/policy/sandboxd.pp

# Without those of an installed module of ours, which these sources are about to replace.
POLICY_INTERFACES = $(filter-out %/sandboxd.if,$(wildcard $(POLICY_DEVEL)/include/*/*.if))

# MAKEFLAGS= keeps our variables, PREFIX= among them, from the makefile of the policy's headers.
$(BUILD)/policy/sandboxd.pp: policy/sandboxd.te policy/sandboxd.fc policy/sandboxd.if
# What the tests in the virtual machine need besides.
$(BUILD)/policy/sandboxd_test.pp: tests/vm/policy/sandboxd_test.te policy/sandboxd.if | $(BUILD)/policy/sandboxd.pp
$(BUILD)/policy/%.pp:
	@mkdir -p $(@D)
	@echo "  POL  $@"
	$(Q)cp $^ $(@D) && MAKEFLAGS= $(MAKE) -C $(@D) -f $(POLICY_DEVEL)/Makefile header_interfaces="$(POLICY_INTERFACES)" \
		$(@F) $(if $(V),,>$(@D)/log) || { cat $(@D)/log; exit 1; }

# --- installing ---

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
		$(DESTDIR)$(CONFIGDIR)/services.d $(DESTDIR)$(CONFIGDIR)/maps \
		$(DESTDIR)$(PREFIX)/share/doc/sandboxd/examples/services.d
	install -m 0755 $(BUILD)/sandboxd $(BUILD)/fcgi-bridge $(BUILD)/sandboxctl $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(addprefix $(BUILD)/,sandboxd-zygote sandboxd-compile sandboxd-names sandboxd-allot sandboxd-entry) \
		$(DESTDIR)$(LIBEXECDIR)
	install -D -m 0644 -t $(DESTDIR)$(LIBEXECDIR)/warm $(BUILD)/warm/sandboxd-warm.so $(RUNNER)
	for unit in $(notdir $(wildcard units/*.service units/*.socket)); do \
		sed 's,@BINDIR@,$(PREFIX)/bin,g' units/$$unit >$(DESTDIR)$(UNITDIR)/$$unit && \
		chmod 0644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	install -m 0644 $(DESTDIR)$(UNITDIR)/fcgi-bridge.service $(DESTDIR)$(UNITDIR)/fcgi-bridge@.service
	install -m 0644 units/sandboxd.sysusers $(DESTDIR)$(SYSUSERSDIR)/sandboxd.conf
	install -m 0644 maps/*.map $(DESTDIR)$(PREFIX)/share/doc/sandboxd/examples
	install -m 0644 maps/services.d/*.service $(DESTDIR)$(PREFIX)/share/doc/sandboxd/examples/services.d
	install -m 0644 README.md LICENSE NEWS.md SECURITY.md $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/sandboxd
	for page in $(MANUALS); do \
		install -D -m 0644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/} || exit 1; done
	if [ -e $(BUILD)/policy/sandboxd.pp ]; then \
		install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/selinux/packages $(BUILD)/policy/sandboxd.pp && \
		install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/selinux/devel/include/contrib policy/sandboxd.if; fi

# On a machine that runs SELinux, as root: loads the module, and labels what is installed already.
install-policy: policy
	semodule -i $(BUILD)/policy/sandboxd.pp
	for path in $(PREFIX)/bin/sandboxd $(PREFIX)/bin/fcgi-bridge $(PREFIX)/bin/sandboxctl \
		$(LIBEXECDIR) $(CONFIGDIR) $(STATEDIR) /run/sandboxd /run/fcgi-bridge; do \
		[ ! -e $$path ] || restorecon -R -F $$path || exit 1; done

clean:
	rm -rf $(BUILD)

FORCE:

help:
	@sed -n 's/^# \(.*\)/\1/p' Makefile | sed -n '2,9p'
	@echo "make lint fuzz check-size check-units check-docs format bench [QUICK=1] unit-tests check-vm vm-shell policy clean V=1"

.PHONY: FORCE all demo check check-vm vm-shell vm-programs bench accounts unit-tests fuzzers fuzz lint format \
	lint-format lint-tidy lint-cppcheck lint-shell check-size check-units check-docs policy install install-policy clean help
