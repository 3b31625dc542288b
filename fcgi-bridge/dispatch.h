/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/connection.h"

/*
 * What each record from the web server means: FastCGI Specification 1.0, sections 3.3, 4 and 5.
 */

enum {
        DISPATCH_DONE, /* the record has had its effect */
        DISPATCH_WAIT, /* it must be given again later: the application does not take the body's bytes now */
};

/*
 * Gives one whole record its effect. Returns one of the above, or -EPROTO, after a line in the log, when the
 * web server has broken the protocol so that what follows cannot be trusted to be records of the requests
 * they name.
 */
int dispatch_record(struct connection *connection, const struct record *record);
