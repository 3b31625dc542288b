/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/zygote.h"
#include "sandboxctl/identity.h"
#include "sandboxctl/relay.h"

/*
 * The same zygote, the same jail and the same identity map as for a request. What differs: the command is the
 * caller's, standard input, output and error are this process's, or pipes to them, and there is no deadline and no
 * control group.
 */

enum { EXIT_REFUSED = 125 }; /* as env(1) and its kin: the command did not run */

static int fill_memfd(const char *name, char *const *words)
{
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        for (; words && *words; words++) {
                size_t size = strlen(*words) + 1;

                if (write(fd, *words, size) != (ssize_t)size)
                        return -EIO;
        }
        return take_fd(&fd);
}

static int complain(const char *what, int r)
{
        fprintf(stderr, "sandboxctl: %s: %s\n", what, strerror(-r));
        return EXIT_REFUSED;
}

/* Whether the policy has refused the context, as it does to everybody but the zygote in its own domain. */
static bool is_refused_context(const struct index *index, enum step step, int error)
{
        return index_applies_contexts(index) && (step == STEP_CONTEXT || step == STEP_EXEC || step == STEP_ENTRY) &&
               (error == EACCES || error == EPERM || error == EBADFD);
}

static int complain_step(const struct index *index, enum step step, int error, const char *detail)
{
        char reason[512];

        step_describe(reason, sizeof(reason), step, error, detail);
        fprintf(stderr, "sandboxctl: %s\n", reason);
        if (is_refused_context(index, step, error))
                fputs("sandboxctl: SELinux lets a command into its context only by way of the domain sandboxctl_t; see "
                      "SELINUX in sandboxctl(1)\n",
                        stderr);
        return EXIT_REFUSED;
}

/* An id for the log, not a secret. */
static void make_request_id(char *ret_id)
{
        unsigned char random[(WIRE_REQUEST_ID_SIZE - 1) / 2] = {0};

        if (getrandom(random, sizeof(random), 0) < 0)
                memset(random, 0, sizeof(random));
        for (size_t i = 0; i < sizeof(random); i++)
                snprintf(ret_id + 2 * i, 3, "%02x", random[i]);
}

static int wait_for(const struct index *index, int pidfd, int report_fd)
{
        struct report report;
        siginfo_t info;

        if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
                return complain("waiting for the command", -errno);
        if (read(report_fd, &report, sizeof(report)) != sizeof(report)) {
                fputs("sandboxctl: the command's init was killed\n", stderr);
                return EXIT_REFUSED;
        }
        if (report.kind == REPORT_FAILED)
                return complain_step(index, report.step, report.value, "");
        return report.kind == REPORT_EXITED ? report.value : 128 + report.value;
}

/* Takes the answer to the zygote's start, or to the request. */
static int take_answer(const struct index *index, const struct zygote_process *zygote, struct zygote_answer *answer)
{
        int r = zygote_receive(zygote, 0, answer);

        if (r < 0)
                return complain("the zygote", r);
        return answer->step == STEP_NONE ? 0 : complain_step(index, answer->step, answer->error, answer->detail);
}

/* Has the zygote run the command on `streams`; `ret_pidfd` is of its init, and what became of it comes by `report`. */
static int spawn(const struct index *index, const struct zygote_process *zygote, const struct index_service *service,
        struct spawn_request *request, char *const *command, const int *streams, int report, int *ret_pidfd)
{
        _cleanup_close_ int environment = fill_memfd("environment", NULL), words = fill_memfd("command", command);
        _cleanup_close_ int temporary = -1;
        struct zygote_answer answer;
        int fds[SPAWN_FDS_MAX], status;
        size_t n = SPAWN_FDS;

        if (environment < 0 || words < 0)
                return complain("preparing the command", environment < 0 ? environment : words);
        fds[SPAWN_FD_ENVIRONMENT] = environment;
        fds[SPAWN_FD_STDIN] = streams[STDIN_FILENO];
        fds[SPAWN_FD_STDOUT] = streams[STDOUT_FILENO];
        fds[SPAWN_FD_STDERR] = streams[STDERR_FILENO];
        fds[SPAWN_FD_REPORT] = report;
        if (service->flags & INDEX_PRIVATE_TMP) {
                temporary = zygote_open_temporary(service->temporary_size);
                if (temporary < 0)
                        return complain("making /tmp", temporary);
                request->flags |= SPAWN_TEMPORARY;
                fds[n++] = temporary;
        }
        fds[n++] = words;
        status = zygote_send(zygote, request, fds, n);
        if (status < 0)
                return complain("asking the zygote", status);
        status = take_answer(index, zygote, &answer);
        if (status == 0)
                *ret_pidfd = answer.pidfd;
        return status;
}

/* A context of its own may use neither our terminal nor our pipes; see relay.h. */
static int spawn_and_wait(const struct index *index, const struct zygote_process *zygote,
        const struct index_service *service, struct spawn_request *request, char *const *command)
{
        static const int streams[RELAY_FLOWS] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
        const bool relayed = index_applies_contexts(index);
        _cleanup_close_ int report = -1, report_end = -1, pidfd = -1;
        _cleanup_(relay_close) struct relay relay = RELAY_CLOSED;
        int pair[2], status;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return complain("preparing the command", -errno);
        report = pair[0];
        report_end = pair[1];
        status = relayed ? relay_open(&relay, streams) : 0;
        if (status < 0)
                return complain("making pipes for the command", status);
        status = spawn(index, zygote, service, request, command, relayed ? relay.theirs : streams, report_end, &pidfd);
        if (status != 0)
                return status;
        /* Only the command and its init hold them now. */
        close_fd(take_fd(&report_end));
        relay_handed_over(&relay);
        if (relayed) {
                status = relay_run(&relay, pidfd);
                if (status < 0)
                        return complain("passing on what the command reads and writes", status);
        }
        return wait_for(index, pidfd, report);
}

static int run(const struct index *index, const struct index_service *service, const struct accounts *accounts,
        struct spawn_request *request, const struct options *options)
{
        const struct zygote_start start = {
                .libexec = options->libexec,
                .index_fd = index->fd,
                .service = (size_t)(service - index_services(index)),
                .uid = accounts->uid[ACCOUNT_ZYGOTE],
                .gid = accounts->gid[ACCOUNT_ZYGOTE],
                .cgroup = -1,
        };
        struct zygote_process zygote;
        struct zygote_answer answer;
        siginfo_t info;
        int status;

        status = zygote_start(&start, &zygote);
        if (status < 0)
                return complain("starting the zygote", status);
        status = take_answer(index, &zygote, &answer);
        if (status == 0)
                status = spawn_and_wait(index, &zygote, service, request, options->operands);
        close_fd(zygote.control);
        waitid(P_PIDFD, (id_t)zygote.pidfd, &info, WEXITED);
        close_fd(zygote.pidfd);
        return status;
}

/* A folder among the standard streams would be a way out of the root. */
static bool has_folder(void)
{
        struct stat st;

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
                        fprintf(stderr, "sandboxctl: descriptor %d is a folder: it would be a way out of the root\n",
                                fd);
                        return true;
                }
        return false;
}

/* Returns 0 with the request filled in, or EXIT_REFUSED after saying why. */
static int decide(const struct options *options, struct configuration *configuration, struct inquiry *inquiry,
        struct spawn_request *request)
{
        const struct decision *decision = &inquiry->decision;
        struct map_query query;

        options_query(options, &query);
        if (inquiry_init(inquiry, configuration, &query) < 0 || inquiry_decide(inquiry, options) < 0)
                return EXIT_REFUSED;
        if (decision->reason[0]) {
                fprintf(stderr, "sandboxctl: refused: %s\n", decision->reason);
                return EXIT_REFUSED;
        }
        if (inquiry->uid_missing || inquiry->categories_missing) {
                fprintf(stderr, "sandboxctl: %s allotted yet: the first request does that\n",
                        inquiry->uid_missing ? "the user has no uid" : "the identity has no categories");
                return EXIT_REFUSED;
        }
        spawn_init(request, &decision->identity,
                decision->rule.flags & MAP_NICE ? decision->rule.nice : decision->service->nice);
        request->number = 1;
        request->flags = SPAWN_COMMAND;
        snprintf(request->user, sizeof(request->user), "%s", options->user);
        snprintf(request->address, sizeof(request->address), "%s", options->address);
        make_request_id(request->request_id);
        return 0;
}

int control_run(const struct options *options)
{
        static struct spawn_request request;
        static struct inquiry inquiry;
        struct configuration configuration;
        int status;

        if (geteuid() != 0) {
                fputs("sandboxctl: run needs root: it becomes the identity that the map names\n", stderr);
                return EXIT_REFUSED;
        }
        if (has_folder() || control_load(options, &configuration) != 0)
                return EXIT_REFUSED;
        status = decide(options, &configuration, &inquiry, &request);
        if (status == 0)
                status =
                        run(&configuration.index, inquiry.decision.service, &configuration.accounts, &request, options);
        control_unload(&configuration);
        return status;
}
