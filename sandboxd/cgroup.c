/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/helper.h"
#include "common/hierarchy.h"

static int open_own(void)
{
        char path[PATH_MAX];
        int r = hierarchy_own(path, sizeof(path));

        return r < 0 ? r : hierarchy_open(AT_FDCWD, path);
}

int cgroups_open(struct cgroups *ret_cgroups)
{
        struct cgroups cgroups = {.base = -1};
        _cleanup_close_ int own = open_own(), broker = -1;
        char name[64], ignored[64];
        int r;

        *ret_cgroups = cgroups;
        if (own < 0)
                return own == -ENOENT ? 0 : own;
        hierarchy_remove_dead(own, "sandboxd.");
        snprintf(name, sizeof(name), "sandboxd.%d", (int)getpid());
        cgroups.base = hierarchy_make(own, name);
        if (cgroups.base == -EROFS || cgroups.base == -EACCES || cgroups.base == -EPERM)
                return 0; /* not ours to write: as if there were none */
        if (cgroups.base < 0)
                return cgroups.base;
        broker = hierarchy_make(cgroups.base, "broker");
        r = broker < 0 ? broker : hierarchy_write(broker, "cgroup.procs", "0");
        if (r < 0) {
                close_fd(cgroups.base);
                return r;
        }
        hierarchy_enable(own, ignored, sizeof(ignored));
        hierarchy_enable(cgroups.base, cgroups.controllers, sizeof(cgroups.controllers));
        *ret_cgroups = cgroups;
        return 0;
}

void cgroups_close(struct cgroups *cgroups)
{
        _cleanup_close_ int own = -1;
        char name[64];
        struct stat st;
        bool writable;

        if (cgroups->base < 0)
                return;
        own = hierarchy_open(cgroups->base, "..");
        cgroups->base = close_fd(cgroups->base);
        /* Refused where controllers are enabled for our siblings; whoever delegated the group to us removes
         * it. */
        if (own < 0 || hierarchy_write(own, "cgroup.procs", "0") < 0)
                return;
        snprintf(name, sizeof(name), "sandboxd.%d", (int)getpid());
        /* The top of the hierarchy has mode 0555; it is root's, and CAP_DAC_OVERRIDE has been given up. */
        writable = fstat(own, &st) == 0 && !(st.st_mode & S_IWUSR) && fchmod(own, st.st_mode | S_IWUSR) == 0;
        hierarchy_remove(own, name);
        if (writable)
                fchmod(own, st.st_mode);
}

int cgroup_service_open(struct cgroups *cgroups, const struct index_service *service, const char *name,
        uid_t zygote_uid, struct cgroup_service *ret_service)
{
        struct cgroup_service group = {.cgroups = cgroups, .folder = -1, .zygotes = -1};
        char enabled[64];
        int r;

        snprintf(group.name, sizeof(group.name), "%s", name);
        if (cgroups->base < 0) {
                *ret_service = group;
                return 0;
        }
        group.folder = hierarchy_make(cgroups->base, name);
        if (group.folder < 0)
                return group.folder;
        group.zygotes = hierarchy_make(group.folder, "zygotes");
        r = group.zygotes < 0 ? group.zygotes : hierarchy_give(group.folder, zygote_uid);
        /* A group within a service's is held by them anyway, and has the files only if requests have limits. */
        if (r == 0 && !strchr(name, '/'))
                r = hierarchy_set_limits(group.folder, &service->cgroup);
        if (r == 0 && hierarchy_has_limits(&service->request_cgroup)) {
                group.limits = &service->request_cgroup;
                hierarchy_enable(group.folder, enabled, sizeof(enabled)); /* one that is missing fails at the leaf */
        }
        if (r < 0) {
                cgroup_service_close(&group);
                return r;
        }
        *ret_service = group;
        return 0;
}

/*
 * Makes the descriptor one of a detached mount that begins at the leaf. Zygotes get it, and through a folder of the
 * host's own mount ".." leads to the host's root.
 */
static int detach(int *folder)
{
        int detached = open_tree(*folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);

        if (detached < 0)
                return -errno;
        close_fd(*folder);
        *folder = detached;
        return 0;
}

int cgroup_service_lend(struct cgroup_service *service, uid_t zygote_uid)
{
        int r = hierarchy_give(service->zygotes, zygote_uid);

        return r < 0 ? r : detach(&service->zygotes);
}

/* With it, what is in its PID namespace ends. */
static void end_keeper(struct cgroup_service *service, struct cgroup_leaf *leaf)
{
        if (leaf->keeper >= 0)
                helper_end_later(service->cgroups->event, leaf->keeper, NULL);
        leaf->keeper = -1;
}

static void forget_leaf(struct cgroup_service *service, struct cgroup_leaf *leaf)
{
        end_keeper(service, leaf);
        close_fd(leaf->folder);
        close_fd(leaf->events);
        free(leaf);
}

void cgroup_service_close(struct cgroup_service *service)
{
        while (service->free_leaves) {
                struct cgroup_leaf *leaf = service->free_leaves;

                service->free_leaves = leaf->next_free;
                forget_leaf(service, leaf);
        }
        close_fd(service->zygotes);
        if (service->folder >= 0)
                hierarchy_remove_later(service->cgroups->base, &service->cgroups->rests, service->name);
        service->folder = close_fd(service->folder);
}

void cgroup_end_keepers(struct cgroup_service *service, unsigned owner)
{
        for (struct cgroup_leaf *leaf = service->free_leaves; leaf; leaf = leaf->next_free)
                if (leaf->keeper >= 0 && (owner == 0 || leaf->owner == owner)) {
                        end_keeper(service, leaf);
                        service->n_kept--;
                }
}

/* Of the free leaves, the last that has one: it was given back first. */
static void end_oldest_keeper(struct cgroup_service *service)
{
        struct cgroup_leaf *oldest = NULL;

        for (struct cgroup_leaf *leaf = service->free_leaves; leaf; leaf = leaf->next_free)
                if (leaf->keeper >= 0)
                        oldest = leaf;
        if (oldest) {
                end_keeper(service, oldest);
                service->n_kept--;
        }
}

/* One with a keeper of the owner's, or else one without. */
static struct cgroup_leaf *take_free(struct cgroup_service *service, unsigned owner)
{
        struct cgroup_leaf **best = NULL, *leaf;

        for (struct cgroup_leaf **at = &service->free_leaves; *at; at = &(*at)->next_free) {
                bool is_own = (*at)->keeper >= 0 && (*at)->owner == owner;

                if (is_own || (!best && (*at)->keeper < 0))
                        best = at;
                if (is_own)
                        break;
        }
        if (!best)
                return NULL;
        leaf = *best;
        *best = leaf->next_free;
        service->n_kept -= leaf->keeper >= 0;
        leaf->owner = owner;
        return leaf;
}

int cgroup_leaf_take(struct cgroup_service *service, uid_t zygote_uid, unsigned owner, struct cgroup_leaf **ret_leaf)
{
        struct cgroup_leaf *leaf = take_free(service, owner);
        char name[32];
        int r;

        *ret_leaf = leaf;
        if (leaf || service->folder < 0)
                return 0;
        leaf = calloc(1, sizeof(*leaf));
        if (!leaf)
                return -ENOMEM;
        leaf->number = service->next++;
        leaf->events = leaf->keeper = -1;
        leaf->owner = owner;
        snprintf(name, sizeof(name), "request.%u", leaf->number);
        leaf->folder = hierarchy_make(service->folder, name);
        r = leaf->folder < 0 ? leaf->folder : hierarchy_give(leaf->folder, zygote_uid);
        if (r == 0 && service->limits)
                r = hierarchy_set_limits(leaf->folder, service->limits);
        /* The whole request goes: one that lost a process has no answer worth waiting for. */
        if (r == 0 && service->limits && service->limits->memory_max != UINT64_MAX)
                r = hierarchy_write(leaf->folder, "memory.oom.group", "1");
        if (r == 0)
                r = detach(&leaf->folder);
        if (r == 0) {
                leaf->events = openat(leaf->folder, "cgroup.events", O_RDONLY | O_CLOEXEC);
                r = leaf->events < 0 ? -errno : 0;
        }
        if (r < 0) {
                forget_leaf(service, leaf);
                unlinkat(service->folder, name, AT_REMOVEDIR);
                return r;
        }
        *ret_leaf = leaf;
        return 0;
}

void cgroup_leaf_kill(struct cgroup_service *service, struct cgroup_leaf *leaf)
{
        char name[CGROUP_NAME_SIZE];

        /* The name is never used again: `next` only counts up. */
        hierarchy_write(leaf->folder, "cgroup.kill", "1");
        snprintf(name, sizeof(name), "%.128s/request.%u", service->name, leaf->number);
        forget_leaf(service, leaf);
        hierarchy_remove_later(service->cgroups->base, &service->cgroups->rests, name);
}

void cgroup_leaf_return(struct cgroup_service *service, struct cgroup_leaf *leaf)
{
        char text[32];

        if (!leaf)
                return;
        if (pread(leaf->events, text, sizeof(text), 0) > 0 && strncmp(text, "populated 0", 11) == 0) {
                if (leaf->keeper >= 0 && service->n_kept >= CGROUP_KEPT_MAX)
                        end_oldest_keeper(service);
                service->n_kept += leaf->keeper >= 0;
                leaf->next_free = service->free_leaves;
                service->free_leaves = leaf;
                return;
        }
        cgroup_leaf_kill(service, leaf);
}
