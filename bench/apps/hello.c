/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The smallest honest CGI program: a header, a body, its own pid, exit. Linked statically. With "hold" in the query it
 * waits first, so that somebody can look at it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
        const char *query = getenv("QUERY_STRING");

        if (query && strstr(query, "hold"))
                usleep(20000);
        printf("Content-Type: text/plain\r\n\r\nhello from %d\n", (int)getpid());
        return 0;
}
