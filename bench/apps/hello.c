/* SPDX-License-Identifier: Apache-2.0 */

/* The smallest honest CGI program: a header, a body, its own pid, exit. Linked statically. */

#include <stdio.h>
#include <unistd.h>

int main(void)
{
        printf("Content-Type: text/plain\r\n\r\nhello from %d\n", (int)getpid());
        return 0;
}
