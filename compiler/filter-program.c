/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/filter-program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"

void filter_must(int r, const char *what)
{
        if (r < 0) {
                fprintf(stderr, "sandboxd-compile: libseccomp: %s: %s\n", what, strerror(-r));
                exit(EXIT_FAILURE);
        }
}

scmp_filter_ctx filter_new(uint32_t action)
{
        scmp_filter_ctx context = seccomp_init(action);

        filter_must(context ? 0 : -ENOMEM, "init");
        filter_must(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "bad architecture");
        filter_must(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
        return context;
}

struct index_span filter_export(scmp_filter_ctx context, struct builder *builder)
{
        _cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
        struct index_span span;
        char *bytes;
        off_t size;

        filter_must(fd < 0 ? -errno : 0, "memfd");
        filter_must(seccomp_export_bpf(context, fd), "export");
        seccomp_release(context);
        size = lseek(fd, 0, SEEK_END);
        bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        filter_must(bytes == MAP_FAILED ? -errno : 0, "map");
        span = builder_array(builder, bytes, (size_t)size / sizeof(struct sock_filter), sizeof(struct sock_filter));
        munmap(bytes, (size_t)size);
        return span;
}

void filter_rule(scmp_filter_ctx context, uint32_t action, const char *name)
{
        int number = seccomp_syscall_resolve_name(name);

        if (number >= 0)
                filter_must(seccomp_rule_add(context, action, number, 0), name);
}

struct scmp_arg_cmp filter_compare(unsigned argument, enum scmp_compare operator, uint64_t a, uint64_t b)
{
        return (struct scmp_arg_cmp){.arg = argument, .op = operator, .datum_a = a, .datum_b = b};
}

void filter_rule_if(scmp_filter_ctx context, uint32_t action, const char *name, struct scmp_arg_cmp comparison)
{
        int number = seccomp_syscall_resolve_name(name);

        if (number >= 0)
                filter_must(seccomp_rule_add(context, action, number, 1, comparison), name);
}
