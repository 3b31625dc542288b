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
DEMO_PORT ?= 8080

CC ?= cc
# Whole command lines: make V=1
Q := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
HARDENING += -fcf-protection=full
endif
ifdef SANITIZE
HARDENING += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_LDFLAGS := -fsanitize=$(SANITIZE)
else
HARDENING += -D_FORTIFY_SOURCE=2
endif

CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) -DVERSION='"$(VERSION)"' \
	-DCONFIG_DIR='"$(CONFIGDIR)"' -DLIBEXEC_DIR='"$(LIBEXECDIR)"'
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CFLAGS) -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANITIZE_LDFLAGS)

PROGRAMS := sandboxd sandboxd-zygote sandboxd-compile fcgi-bridge sandboxctl
MANUALS := $(wildcard man/*.[1-8])

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON := $(wildcard common/*.c)
BRIDGE := $(wildcard fcgi-bridge/*.c)
COMPILER := $(wildcard compiler/*.c)
CONTROL := $(wildcard sandboxctl/*.c)
CHILD := $(wildcard child/*.c)
# What the privileged programs share with the others.
MODEL := sandboxd/index.c sandboxd/identity.c
ZYGOTE := sandboxd/zygote-main.c sandboxd/root.c sandboxd/jail.c sandboxd/init.c
BROKER := $(filter-out $(ZYGOTE),$(wildcard sandboxd/*.c))

all: $(addprefix $(BUILD)/,$(PROGRAMS)) $(BUILD)/probe

$(BUILD)/sandboxd: $(call objects,$(BROKER) $(COMMON))
$(BUILD)/sandboxd: LDLIBS = -lsystemd -lcap
$(BUILD)/sandboxd-zygote: $(call objects,$(ZYGOTE) $(CHILD) sandboxd/index.c common/descriptors.c)
$(BUILD)/sandboxd-zygote: LDLIBS = -lcap
$(BUILD)/sandboxd-compile: $(call objects,$(COMPILER) $(MODEL) sandboxd/door.c)
$(BUILD)/sandboxd-compile: LDLIBS = -lseccomp -lselinux -linih
$(BUILD)/fcgi-bridge: $(call objects,$(BRIDGE) $(COMMON))
$(BUILD)/fcgi-bridge: LDLIBS = -lsystemd -lseccomp -lcap
$(BUILD)/sandboxctl: $(call objects,$(CONTROL) $(MODEL) sandboxd/load.c sandboxd/zygote.c sandboxd/step.c common/descriptors.c)
$(BUILD)/sandboxctl: LDLIBS =

$(addprefix $(BUILD)/,$(PROGRAMS)):
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Static: it reports from inside any root, whatever libraries are there.
$(BUILD)/probe: $(wildcard demo/apps/probe/*.[ch])
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -I. -o $@ $(filter %.c,$^)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/syscall-groups.h: compiler/generate-syscall-groups
	@mkdir -p $(@D)
	compiler/generate-syscall-groups >$@.new && mv $@.new $@
$(BUILD)/obj/compiler/filter.o: $(BUILD)/syscall-groups.h

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: all
