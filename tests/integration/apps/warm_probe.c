/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tests' warm application: FastCGI by libfcgi, dynamically linked. QUERY_STRING says what a request does; without
 * libfcgi's socket it is a CGI program, and then its answers begin with "cold".
 *
 * Arguments: "thread" starts one before the first request, "shared" makes a writable shared mapping, "socket" leaves
 * one open, "die" ends at once.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fcgi_stdio.h>

static int is_cgi;
static int warmed;            /* requests that this process and those it was forked from have served */
static int secret = 4711;     /* what a sibling looks for in the zygote */
static unsigned char *shared; /* made before the first request */

static void put_capabilities(void)
{
        cap_t now = cap_get_proc();
        char *text = now ? cap_to_text(now, NULL) : NULL;

        printf("capabilities=%s\n", text ? text : "?");
        cap_free(text);
        cap_free(now);
}

static void report(void)
{
        extern char **environ;
        struct stat st;

        printf("pid=%d\nppid=%d\nuid=%d\ngid=%d\nserved=%d\n", (int)getpid(), (int)getppid(), (int)getuid(),
                (int)getgid(), warmed);
        printf("seccomp=%d\nno_new_privs=%d\ndumpable=%d\n", prctl(PR_GET_SECCOMP),
                prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE));
        put_capabilities();
        for (int fd = 0; fd < 4096; fd++)
                if (fstat(fd, &st) == 0)
                        printf("fd=%d:%s\n", fd,
                                S_ISFIFO(st.st_mode)   ? "pipe"
                                : S_ISSOCK(st.st_mode) ? "socket"
                                : S_ISCHR(st.st_mode)  ? "device"
                                                       : "other");
        for (char **entry = environ; *entry; entry++)
                printf("environ=%s\n", *entry);
}

static void body(void)
{
        char data[8192];
        uint64_t sum = 0, length = 0;
        int n;

        while ((n = (int)fread(data, 1, sizeof(data), stdin)) > 0)
                for (int i = 0; i < n; i++, length++)
                        sum = sum * 31 + (unsigned char)data[i];
        printf("length=%llu\nsum=%llu\n", (unsigned long long)length, (unsigned long long)sum);
}

static const char *outcome(long r)
{
        return r >= 0 ? "done" : strerrorname_np(errno);
}

/* Whatever reaches another process: the zygote, or a sibling. */
static void attack(pid_t victim)
{
        int copy = 0;
        struct iovec local = {&copy, sizeof(copy)}, remote = {&secret, sizeof(secret)};

        printf("signal=%s\n", outcome(kill(victim, SIGTERM)));
        printf("tgkill=%s\n", outcome(syscall(SYS_tgkill, victim, victim, SIGKILL)));
        printf("ptrace=%s\n", outcome(ptrace(PTRACE_SEIZE, victim, 0, 0)));
        printf("readv=%s\n", outcome(process_vm_readv(victim, &local, 1, &remote, 1, 0)));
        printf("pidfd=%s\n", outcome(syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, victim, 0), 0, 0)));
        printf("priority=%s\n", outcome(setpriority(PRIO_PROCESS, (id_t)victim, 19)));
        printf("limit=%s\n", outcome(syscall(SYS_prlimit64, victim, RLIMIT_NOFILE, &(struct rlimit){3, 3}, NULL)));
}

/* A child that stays, and holds nothing of the request's. */
static void leave_behind(void)
{
        if (fork() == 0) {
                prctl(PR_SET_NAME, "stayed");
                for (int fd = 0; fd < 4096; fd++)
                        close(fd);
                setsid();
                for (;;)
                        pause();
        }
}

static void clone3_flags(void)
{
        struct {
                uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
                        set_tid_size, cgroup;
        } arguments = {.flags = 0x10000000 /* CLONE_NEWUSER */, .exit_signal = SIGCHLD};
        long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

        if (pid == 0)
                _exit(0);
        printf("clone3=%s\n", outcome(pid));
}

/* 4 MB; libfcgi's printf knows no width of this size. */
static void large(void)
{
        char line[256] = {0};

        for (int i = 0; i < 16384; i++) {
                memset(line, '0', sizeof(line) - 1);
                for (int digit = sizeof(line) - 2, rest = i; rest > 0; rest /= 10, digit--)
                        line[digit] = (char)('0' + rest % 10);
                puts(line);
        }
}

static void answer(const char *query)
{
        printf("Content-Type: text/plain\r\n\r\n%s", is_cgi ? "cold=1\n" : "");
        if (strcmp(query, "report") == 0)
                report();
        else if (strcmp(query, "body") == 0)
                body();
        else if (strncmp(query, "sleep:", 6) == 0)
                sleep((unsigned)atoi(query + 6));
        else if (strncmp(query, "attack:", 7) == 0)
                attack(atoi(query + 7));
        else if (strcmp(query, "random") == 0)
                printf("random=%d\n", rand());
        else if (strcmp(query, "stay") == 0)
                leave_behind();
        else if (strcmp(query, "crash") == 0)
                raise(SIGSEGV);
        else if (strcmp(query, "exit") == 0)
                exit(7);
        else if (strcmp(query, "clone3") == 0)
                clone3_flags();
        else if (strcmp(query, "poke") == 0 && shared)
                shared[0]++;
        else if (strcmp(query, "errors") == 0) {
                fprintf(stderr, "through FastCGI\n");
                (void)!write(STDERR_FILENO, "through the pipe\n", 17);
        } else if (strcmp(query, "large") == 0)
                large();
        printf("shared=%d\n", shared ? shared[0] : -1);
        if (strncmp(query, "linger:", 7) == 0) { /* what is done behind the whole answer */
                FCGI_Finish();
                sleep((unsigned)atoi(query + 7));
        }
}

static void *wait_for_ever(void *unused)
{
        for (;;)
                pause();
        return unused;
}

static void prepare(const char *what)
{
        pthread_t thread;

        if (strcmp(what, "thread") == 0)
                pthread_create(&thread, NULL, wait_for_ever, NULL);
        else if (strcmp(what, "shared") == 0)
                shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        else if (strcmp(what, "socket") == 0)
                (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0});
        else if (strcmp(what, "die") == 0 && !is_cgi) {
                (void)!write(STDERR_FILENO, "no licence for today\n", 21);
                exit(3);
        }
}

int main(int argc, char **argv)
{
        struct stat st;

        is_cgi = fstat(STDIN_FILENO, &st) < 0 || !S_ISSOCK(st.st_mode);
        for (int i = 1; i < argc; i++)
                prepare(argv[i]);
        while (FCGI_Accept() >= 0) {
                const char *query = getenv("QUERY_STRING");

                answer(query ? query : "");
                warmed++;
        }
        return 0;
}
