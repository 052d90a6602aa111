/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_CPU_H
#define KERN_CPU_H

#ifndef CACHE_LINE_SIZE /* FreeBSD's <sys/param.h> has it */
#define CACHE_LINE_SIZE 64
#endif
/* Adjacent-line prefetchers pair lines up: what must not be shared gets two. */
#define CACHE_PAIR_SIZE 128

/* A hint to the CPU that this is a spin loop. */
#if defined(__x86_64__) || defined(__i386__)
#define cpu_spinwait() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_spinwait() __asm__ __volatile__("isb" ::: "memory")
#else
#define cpu_spinwait() ((void)0)
#endif

#endif /* KERN_CPU_H */
