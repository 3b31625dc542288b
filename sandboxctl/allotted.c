/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/allotted.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/identity.h"

enum { EXIT_NOT_STARTED = 127 };

static int drop(const struct accounts *accounts)
{
        uid_t uid = accounts->uid[ACCOUNT_ALLOT];
        gid_t gid = accounts->gid[ACCOUNT_ALLOT];

        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
                return -errno;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

_Noreturn static void execute(
        const struct options *options, const char *folder, const struct accounts *accounts, int output)
{
        char program[PATH_MAX];
        char *argv[] = {(char *)"sandboxd-allot", (char *)"--list", (char *)folder, NULL};
        char *envp[] = {NULL};
        int fd;

        snprintf(program, sizeof(program), "%s/sandboxd-allot", options->libexec);
        /* Opened while we are still ourselves: the account need not reach the folder that the program lies in. */
        fd = open(program, O_PATH | O_CLOEXEC);
        if (fd < 0 || dup2(output, STDOUT_FILENO) < 0 || drop(accounts) < 0)
                _exit(EXIT_NOT_STARTED);
        syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        _exit(EXIT_NOT_STARTED);
}

/* Starts the list; what it prints comes by *ret_input. */
static int start(const struct options *options, const char *folder, pid_t *ret_pid, int *ret_input)
{
        struct accounts accounts;
        const char *missing = NULL;
        int ends[2];
        pid_t pid;

        if (accounts_find(&accounts, &missing) < 0) {
                fprintf(stderr, "sandboxctl: there is no account %s: run systemd-sysusers\n", missing);
                return -ENOENT;
        }
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                execute(options, folder, &accounts, ends[1]);
        close_fd(ends[1]);
        if (pid < 0) {
                close_fd(ends[0]);
                return -errno;
        }
        *ret_pid = pid;
        *ret_input = ends[0];
        return 0;
}

/* Its exit status, when it has been read to the end; a negative errno. */
static int finish(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (!WIFEXITED(status))
                return -ECHILD;
        return WEXITSTATUS(status) == EXIT_NOT_STARTED ? -ENOEXEC : WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* \xHH stands for a byte. In place. */
static int unescape(char *text)
{
        char *out = text;

        for (; *text; text++, out++) {
                unsigned byte;

                *out = *text;
                if (*text != '\\')
                        continue;
                if (sscanf(text, "\\x%2x", &byte) != 1 || strlen(text) < 4)
                        return -EBADMSG;
                *out = (char)byte;
                text += 3;
        }
        *out = '\0';
        return 0;
}

static int parse(char *line, struct allotted *ret_allotted)
{
        struct allotted allotted = {0};
        int n = 0;

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "name\t%" SCNu32 "%n", &allotted.uid, &n) == 1 && line[n] == '\t') {
                allotted.name = line + n + 1;
                n = unescape(line + n + 1);
                /* Nothing else is ever allotted to; and a terminal would obey it. */
                if (n == 0 && identity_name_refusal(allotted.name))
                        n = -EBADMSG;
        } else if (sscanf(line, "categories\t%" SCNu32 "\tc%" SCNu32 ",c%" SCNu32 "%n", &allotted.uid, &allotted.first,
                           &allotted.second, &n) == 3) {
                n = line[n] ? -EBADMSG : 0;
        } else {
                n = -EBADMSG;
        }
        if (n == 0)
                *ret_allotted = allotted;
        return n;
}

static int read_all(int input, int (*visit)(void *context, const struct allotted *allotted), void *context)
{
        _cleanup_fclose_ FILE *stream = fdopen(input, "r");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r = 0;

        if (!stream) {
                close_fd(input);
                return -errno;
        }
        while (r == 0 && getline(&line, &size, stream) > 0) {
                struct allotted allotted;

                r = parse(line, &allotted);
                if (r == 0)
                        r = visit(context, &allotted);
        }
        return r == 0 && ferror(stream) ? -EIO : r;
}

static int list(const struct options *options, const char *folder,
        int (*visit)(void *context, const struct allotted *allotted), void *context)
{
        int input = -1, r, status;
        pid_t pid = -1;

        r = start(options, folder, &pid, &input);
        if (r < 0)
                return r;
        r = read_all(input, visit, context);
        /* It ends when nobody reads any more; how does not matter then. */
        status = finish(pid);
        return r == 0 ? status : r;
}

int allotted_each(
        const struct options *options, int (*visit)(void *context, const struct allotted *allotted), void *context)
{
        char folder[PATH_MAX];
        struct stat st;
        int r;

        if (snprintf(folder, sizeof(folder), "%s/allotted", options->state) >= (int)sizeof(folder))
                r = -ENAMETOOLONG;
        else if (stat(folder, &st) < 0)
                r = errno == ENOENT ? 0 : -errno;
        else
                r = list(options, folder, visit, context);
        if (r < 0)
                fprintf(stderr, "sandboxctl: what is allotted in %s cannot be read: %s\n", folder, strerror(-r));
        return r;
}

enum { FOUND = 2 };

struct search {
        const char *name; /* NULL: the categories of uid */
        struct allotted found;
};

static int compare(void *context, const struct allotted *allotted)
{
        struct search *search = context;

        if (search->name ? !allotted->name || strcmp(allotted->name, search->name) != 0
                         : allotted->name || allotted->uid != search->found.uid)
                return 0;
        search->found = *allotted;
        return FOUND;
}

int allotted_uid(const struct options *options, const char *name, uint32_t *ret_uid)
{
        struct search search = {.name = name};
        int r = allotted_each(options, compare, &search);

        if (r == FOUND)
                *ret_uid = search.found.uid;
        return r == FOUND ? 0 : r == 0 ? ALLOTTED_NONE : r;
}

int allotted_categories(const struct options *options, uint32_t uid, uint32_t *ret_first, uint32_t *ret_second)
{
        struct search search = {.found.uid = uid};
        int r = allotted_each(options, compare, &search);

        if (r == FOUND) {
                *ret_first = search.found.first;
                *ret_second = search.found.second;
        }
        return r == FOUND ? 0 : r == 0 ? ALLOTTED_NONE : r;
}
