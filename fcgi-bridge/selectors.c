/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/selectors.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

/* Copies the value of the parameter `name` into a field of `size` bytes; a missing one leaves it as it is. */
static int copy(const struct params *params, const char *name, char *field, size_t size)
{
        const struct param *param = params_find(params, name);

        return param ? wire_set_string(field, size, params->block + param->value, param->value_length) : 0;
}

/* `text` without `prefix`, or NULL when it does not begin with it. */
static const char *after(const char *text, const char *prefix)
{
        size_t length = strlen(prefix);

        return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* The path in an address of mod_proxy_fcgi; `script` itself when it is none; NULL when it is one without a
 * path. */
static const char *strip_proxy(const char *script)
{
        const char *address = after(script, "proxy:"), *host;

        if (!address)
                return script;
        if (after(address, "unix:")) {
                address = strchr(address, '|');
                if (!address)
                        return NULL;
                address++;
        }
        host = after(address, "fcgi://");
        if (!host)
                host = after(address, "balancer://");
        return host ? strchr(host, '/') : NULL;
}

static int strip_script(struct params *params)
{
        const struct param *param = params_find(params, "SCRIPT_FILENAME");
        const char *script, *path;

        if (!param)
                return 0;
        script = params->block + param->value;
        path = strip_proxy(script);
        if (!path)
                return -EINVAL;
        if (path != script)
                params_cut(params, param, (size_t)(path - script), strcspn(path, "?"));
        return 0;
}

int selectors_fill(struct params *params, struct wire_request *request, const char **ret_name)
{
        const struct {
                const char *name;
                char *field;
                size_t size;
        } selectors[] = {
                {"REMOTE_USER", request->user, sizeof(request->user)},
                {"REMOTE_ADDR", request->address, sizeof(request->address)},
                {"SERVER_NAME", request->host, sizeof(request->host)},
                {"SCRIPT_FILENAME", request->script, sizeof(request->script)},
        };

        if (strip_script(params) < 0) {
                *ret_name = "SCRIPT_FILENAME";
                return -EINVAL;
        }
        for (size_t i = 0; i < ELEMENTS(selectors); i++)
                if (copy(params, selectors[i].name, selectors[i].field, selectors[i].size) < 0) {
                        *ret_name = selectors[i].name;
                        return -EINVAL;
                }
        return 0;
}

int selectors_answer(const struct params *params, const struct wire_question *question,
        struct wire_variables *variables, const char **ret_name)
{
        wire_init_variables(variables);
        variables->n_values = question->n_names;
        for (size_t i = 0; i < question->n_names; i++)
                if (copy(params, question->names[i], variables->values[i], sizeof(variables->values[i])) < 0) {
                        *ret_name = question->names[i];
                        return -EINVAL;
                }
        return 0;
}

int selectors_content_length(const struct params *params, uint64_t *ret_length)
{
        const struct param *param = params_find(params, "CONTENT_LENGTH");
        uint64_t length = 0;

        if (!param || param->value_length == 0)
                return 0;
        for (size_t i = 0; i < param->value_length; i++) {
                char c = params->block[param->value + i];

                if (c < '0' || c > '9')
                        return -EINVAL;
                /* An off_t is what applications keep it in. */
                if (length > ((uint64_t)INT64_MAX - (uint64_t)(c - '0')) / 10)
                        return -EINVAL;
                length = length * 10 + (uint64_t)(c - '0');
        }
        *ret_length = length;
        return 1;
}
