/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "common/wire.h"
#include "fcgi-bridge/params.h"

/*
 * What the broker and the bridge themselves need to know of the parameters. Pure.
 */

/*
 * Fills the selectors of `request` (RFC 3875, section 4.1): user from REMOTE_USER, address from REMOTE_ADDR,
 * host from SERVER_NAME, script from SCRIPT_FILENAME; one that is missing is left empty.
 *
 * httpd's mod_proxy_fcgi writes SCRIPT_FILENAME as "proxy:fcgi://HOST[:PORT]/PATH", or as
 * "proxy:unix:SOCKET|fcgi://HOST/PATH". It is shortened to /PATH, without a query string, in `params` too, so
 * that the application sees the script that was judged.
 *
 * Returns 0, or -EINVAL with the parameter's name in `ret_name` when one does not fit its field, has a
 * control character in it, or is a "proxy:" address without a path.
 */
int selectors_fill(struct params *params, struct wire_request *request, const char **ret_name);

/*
 * Fills `variables` with the values of the parameters that `question`, which has been checked, names, in its order; one
 * that is missing, or was dropped (params.h), is left empty.
 *
 * Returns 0, or -EINVAL with the parameter's name, which is the question's, in `ret_name` when a value does not fit its
 * field or has a control character in it; `variables` are of no use then.
 */
int selectors_answer(const struct params *params, const struct wire_question *question,
        struct wire_variables *variables, const char **ret_name);

/*
 * CONTENT_LENGTH (RFC 3875, section 4.1.2: empty, or decimal digits). Returns 1 with the number of bytes; 0
 * when it is missing or empty; -EINVAL when it is anything else or does not fit.
 */
int selectors_content_length(const struct params *params, uint64_t *ret_length);
