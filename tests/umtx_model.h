/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UMTX_MODEL_H
#define TESTS_UMTX_MODEL_H

/* What a test asks of umtx_model.c, and tells it. */

#include <stdbool.h>
#include <stdint.h>

/* How many threads sleep on a umutex whose owner, for the kernel, is this one. */
unsigned umtx_model_lends_to(uint32_t tid);

/* Every call of _umtx_op() fails with this, until it is 0 again. */
void umtx_model_deny(int error);

/* What rtprio_thread() says from now on. */
void umtx_model_rtprio(unsigned short type, unsigned short prio);

#endif /* TESTS_UMTX_MODEL_H */
