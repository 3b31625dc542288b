/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What every probe shares. A probe tries one thing and ends with one line:
 *   escaped: <evidence>       exit status 0, it succeeded
 *   contained: <errno name>   exit status 1, it did not
 *   left: <what>              exit status 0, the first half of a probe in two requests (or one that waits)
 * It takes its arguments from QUERY_STRING, "name=value,name=value", both as a CGI program and outside, where
 * GATEWAY_INTERFACE is not set and no header is printed. test_hostile.py reads the header comment of each
 * probe: "Control:" says how the outside run is made, "Run:" which runs there are, "Expect:" what must
 * contain it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void start_answer(void)
{
        static int started;

        if (!started && getenv("GATEWAY_INTERFACE"))
                fputs("Content-Type: text/plain\r\n\r\n", stdout);
        started = 1;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void escaped(const char *format, ...)
{
        va_list arguments;

        start_answer();
        fputs("escaped: ", stdout);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\n');
        fflush(stdout);
        _exit(0);
}

__attribute__((noreturn)) static inline void contained_by(const char *what)
{
        start_answer();
        printf("contained: %s\n", what);
        fflush(stdout);
        _exit(1);
}

__attribute__((noreturn)) static inline void contained(void)
{
        contained_by(strerrorname_np(errno) ? strerrorname_np(errno) : "no error");
}

static inline void left(const char *what)
{
        start_answer();
        printf("left: %s\n", what);
        fflush(stdout);
}

/* Whoever is nearest: its parent, or, where that is in another PID namespace, the first process of its own. */
static inline pid_t parent_or_init(void)
{
        return getppid() > 0 ? getppid() : 1;
}

/* The value of `name` in QUERY_STRING, or `otherwise`; in a buffer of its own for each call. */
static inline const char *argument(const char *name, const char *otherwise)
{
        const char *at = getenv("QUERY_STRING");
        size_t length = strlen(name);

        for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
                if (strncmp(at, name, length) == 0 && at[length] == '=')
                        return strndup(at + length + 1, strcspn(at + length + 1, ","));
        return otherwise;
}

static inline int is_phase(const char *name)
{
        return strcmp(argument("phase", ""), name) == 0;
}

/* Reads the first line of a file, relative to `directory`; NULL with errno when it cannot. */
static inline const char *first_line(int directory, const char *path)
{
        static char line[256];
        int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

        if (fd >= 0)
                close(fd);
        if (n < 0)
                return NULL;
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        return line;
}

/* Runs `function` in a child; contained by its signal if it dies by one. The child ends by escaped() or
 * contained(). */
static inline void in_child(void (*function)(void))
{
        int status;
        pid_t child = fork();

        if (child < 0)
                contained();
        if (child == 0) {
                function();
                _exit(99);
        }
        if (waitpid(child, &status, 0) < 0)
                contained();
        if (WIFSIGNALED(status)) {
                char name[32];

                snprintf(name, sizeof(name), "SIG%s", sigabbrev_np(WTERMSIG(status)));
                contained_by(name);
        }
        _exit(WEXITSTATUS(status));
}
