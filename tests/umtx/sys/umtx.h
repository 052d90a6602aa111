/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UMTX_SYS_UMTX_H
#define UMTX_SYS_UMTX_H

/*
 * What sim/loan_freebsd.c needs of FreeBSD's <sys/umtx.h>, with FreeBSD's names,
 * values and layouts; umtx_model.c stands in for the kernel.
 */

#include <stdint.h>
#include <time.h>

typedef int32_t lwpid_t;

struct umutex {
	lwpid_t m_owner;
	uint32_t m_flags;
	uint32_t m_ceilings[2];
	uintptr_t m_rb_lnk;
	uint32_t m_spare[2];
};

struct _umtx_time {
	struct timespec _timeout;
	uint32_t _flags;
	uint32_t _clockid;
};

#define UMTX_ABSTIME 0x01

#define UMUTEX_UNOWNED      0x0
#define UMUTEX_CONTESTED    0x80000000U
#define UMUTEX_PRIO_INHERIT 0x0004

#define UMTX_OP_MUTEX_LOCK   5
#define UMTX_OP_MUTEX_UNLOCK 6

int _umtx_op(void *obj, int op, unsigned long val, void *uaddr, void *uaddr2);

#endif /* UMTX_SYS_UMTX_H */
