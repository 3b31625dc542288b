/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/event.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/descriptors.h"

static void set_detail(struct warm_event *event, const char *detail)
{
        for (size_t i = 0; i < sizeof(event->detail) - 1 && detail[i]; i++)
                event->detail[i] = (char)(detail[i] >= ' ' && detail[i] <= '~' ? detail[i] : '?');
}

int event_send(
        int control, enum warm_event_kind kind, uint32_t slot, int32_t value, uint64_t number, const char *detail)
{
        struct warm_event event = {.magic = WARM_MAGIC, .kind = kind, .slot = slot, .value = value, .number = number};
        struct pollfd room = {.fd = control, .events = POLLOUT};
        int r;

        set_detail(&event, detail);
        r = descriptors_send(control, &event, sizeof(event), NULL, 0);
        while (r == -EAGAIN) {
                int n = poll(&room, 1, EVENT_WAIT);

                if (n == 0)
                        return -ETIMEDOUT;
                if (n < 0 && errno != EINTR)
                        return -errno;
                r = descriptors_send(control, &event, sizeof(event), NULL, 0);
        }
        return r;
}

void event_end(int control, enum warm_event_kind kind, const char *format, ...)
{
        char detail[sizeof(((struct warm_event *)0)->detail)];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        (void)event_send(control, kind, 0, 0, 0, detail); /* it ends in any case */
        _exit(EXIT_FAILURE);
}
