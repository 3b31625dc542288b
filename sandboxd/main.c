/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd, the broker: takes launch requests from fcgi-bridge, decides by the identity map who runs them,
 * and has the service's zygote make a confined process for each. See sandboxd(8).
 */

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/broker-options.h"
#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "sandboxd/access.h"
#include "sandboxd/broker.h"
#include "sandboxd/generation.h"
#include "sandboxd/resolver.h"
#include "sandboxd/server.h"
#include "sandboxd/stop.h"

/*
 * What the broker, and through it a zygote's set-up, needs: SETUID, SETGID, SETPCAP to become another account
 * and drop the rest; SYS_ADMIN for namespaces, mounts and clone3; KILL for requests past their deadline; CHOWN for
 * cgroup files; SYS_RESOURCE for limits above our own; AUDIT_WRITE for what the SELinux policy denied a front end.
 */
static const uint64_t kept_capabilities = CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SETGID) |
                                          CAPABILITY_BIT(CAP_SETPCAP) | CAPABILITY_BIT(CAP_SYS_ADMIN) |
                                          CAPABILITY_BIT(CAP_KILL) | CAPABILITY_BIT(CAP_CHOWN) |
                                          CAPABILITY_BIT(CAP_SYS_RESOURCE) | CAPABILITY_BIT(CAP_AUDIT_WRITE);

uint64_t broker_now(const struct broker *broker)
{
        uint64_t now = 0;

        sd_event_now(broker->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* Everything but the list goes, from the bounding set too: a zygote is executed as root and would get it all.
 */
static int drop_capabilities(void)
{
        int r = capabilities_bound(kept_capabilities);

        return r < 0 ? r : capabilities_keep(kept_capabilities);
}

/* Exactly one socket, of the right kind; anything else is a mistake in a unit file. */
static int take_launch_socket(int *ret_fd)
{
        int n = sd_listen_fds(1);

        if (n != 1) {
                log_message(LOG_ERR,
                        "expected one launch socket from socket activation, got %d; start sandboxd.socket, "
                        "or systemd-socket-activate --seqpacket -l PATH sandboxd",
                        n < 0 ? 0 : n);
                return -EINVAL;
        }
        if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) <= 0) {
                log_message(LOG_ERR, "the socket handed over is not a listening Unix socket of type SOCK_SEQPACKET "
                                     "(ListenSequentialPacket=)");
                return -EINVAL;
        }
        if (fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        *ret_fd = SD_LISTEN_FDS_START;
        return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        (void)source, (void)info;
        sd_notify(0, "RELOADING=1");
        log_message(LOG_NOTICE, "reloading the configuration");
        return generation_load(userdata);
}

/* Accepting begins with the first configuration. */
static int on_loop_turn(sd_event_source *source, void *userdata)
{
        struct broker *broker = userdata;

        if (!broker->current)
                return 0;
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return server_start(broker);
}

static int set_up_loop(struct broker *broker)
{
        sigset_t handled;
        sd_event_source *turn = NULL;
        int r;

        sigemptyset(&handled);
        sigaddset(&handled, SIGHUP);
        sigaddset(&handled, SIGTERM);
        sigaddset(&handled, SIGINT);
        sigaddset(&handled, SIGPIPE); /* of a resolver that is gone; write(2) says so. Helpers begin without a mask. */
        if (sigprocmask(SIG_BLOCK, &handled, NULL) < 0)
                return -errno;
        r = sd_event_new(&broker->event);
        if (r >= 0)
                r = sd_event_add_signal(broker->event, NULL, SIGHUP, on_reload, broker);
        if (r >= 0)
                r = stop_set_up(broker);
        if (r >= 0)
                r = sd_event_add_post(broker->event, &turn, on_loop_turn, broker);
        if (r >= 0)
                r = sd_event_source_set_floating(turn, true);
        sd_event_source_unref(turn);
        if (r >= 0)
                r = sd_event_set_watchdog(broker->event, true);
        return r < 0 ? r : 0;
}

static int fail(const char *what, int r)
{
        log_message(LOG_ERR, "%s: %s", what, strerror(-r));
        return r;
}

static int set_up(struct broker *broker)
{
        const char *missing = NULL;
        int r;

        if (geteuid() != 0) {
                log_message(LOG_ERR, "sandboxd starts as root; it gives up what it does not need by itself");
                return -EPERM;
        }
        r = take_launch_socket(&broker->listen_fd);
        if (r < 0)
                return r;
        r = accounts_find(&broker->accounts, &missing);
        if (r < 0) {
                log_message(LOG_ERR,
                        "there is no account %s, or it is root's: run systemd-sysusers, see units/sandboxd.sysusers",
                        missing);
                return r;
        }
        r = cgroups_open(&broker->cgroups);
        if (r < 0)
                return fail("cannot make a control group below our own (a unit needs Delegate=yes)", r);
        r = drop_capabilities();
        if (r < 0)
                return fail("cannot drop capabilities", r);
        /* Our memory holds every identity's decisions: no core dump, no tracing. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fail("cannot become undumpable", -errno);
        r = set_up_loop(broker);
        broker->cgroups.event = broker->event;
        return r < 0 ? fail("cannot set up the event loop", r) : 0;
}

static void tear_down(struct broker *broker)
{
        server_stop(broker);
        if (broker->load_source) {
                sd_event_source_disable_unref(broker->load_source);
                sd_event_source_disable_unref(broker->load_timer);
                load_cancel(&broker->load);
        }
        if (broker->current) {
                generation_release_map(broker->current);
                generation_release(broker->current);
        }
        sd_event_source_disable_unref(broker->drain_source);
        sd_event_source_disable_unref(broker->deadline_source);
        resolver_close(broker);
        access_close();
        sd_event_unref(broker->event);
        cgroups_close(&broker->cgroups);
}

int main(int argc, char **argv)
{
        static struct broker broker = {.cgroups.base = -1, .load = {-1, -1, -1}};
        int r;

        log_open("sandboxd");
        TAILQ_INIT(&broker.requests);
        TAILQ_INIT(&broker.warm);
        for (size_t i = 0; i < RESOLVERS; i++)
                broker.resolvers[i] = (struct resolver){.broker = &broker, .pidfd = -1, .pipes = {-1, -1}};
        r = broker_options_parse(argc, argv, &broker.options);
        if (r != 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        r = set_up(&broker);
        if (r == 0)
                r = generation_load(&broker);
        if (r == 0)
                r = sd_event_loop(broker.event);
        tear_down(&broker);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
