/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SANITIZER is 1 in a build with AddressSanitizer, for tests only, and 0 otherwise.
 *
 * At exit its leak check clones a thread that stops the process with ptrace(2) and reads /proc/self. A program
 * confined as in production makes that fail, and a leak check that cannot run would pass for one that found
 * nothing. So such a build has no Landlock and wider system-call filters, and says so in the log.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#endif
#ifndef SANITIZER
#define SANITIZER 0
#endif
