/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/error-page.h"

#include <stdio.h>

#include "common/cleanup.h"

/* RFC 9110, section 15, and RFC 6585 for 431. */
static const char *reason_of(unsigned status)
{
        static const struct {
                unsigned status;
                const char *reason;
        } reasons[] = {
                {400, "Bad Request"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {408, "Request Timeout"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
        };

        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "Error";
}

size_t error_page(char *out, unsigned status, const char *request_id)
{
        const char *reason = reason_of(status);
        int length;

        length = snprintf(out, ERROR_PAGE_MAX,
                "Status: %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n%u %s\nrequest %.32s\n", status,
                reason, status == 503 ? "Retry-After: 1\r\n" : "", status, reason, request_id);
        return (size_t)length;
}
