/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_SANITIZER_H
#define KERN_SANITIZER_H

/*
 * Which sanitizer watches the code that is being compiled, as 0 or 1, and what
 * ThreadSanitizer is told of order that it does not see.
 *
 * gcc and clang say the first in different ways.  The virtual machine's build
 * (PMAPSIM_VIRTUAL) borrows -fsanitize=thread for the calls at each access; there
 * is no ThreadSanitizer behind them, and so it counts as watched by none.
 */

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(PMAPSIM_VIRTUAL)
#define SANITIZER_THREAD 0
#elif defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SANITIZER_THREAD 1
#else
#define SANITIZER_THREAD 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#else
#define SANITIZER_ADDRESS 0
#endif

#define SANITIZED (SANITIZER_THREAD || SANITIZER_ADDRESS)

/*
 * What comes after tsan_acquire() of an address is ordered behind what came
 * before the calls of tsan_release() with that address so far.
 */
#if SANITIZER_THREAD
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define tsan_acquire(addr) __tsan_acquire(addr)
#define tsan_release(addr) __tsan_release(addr)
#else
#define tsan_acquire(addr) ((void)(addr))
#define tsan_release(addr) ((void)(addr))
#endif

#endif /* KERN_SANITIZER_H */
