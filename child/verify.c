/* SPDX-License-Identifier: Apache-2.0 */
#include "child/verify.h"

#include <grp.h>
#include <sys/prctl.h>

#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/keyed.h"

static bool same_groups(const struct spawn_request *spawn)
{
        gid_t groups[INDEX_GROUPS_MAX + 1];
        int n = getgroups(ELEMENTS(groups), groups);

        if (n < 0 || (uint32_t)n != spawn->n_groups)
                return false;
        for (uint32_t i = 0; i < spawn->n_groups; i++) {
                int found = 0;

                for (int k = 0; k < n; k++)
                        found |= groups[k] == spawn->groups[i];
                if (!found)
                        return false;
        }
        return true;
}

int verify_identity(const struct jail *jail, const struct spawn_request *spawn)
{
        const uint32_t min = jail->index->header->min_uid;
        const long other = spawn->uid == min ? min + 1 : min;
        uid_t uids[3];
        gid_t gids[3];

        if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (uids[i] != spawn->uid || gids[i] != spawn->gid)
                        return -ENOTRECOVERABLE;
        if (!same_groups(spawn) || !capabilities_are_gone() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return -ENOTRECOVERABLE;
        if (keyed_call(jail->key, SYS_setresuid, other, other, other, 0, 0) == 0 || errno != EPERM)
                return -ENOTRECOVERABLE;
        return 0;
}
