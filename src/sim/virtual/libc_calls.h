/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_LIBC_CALLS_H
#define SIM_VIRTUAL_LIBC_CALLS_H

/*
 * What libc writes for the library is work of the model too.
 *
 * ThreadSanitizer catches memset() and its like in libc, which has no place
 * here: libc serves the runtime as well.  So the sources that are instrumented
 * begin with this file (-include, src/virtual.cmake), and what they call goes to
 * the entry points that newer compilers call by themselves.  A copy that the
 * compiler makes on its own, of a struct, it instruments.
 */

#include <string.h>

void *__tsan_memcpy(void *dst, const void *src, size_t size);
void *__tsan_memmove(void *dst, const void *src, size_t size);
void *__tsan_memset(void *dst, int c, size_t size);

#define memcpy(dst, src, size)  __tsan_memcpy(dst, src, size)
#define memmove(dst, src, size) __tsan_memmove(dst, src, size)
#define memset(dst, c, size)    __tsan_memset(dst, c, size)

#endif /* SIM_VIRTUAL_LIBC_CALLS_H */
