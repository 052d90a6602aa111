/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UMTX_PTHREAD_NP_H
#define UMTX_PTHREAD_NP_H

/* What sim/loan_freebsd.c needs of FreeBSD's <pthread_np.h>. */

int pthread_getthreadid_np(void);

#endif /* UMTX_PTHREAD_NP_H */
