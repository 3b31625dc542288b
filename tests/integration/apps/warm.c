/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FastCGI application on libfcgi for tests of the preloaded library. What it does before its first request is told by
 * its arguments, what in a request by QUERY_STRING; it answers with lines "name value".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        PAGE = 4096,
        LARGE = 100 << 20,
        TOUCHED = 400,      /* pages */
        WINDOW = 64 * 1024, /* what one page fault on a file maps at most, unless the kernel was told otherwise */
        WINDOWS = 40,
};

static const char constants[WINDOWS * WINDOW] = {1}; /* in the program's file */

extern char **environ;

static char *volatile large; /* LARGE bytes */
static char *shared;         /* MAP_SHARED, from before the fork */
static int own_file = -1;
static int prepared, continued; /* by pthread_atfork() handlers */
static pid_t zygote;

static void count_prepare(void)
{
        prepared++;
}

static void count_child(void)
{
        continued++;
}

static void ignore(int number)
{
        (void)number;
}

static void *sleeper(void *argument)
{
        for (;;)
                pause();
        return argument;
}

static char *map_shared(size_t size)
{
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int unlinked(void)
{
        char name[] = "/tmp/sandboxd-warm-test.XXXXXX";
        int fd = mkstemp(name);

        unlink(name);
        if (write(fd, "original", 8) != 8)
                abort();
        return fd;
}

static void set_up(const char *word)
{
        if (strcmp(word, "thread") == 0) {
                pthread_t thread;

                pthread_create(&thread, NULL, sleeper, NULL);
        } else if (strcmp(word, "shared") == 0) {
                shared = map_shared(16 * 4096);
                strcpy(shared, "original");
                strcpy(shared + 8 * 4096, "far");
                mprotect(shared + 8 * 4096, 4096, PROT_READ); /* what a program like opcache may do */
        } else if (strcmp(word, "beyond") == 0) {
                FILE *file = tmpfile(); /* empty: reading the mapping is SIGBUS */

                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
        } else if (strcmp(word, "twice") == 0) {
                mremap(map_shared(4096), 0, 4096, MREMAP_MAYMOVE);
        } else if (strcmp(word, "socket") == 0) {
                socket(AF_UNIX, SOCK_STREAM, 0);
        } else if (strcmp(word, "pipe") == 0) {
                int fds[2];

                if (pipe(fds) < 0)
                        abort();
        } else if (strcmp(word, "child") == 0) {
                if (fork() == 0)
                        for (;;)
                                pause();
        } else if (strcmp(word, "file") == 0) {
                own_file = unlinked();
        } else if (strcmp(word, "signals") == 0) {
                sigset_t mask;

                sigemptyset(&mask);
                sigaddset(&mask, SIGUSR2);
                sigprocmask(SIG_SETMASK, &mask, NULL);
                signal(SIGCHLD, SIG_IGN);
                signal(SIGUSR1, ignore);
        } else if (strcmp(word, "random") == 0) {
                srand(1);
                srand48(1);
        } else if (strcmp(word, "memory") == 0) {
                large = malloc(LARGE);
                memset(large, 1, LARGE);
        } else if (strcmp(word, "crash") == 0) {
                abort();
        }
}

static void list_descriptors(FCGX_Stream *out)
{
        for (int fd = 0; fd < 4096; fd++) {
                struct stat st;

                if (fstat(fd, &st) == 0)
                        FCGX_FPrintF(out, "fd%d %s%s%s%s\n", fd, S_ISSOCK(st.st_mode) ? "socket" : "",
                                S_ISFIFO(st.st_mode) ? "pipe" : "", S_ISCHR(st.st_mode) ? "device" : "",
                                S_ISREG(st.st_mode) ? "file" : "");
        }
}

static void list_environment(FCGX_Stream *out, char **variables)
{
        for (; *variables; variables++)
                FCGX_FPrintF(out, "%s\n", *variables);
}

/* Where the kernel runs us, and where libc says so, on each processor that we may use. */
static void compare_cpus(FCGX_Stream *out)
{
        cpu_set_t all, one;
        int right = 1;

        sched_getaffinity(0, sizeof(all), &all);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
                if (!CPU_ISSET(cpu, &all))
                        continue;
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                sched_setaffinity(0, sizeof(one), &one);
                right = right && sched_getcpu() == cpu;
        }
        FCGX_FPrintF(out, "cpus %s\n", right ? "right" : "wrong");
}

static void confined(FCGX_Stream *out)
{
        long r = syscall(SYS_clone3, NULL, 0);

        FCGX_FPrintF(out, "clone3 %d\n", r < 0 ? errno : 0);
        r = syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
        FCGX_FPrintF(out, "seccomp %d\n", r < 0 ? errno : 0);
        r = kill(zygote, 0);
        FCGX_FPrintF(out, "kill-zygote %d\n", r < 0 ? errno : 0);
        r = kill(getpid(), 0);
        FCGX_FPrintF(out, "kill-self %d\n", r < 0 ? errno : 0);
        /* The filter has nothing about this one: Landlock's scope, or the lack of it. */
        r = syscall(SYS_tgkill, zygote, zygote, 0);
        FCGX_FPrintF(out, "tgkill-zygote %d\n", r < 0 ? errno : 0);
        FCGX_FPrintF(out, "dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void signals(FCGX_Stream *out)
{
        struct sigaction child, usr1;
        sigset_t mask, pending;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        sigpending(&pending);
        sigaction(SIGCHLD, NULL, &child);
        sigaction(SIGUSR1, NULL, &usr1);
        FCGX_FPrintF(out, "mask %d%d%d\n", sigismember(&mask, SIGUSR2), sigismember(&mask, SIGCHLD),
                sigismember(&mask, SIGTERM));
        FCGX_FPrintF(out, "handlers %d%d\n", child.sa_handler == SIG_IGN, usr1.sa_handler == ignore);
        FCGX_FPrintF(out, "pending %d\n", sigismember(&pending, SIGCHLD));
}

static void body(FCGX_Request *request)
{
        char data[65536];
        unsigned long sum = 0, length = 0;
        int n;

        while ((n = FCGX_GetStr(data, sizeof(data), request->in)) > 0) {
                length += (unsigned long)n;
                for (int i = 0; i < n; i++)
                        sum += (unsigned char)data[i];
        }
        FCGX_FPrintF(request->out, "length %lu\nsum %lu\n", length, sum);
}

static void stay(void)
{
        if (fork() == 0) {
                setsid();
                close_range(0, ~0U, 0);
                for (;;)
                        pause();
        }
}

static void file(FCGX_Stream *out, const char *text)
{
        struct flock lock = {.l_type = F_WRLCK};
        char content[64] = "";

        FCGX_FPrintF(out, "position %ld\n", (long)lseek(own_file, 0, SEEK_CUR));
        FCGX_FPrintF(out, "lock %d\n", fcntl(own_file, F_SETLK, &lock));
        if (pread(own_file, content, sizeof(content) - 1, 0) < 0 ||
                (*text && pwrite(own_file, text, strlen(text), 0) < 0))
                abort();
        FCGX_FPrintF(out, "content %s\n", content);
}

/* Writes to many pages, and says how many page faults that took. */
static void touch(FCGX_Stream *out)
{
        struct rusage before, after;

        getrusage(RUSAGE_SELF, &before);
        for (int i = 0; i < TOUCHED; i++)
                large[i * PAGE]++;
        getrusage(RUSAGE_SELF, &after);
        FCGX_FPrintF(out, "faults %ld\nvalue %d\n", after.ru_minflt - before.ru_minflt, large[0]);
}

/* Reads from many places of the program's file, and says how many page faults that took. */
static void look(FCGX_Stream *out)
{
        struct rusage before, after;
        int sum = 0;

        getrusage(RUSAGE_SELF, &before);
        for (int i = 0; i < WINDOWS; i++)
                sum += *(const volatile char *)&constants[i * WINDOW];
        getrusage(RUSAGE_SELF, &after);
        FCGX_FPrintF(out, "faults %ld\nvalue %d\n", after.ru_minflt - before.ru_minflt, sum);
}

static void serve(FCGX_Request *request, const char *query)
{
        FCGX_Stream *out = request->out;

        FCGX_FPrintF(
                out, "Content-Type: text/plain\r\n%s\r\n", strstr(query, "teapot") ? "Status: 418 Teapot\r\n" : "");
        FCGX_FPrintF(out, "pid %d\n", getpid());
        if (strncmp(query, "write=", 6) == 0)
                sscanf(query, "write=%[^&]", shared);
        if (shared)
                FCGX_FPrintF(out, "shared %s\nfar %s\n", shared, shared + 8 * 4096);
        if (strcmp(query, "descriptors") == 0)
                list_descriptors(out);
        else if (strcmp(query, "params") == 0)
                list_environment(out, request->envp);
        else if (strcmp(query, "environ") == 0)
                list_environment(out, environ);
        else if (strcmp(query, "cpus") == 0)
                compare_cpus(out);
        else if (strcmp(query, "confined") == 0)
                confined(out);
        else if (strcmp(query, "signals") == 0)
                signals(out);
        else if (strcmp(query, "atfork") == 0)
                FCGX_FPrintF(out, "prepared %d\ncontinued %d\n", prepared, continued);
        else if (strcmp(query, "random") == 0)
                FCGX_FPrintF(out, "rand %d\ndrand48 %ld\n", rand(), lrand48());
        else if (strcmp(query, "body") == 0)
                body(request);
        else if (strcmp(query, "touch") == 0)
                touch(out);
        else if (strcmp(query, "look") == 0)
                look(out);
        else if (strcmp(query, "stay") == 0)
                stay();
        else if (strncmp(query, "file=", 5) == 0)
                file(out, query + 5);
        else if (strcmp(query, "segv") == 0)
                raise(SIGSEGV);
        else if (strcmp(query, "directory") == 0)
                FCGX_FPrintF(out, "directory %s\n", getcwd((char[4096]){0}, 4096));
        else if (strcmp(query, "silent") == 0)
                for (;;)
                        pause();
        else if (strcmp(query, "execute") == 0) {
                char line[4096];
                FILE *child = popen("env", "r");

                while (child && fgets(line, sizeof(line), child))
                        FCGX_FPrintF(out, "executed %s", line);
                if (child)
                        pclose(child);
        }
}

int main(int argc, char **argv)
{
        FCGX_Request request;
        int served = 0;

        zygote = getpid();
        pthread_atfork(count_prepare, NULL, count_child);
        for (int i = 1; i < argc; i++)
                set_up(argv[i]);
        FCGX_Init();
        FCGX_InitRequest(&request, 0, 0);
        if (argc > 2 && strcmp(argv[2], "prefork") == 0)
                while (fork() > 0 && wait(NULL) > 0)
                        ; /* one after the other, as long as there are requests */
        while (FCGX_Accept_r(&request) == 0) {
                const char *query = FCGX_GetParam("QUERY_STRING", request.envp);

                served++;
                serve(&request, query ? query : "");
                FCGX_FPrintF(request.out, "served %d\n", served);
                FCGX_Finish_r(&request);
                if (query && strstr(query, "&end"))
                        return 0;
        }
        return 3;
}
