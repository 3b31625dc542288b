/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/service-warm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "common/warm.h"
#include "compiler/service-key.h"
#include "compiler/value.h"

#define SECOND UINT64_C(1000000)
#define DAY    (86400 * SECOND)

/* In the order of enum index_type. */
static const char *const types[] = {"cgi", "fastcgi", "wsgi", "python"};

void key_read_type(struct draft *draft, const char *value)
{
        const char *nearest = nearest_word(value, types, ELEMENTS(types));

        for (uint32_t i = 0; i < ELEMENTS(types); i++)
                if (strcmp(types[i], value) == 0) {
                        draft->service.type = i;
                        return;
                }
        key_wrong(draft, nearest, "'%s' is none of cgi, fastcgi, wsgi, python", value);
}

void key_read_warm(struct draft *draft, const char *value)
{
        draft->warm_line = draft->position.line;
        key_read_flag(draft, value);
}

void key_read_private_tmp(struct draft *draft, const char *value)
{
        const uint32_t flags = INDEX_PRIVATE_TMP | INDEX_TMP_SHARED;
        bool on;

        if (strcmp(value, "identity") == 0)
                draft->service.flags |= flags;
        else if (value_boolean(value, &on) < 0)
                key_wrong(draft, NULL, "'%s' is none of yes, no, identity", value);
        else
                draft->service.flags = (draft->service.flags & ~flags) | (on ? INDEX_PRIVATE_TMP : 0U);
}

/* What a request line can hold: RFC 3986, and no blank. */
static bool is_request(const char *text)
{
        if (text[0] != '/')
                return false;
        for (; *text; text++)
                if (*text <= ' ' || *text > '~')
                        return false;
        return true;
}

static void use_request(struct draft *draft, char *word)
{
        if (!is_request(word))
                key_wrong(draft, "write /path?query, and other characters as %XX", "'%s' is not a path with a query",
                        word);
        else if (draft->warm_up.count == INDEX_WARM_UP_MAX)
                key_wrong(draft, "they are made one after the other, at every start of an application zygote",
                        "more than %d requests", INDEX_WARM_UP_MAX);
        else
                key_add_string(draft, word, &draft->warm_up);
}

void key_read_warm_up(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->warm_up, use_request);
}

/* Control characters can be written as escapes; the stand-in gets the paths as lines. */
static bool has_control(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        return true;
        return false;
}

static void use_watched(struct draft *draft, char *word)
{
        if (has_control(word) || value_path(word) < 0)
                key_wrong(draft, "it is a path inside the root", "'%s' is not an absolute path without '..'", word);
        else if (draft->warm_watch.count == INDEX_WARM_WATCH_MAX)
                key_wrong(draft, "name the folders instead of the files in them", "more than %d paths",
                        INDEX_WARM_WATCH_MAX);
        else
                key_add_string(draft, word, &draft->warm_watch);
}

void key_read_warm_watch(struct draft *draft, const char *value)
{
        key_each_word(draft, value, &draft->warm_watch, use_watched);
}

void key_read_warm_idle(struct draft *draft, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec < SECOND || usec > DAY)
                key_wrong(draft, NULL, "'%s' is not a time span from 1s to 1d", value);
        else
                draft->service.warm_idle = usec;
}

static const char *argument(const struct draft *draft, size_t i)
{
        return builder_text(&draft->compile->builder, ((const index_string *)draft->argv.items)[i]);
}

/* The number of the first word of ExecStart= that is neither the interpreter nor an option of it. */
static size_t first_operand(const struct draft *draft)
{
        size_t i = 1;

        while (i < draft->argv.count && argument(draft, i)[0] == '-')
                i++;
        return i;
}

static bool is_python(const struct index_service *service)
{
        return service->type == INDEX_TYPE_WSGI || service->type == INDEX_TYPE_PYTHON;
}

static void check_python(const struct draft *draft, const struct position *exec)
{
        const bool is_wsgi = draft->service.type == INDEX_TYPE_WSGI;
        const size_t first = first_operand(draft), n = draft->argv.count - first;
        const char *hint = is_wsgi ? "ExecStart=/usr/bin/python3 FILE, or FILE and the name of the callable in it"
                                   : "ExecStart=/usr/bin/python3 FILE, or without FILE and with ScriptDirectory=";

        if (n == 0 && (is_wsgi || !draft->service.script_directory))
                diagnose(*exec, hint, "ExecStart=: Type=%s needs a file to run", types[draft->service.type]);
        else if (n > 0 && argument(draft, first)[0] != '/')
                diagnose(*exec, hint, "ExecStart=: '%s' is not an absolute path", argument(draft, first));
        else if (is_wsgi && n > 1 && !key_is_name(argument(draft, first + 1)))
                diagnose(*exec, hint, "ExecStart=: '%s' is not a name in Python", argument(draft, first + 1));
}

static bool sets_preload(const struct draft *draft)
{
        static const char name[] = "LD_PRELOAD=";
        const index_string *variables = draft->environment.items;

        for (size_t i = 0; i < draft->environment.count; i++)
                if (strncmp(builder_text(&draft->compile->builder, variables[i]), name, strlen(name)) == 0)
                        return true;
        return false;
}

/* What a warm service cannot have: each would let one request find what another left, or leave nothing to fork. */
static void check_warm(const struct draft *draft, const struct position *warm)
{
        const struct index_service *service = &draft->service;

        if (service->type == INDEX_TYPE_CGI)
                diagnose(*warm, "Type=fastcgi for php-cgi, Perl and C programs; Type=wsgi or Type=python for Python",
                        "Warm=: a CGI program ends with its request, and cannot be forked before one");
        if ((service->flags & (INDEX_PRIVATE_TMP | INDEX_TMP_SHARED)) == INDEX_PRIVATE_TMP)
                diagnose(*warm,
                        "PrivateTmp=identity gives the requests of an application zygote one /tmp, PrivateTmp=no none",
                        "Warm=: with PrivateTmp=yes each request would need a mount that a fork cannot make");
        if (draft->filter.chosen && filter_lets_ipc_remain(&draft->filter))
                diagnose(*warm, "add SystemCallFilter=~shmget semget msgget mq_open",
                        "Warm=: SystemCallFilter= lets a request leave IPC objects behind for the next one");
        if (service->warm_children_max > 0 && service->warm_children_max < service->warm_spare)
                diagnose(*warm, "WarmSpare= is a part of WarmChildrenMax=",
                        "Warm=: WarmSpare=%u children ahead are more than WarmChildrenMax=%u", service->warm_spare,
                        service->warm_children_max);
        if (sets_preload(draft))
                diagnose(*warm, "leave it out of Environment=, or write Warm=no",
                        "Warm=: Environment= sets LD_PRELOAD, which brings in the stand-in for accept(2)");
}

/* Two descriptors for each child that there can be at once, and as many as a small application needs. */
static void check_descriptors(const struct draft *draft, const struct position *warm)
{
        const struct index_service *service = &draft->service;
        uint64_t children = service->max_connections + service->warm_spare, needed;

        if (service->warm_children_max > 0 && service->warm_children_max < children)
                children = service->warm_children_max;
        needed = 2 * (children < WARM_SLOTS_MAX ? children : WARM_SLOTS_MAX) + 64;
        if (service->limits[RLIMIT_NOFILE] < needed)
                diagnose_warning(*warm, "raise LimitNOFILE=, or lower MaxConnections=",
                        "Warm=: LimitNOFILE= leaves no room for two descriptors of each child: %ju would do",
                        (uintmax_t)needed);
}

void service_warm_check(const struct draft *draft, const char *path)
{
        const struct index_service *service = &draft->service;
        const struct position warm = {.file = path, .line = draft->warm_line};
        const struct position exec = {.file = path, .line = draft->exec_line};

        if (service->flags & INDEX_TMP_SHARED && !(service->flags & INDEX_WARM))
                diagnose((struct position){.file = path}, "write Warm=yes, or PrivateTmp=yes",
                        "PrivateTmp=identity is the /tmp of an application zygote, and the service is not warm");
        if (draft->argv.count == 0 && (service->flags & INDEX_WARM || service->type != INDEX_TYPE_CGI)) {
                diagnose(service->flags & INDEX_WARM ? warm : exec, NULL,
                        "Warm=yes, and a Type= other than cgi, need ExecStart=");
                return;
        }
        if (is_python(service))
                check_python(draft, &exec);
        if (service->flags & INDEX_WARM) {
                check_warm(draft, &warm);
                check_descriptors(draft, &warm);
        }
}

/* INTERPRETER [OPTION…] RUNNER wsgi FILE CALLABLE [ARGUMENT…], or … RUNNER python [FILE [ARGUMENT…]]. */
static void put_runner(struct draft *draft)
{
        const size_t first = first_operand(draft);
        const index_string *words = draft->argv.items;
        struct list argv = {0};

        for (size_t i = 0; i < first; i++)
                list_append(&argv, &words[i], sizeof(words[i]));
        key_add_string(draft, WARM_RUNNER, &argv);
        key_add_string(draft, types[draft->service.type], &argv);
        for (size_t i = first; i < draft->argv.count; i++)
                list_append(&argv, &words[i], sizeof(words[i]));
        if (draft->service.type == INDEX_TYPE_WSGI && draft->argv.count == first + 1)
                key_add_string(draft, "application", &argv);
        list_clear(&draft->argv);
        draft->argv = argv;
}

void service_warm_finish(struct draft *draft)
{
        struct index_service *service = &draft->service;

        if (is_python(service))
                put_runner(draft);
        if (is_python(service) || service->flags & INDEX_WARM)
                service->flags |= INDEX_RUNNER;
        service->warm_up = builder_list(&draft->compile->builder, &draft->warm_up, sizeof(index_string));
        service->warm_watch = builder_list(&draft->compile->builder, &draft->warm_watch, sizeof(index_string));
}
