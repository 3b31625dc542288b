/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/door.h"
#include "common/network.h"
#include "compiler/front-door.h"
#include "compiler/name-service.h"
#include "compiler/service-key.h"
#include "compiler/value.h"

/* Keys of a service that take a list of words. */

static void use_door(struct draft *draft, char *word)
{
        char name[DOOR_NAME_MAX];

        if (front_door_parse(word, name, sizeof(name)) < 0)
                key_wrong(draft, "write /run/name.sock, 127.0.0.1:9000 or [::1]:9000", "'%s' is not a socket address",
                        word);
        else
                key_add_string(draft, name, &draft->doors);
}

void key_read_doors(struct draft *draft, const char *value)
{
        draft->door_line = draft->position.line;
        key_each_word(draft, value, &draft->doors, use_door);
}

static void use_front_end_user(struct draft *draft, char *word)
{
        uint32_t uid;

        if (name_service_uid(word, &uid) < 0)
                key_wrong(draft, NULL, "there is no account '%s'", word);
        else
                list_append(&draft->front_end_users, &uid, sizeof(uid));
}

void key_read_front_end_users(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->front_end_users, use_front_end_user);
}

static void use_trusted(struct draft *draft, char *word)
{
        struct index_network network;
        int r = network_parse(word, &network);

        if (r < 0)
                key_wrong(draft, r == -ERANGE ? "bits beyond the prefix are set" : NULL,
                        "'%s' is not an address such as 192.0.2.1 or 192.0.2.0/24", word);
        else
                list_append(&draft->trusted, &network, sizeof(network));
}

void key_read_trusted(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->trusted, use_trusted);
}

static void use_argument(struct draft *draft, char *word)
{
        key_add_string(draft, word, &draft->argv);
}

void key_read_exec(struct draft *draft, const char *value)
{
        char path[KEY_WORD_MAX];

        draft->exec_line = draft->position.line;
        list_clear(&draft->argv);
        key_each_word(draft, value, &draft->argv, use_argument);
        if (draft->argv.count == 0)
                return;
        snprintf(path, sizeof(path), "%s",
                builder_text(&draft->compile->builder, ((index_string *)draft->argv.items)[0]));
        if (value_path(path) < 0)
                key_wrong(draft, "give the program's absolute path inside the root, without prefixes such as - or +",
                        "'%s' is not an absolute path", path);
}

static void use_bind(struct draft *draft, char *word)
{
        bool optional = word[0] == '-';
        char *source = word + optional, *destination = strchr(source, ':');
        struct index_bind bind = {.flags = (uint32_t)draft->key->detail | (optional ? INDEX_BIND_OPTIONAL : 0)};

        if (destination)
                *destination++ = '\0';
        if (value_path(source) < 0 || (destination && (strchr(destination, ':') || value_path(destination) < 0))) {
                key_wrong(draft, "write SOURCE or SOURCE:DESTINATION, absolute and without '..'", "'%s'", source);
                return;
        }
        bind.source = builder_string(&draft->compile->builder, source);
        bind.target = destination ? builder_string(&draft->compile->builder, destination) : bind.source;
        list_append(&draft->binds, &bind, sizeof(bind));
}

void key_read_binds(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->binds, use_bind);
}

/* What the broker alone says of a request. */
static bool is_reserved_name(const char *variable)
{
        static const char *const reserved[] = {
                "REMOTE_USER=", "REMOTE_ADDR=", "SERVER_NAME=", "GATEWAY_INTERFACE=", "SANDBOXD_"};

        for (size_t i = 0; i < ELEMENTS(reserved); i++)
                if (strncmp(variable, reserved[i], strlen(reserved[i])) == 0)
                        return true;
        return false;
}

static void use_variable(struct draft *draft, char *word)
{
        char *equals = strchr(word, '=');
        bool valid = false;

        if (equals) {
                *equals = '\0';
                valid = key_is_name(word);
                *equals = '=';
        }
        if (valid && is_reserved_name(word))
                key_wrong(draft, "these say who asked, and come from the launch request",
                        "'%s' is not for a service to set", word);
        else if (valid)
                key_add_string(draft, word, &draft->environment);
        else
                key_wrong(draft, NULL, "'%s' is not NAME=VALUE", word);
}

void key_read_environment(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->environment, use_variable);
}

/* Variables that change what the loader, the shell or an interpreter executes are not for a client to send.
 */
static bool is_dangerous(const char *name)
{
        static const char *const prefixes[] = {"LD_", "PYTHON", "PERL", "PHP", "RUBY", "NODE_", "BASH_", "GCONV_",
                "GLIBC_", "GIT_", "LUA_", "JAVA_", "OPENSSL_", "MALLOC_"};
        static const char *const names[] = {"PATH", "IFS", "ENV", "HOME", "SHELL", "TMPDIR", "HTTP_PROXY"};

        for (size_t i = 0; i < ELEMENTS(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcasecmp(name, names[i]) == 0)
                        return true;
        return false;
}

static void use_name(struct draft *draft, char *word)
{
        if (!key_is_name(word))
                key_wrong(draft, NULL, "'%s' is not the name of a variable", word);
        else if (is_dangerous(word))
                key_wrong(draft, "set it with Environment= instead", "'%s' must not come from a request", word);
        else
                key_add_string(draft, word, &draft->pass_environment);
}

void key_read_pass_environment(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->pass_environment, use_name);
}
