/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UMTX_SYS_RTPRIO_H
#define UMTX_SYS_RTPRIO_H

/* What sim/loan_freebsd.c needs of FreeBSD's <sys/rtprio.h>. */

#include <stdint.h>

#define RTP_LOOKUP 0

#define RTP_PRIO_REALTIME 2
#define RTP_PRIO_NORMAL   3
#define RTP_PRIO_FIFO     10

struct rtprio {
	unsigned short type;
	unsigned short prio;
};

int rtprio_thread(int function, int32_t lwpid, struct rtprio *rtp);

#endif /* UMTX_SYS_RTPRIO_H */
