/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/settings.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/warm.h"

/* A copy of a variable, which is then removed: programs overwrite where they stand to change their title. NULL: it is
 * not there, or there is no memory, which the caller tells apart by *ret_there. */
static char *take_variable(const char *name, bool *ret_there)
{
        const char *value = getenv(name);
        char *copy = value ? strdup(value) : NULL;

        *ret_there = value != NULL;
        unsetenv(name);
        return copy;
}

/* Lines into a list. Empty lines are none. */
static void take_list(struct settings *settings, const char *name, const char **list, size_t *n)
{
        bool there;
        char *text = take_variable(name, &there), *rest = NULL;

        if (there && !text)
                settings->problem = "no memory for the settings";
        for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
                if (*n == SETTINGS_LIST_MAX) {
                        settings->problem = "a list in the settings is too long";
                        break;
                }
                list[(*n)++] = line;
        }
        if (*n == 0)
                free(text);
} /* NOLINT(clang-analyzer-unix.Malloc): the list points into it */

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal digits into bytes, in place. Returns their number, or 0 for anything else. */
static size_t decode(char *text)
{
        size_t n = 0;

        for (const char *from = text; *from; from += 2, n++) {
                int high = digit(from[0]), low = high < 0 ? -1 : digit(from[1]);

                if (low < 0)
                        return 0;
                text[n] = (char)(high << 4 | low);
        }
        return n;
}

/* malloc(3) aligns the copy for whatever it holds. Without a filter a child would be less confined than it should be.
 */
static void take_filter(struct settings *settings)
{
        bool there;
        char *bytes = take_variable(WARM_VARIABLE_FILTER, &there);
        size_t size = bytes ? decode(bytes) : 0;

        if (size == 0 || size % sizeof(struct sock_filter) != 0 || size / sizeof(struct sock_filter) > BPF_MAXINSNS) {
                settings->problem = "there is no system-call filter for the children, or it is malformed";
                free(bytes);
                return;
        }
        settings->filter = (struct sock_filter *)(void *)bytes;
        settings->n_filter = size / sizeof(struct sock_filter);
}

static bool names(const char *variable, const char *name)
{
        size_t length = strlen(name);

        return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

/* What is left is Environment=, and what the broker said of the zygote's own start, which is no request. */
static void take_environment(struct settings *settings)
{
        static const char *const facts[] = {
                "GATEWAY_INTERFACE",
                "REMOTE_ADDR",
                "REMOTE_USER",
                "SANDBOXD_REQUEST_ID",
                "SCRIPT_FILENAME",
                "SERVER_NAME",
        };

        for (char **variable = environ; variable && *variable; variable++) {
                bool is_fact = false;

                for (size_t i = 0; i < ELEMENTS(facts); i++)
                        is_fact = is_fact || names(*variable, facts[i]);
                if (is_fact || !strchr(*variable, '='))
                        continue;
                if (settings->n_set == ELEMENTS(settings->set)) {
                        settings->problem = "the environment has too many variables";
                        return;
                }
                settings->set[settings->n_set] = strdup(*variable);
                if (!settings->set[settings->n_set++]) {
                        settings->n_set--;
                        settings->problem = "no memory for the settings";
                        return;
                }
        }
}

int settings_free_fd(const struct settings *settings)
{
        return settings->first_fd + 2; /* above control and queue, which a spare child keeps longest */
}

int settings_move_fd(const struct settings *settings, int fd)
{
        int moved = fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, settings_free_fd(settings));

        if (moved == -1)
                moved = -errno;
        close_fd(fd);
        return moved;
}

/* One that may not be there stays -1. */
static void move_optional(struct settings *settings, int from, int *ret_fd)
{
        int moved = fcntl(from, F_GETFD) < 0 ? -1 : settings_move_fd(settings, from);

        if (moved < -1)
                settings->problem = "its descriptors cannot be moved: LimitNOFILE= is too low";
        *ret_fd = moved < 0 ? -1 : moved;
}

static void take_descriptors(struct settings *settings)
{
        struct rlimit limit;

        settings->first_fd = SETTINGS_FIRST_FD;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < SETTINGS_FIRST_FD)
                settings->first_fd = (int)(limit.rlim_cur / 2);
        settings->control = fcntl(WARM_FD_CONTROL, F_DUPFD_CLOEXEC, settings->first_fd);
        if (settings->control < 0)
                _exit(EXIT_FAILURE); /* nobody to tell */
        close_fd(WARM_FD_CONTROL);
        settings->queue = fcntl(WARM_FD_QUEUE, F_DUPFD_CLOEXEC, settings->first_fd + 1);
        close_fd(WARM_FD_QUEUE);
        if (settings->control != settings->first_fd || settings->queue != settings->first_fd + 1 ||
                shutdown(settings->queue, SHUT_WR) < 0)
                settings->problem = "its control socket or queue cannot be used";
        move_optional(settings, WARM_FD_PROC, &settings->proc);
        move_optional(settings, WARM_FD_LANDLOCK, &settings->landlock);
        settings->inotify = -1;
        settings->null = settings_move_fd(settings, open("/dev/null", O_RDWR | O_CLOEXEC));
        if (settings->null < 0)
                settings->problem = "/dev/null cannot be opened";
        if (settings->proc < 0)
                settings->problem = "it has no procfs to look at itself";
}

static bool is_at_top(void)
{
        struct stat here, top;

        return stat(".", &here) == 0 && stat("/", &top) == 0 && here.st_dev == top.st_dev && here.st_ino == top.st_ino;
}

bool settings_take(struct settings *settings)
{
        const char *active = getenv(WARM_VARIABLE);
        bool there;

        if (!active || strcmp(active, "1") != 0)
                return false;
        unsetenv(WARM_VARIABLE);
        unsetenv("LD_PRELOAD");
        unsetenv("LD_BIND_NOW");
        settings->at_top = is_at_top();
        take_descriptors(settings);
        settings->scripts = take_variable(WARM_VARIABLE_SCRIPTS, &there);
        if (there && !settings->scripts)
                settings->problem = "no memory for the settings";
        take_list(settings, WARM_VARIABLE_PASS, settings->pass, &settings->n_pass);
        take_list(settings, WARM_VARIABLE_REQUESTS, settings->requests, &settings->n_requests);
        take_list(settings, WARM_VARIABLE_WATCH, settings->watch, &settings->n_watch);
        take_filter(settings);
        take_environment(settings);
        return true;
}
