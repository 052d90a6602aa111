/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_EXPLORE_BODIES_H
#define TESTS_EXPLORE_BODIES_H

/*
 * Programs of two threads and a few accesses, for which it can be computed what
 * exploring has to find.  They are instrumented; the test is not.
 */

#include "workload/xs.h"

#define STORES 3

extern const struct xs_scenario eb_stores;   /* to one word, STORES each */
extern const struct xs_scenario eb_apart;    /* to a word of their own */
extern const struct xs_scenario eb_loads;    /* from one word */
extern const struct xs_scenario eb_lost;     /* load, then store */
extern const struct xs_scenario eb_message;  /* release and acquire */
extern const struct xs_scenario eb_relaxed;  /* neither: a race */
extern const struct xs_scenario eb_order;    /* two locks, in one order */
extern const struct xs_scenario eb_disorder; /* in two: a deadlock */
extern const struct xs_scenario eb_spin;     /* until the other has stored */
extern const struct xs_scenario eb_for_ever; /* which it never does */
extern const struct xs_scenario eb_panics;   /* the second, if it is first */

#endif /* TESTS_EXPLORE_BODIES_H */
