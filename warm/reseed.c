/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/reseed.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Up to 8.1: s1, s2 and "seeded" (ext/standard/php_lcg.h). Of another size it is something else. */
enum { PHP_LCG_SEEDED = 2, PHP_LCG_SIZE = 12 };

void reseed_find(struct reseed *ret_reseed)
{
        void *php = dlsym(RTLD_DEFAULT, "lcg_globals");
        ElfW(Sym) *symbol = NULL;
        Dl_info info;

        if (php &&
                (!dladdr1(php, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol || symbol->st_size != PHP_LCG_SIZE))
                php = NULL;
        ret_reseed->php = php;
        ret_reseed->perl_key = dlsym(RTLD_DEFAULT, "PL_thr_key");
        ret_reseed->perl_eval = dlsym(RTLD_DEFAULT, "Perl_eval_pv");
}

/* perlapi(1). There is no call for it, and where the seed is in the interpreter is not public. $@ is empty after it. */
static void reseed_perl(const struct reseed *reseed, uint32_t seed)
{
        void *(*eval)(void *interpreter, const char *text, int32_t croak);
        char text[64];
        void *interpreter;

        if (!reseed->perl_key || !reseed->perl_eval)
                return; /* no Perl, or one without threads, where the call is another one */
        interpreter = pthread_getspecific(*(pthread_key_t *)reseed->perl_key);
        if (!interpreter)
                return;
        *(void **)&eval = reseed->perl_eval; /* dlsym(3) */
        snprintf(text, sizeof(text), "CORE::srand(%lu)", (unsigned long)seed);
        (void)eval(interpreter, text, 0);
}

int reseed_child(const struct reseed *reseed)
{
        struct {
                uint32_t libc;
                uint32_t perl;
                unsigned short drand48[3];
        } seeds;
        int saved = errno;

        if (getrandom(&seeds, sizeof(seeds), 0) != sizeof(seeds))
                return -errno;
        srandom(seeds.libc);
        (void)seed48(seeds.drand48);
        if (reseed->php)
                reseed->php[PHP_LCG_SEEDED] = 0;
        reseed_perl(reseed, seeds.perl);
        errno = saved;
        return 0;
}
