/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_EXPLORE_PLACE_H
#define SIM_VIRTUAL_EXPLORE_PLACE_H

/*
 * Which places fibers share, and with it, where a switch can make a difference.
 *
 * A place is a granule of 8 bytes.  It is shared in a run once two fibers have
 * touched it and one of them has written there.  Steps at places that are not
 * shared commute with all steps of others, so a switch before one leads to nothing
 * that a switch elsewhere does not.  But a place is found to be shared only at the
 * second access; the first one then was no point.  So some runs are made to learn,
 * and what is found in them is kept: it is shared from the first access on in the
 * runs that follow.  What they find is not, so that a run does not depend on
 * those that were before it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ex_places;

/* Returns 0 or ENOMEM. */
int ex_places_create(struct ex_places **epp);
void ex_places_destroy(struct ex_places *ep);

/* A run begins: nobody has touched anything.  What it finds is kept, or not. */
void ex_places_begin(struct ex_places *ep, bool keep);

/*
 * fiber is about to touch [addr, addr + size).  Returns whether some of it is
 * shared.  *hash gets a number that is the same in another run if there the same
 * event finds, wherever it is shared, what the same event has written.
 */
bool ex_places_touch(struct ex_places *ep, unsigned fiber, uintptr_t addr,
    size_t size, bool write, uint64_t *hash);
/* How many are kept as shared; and the i-th of them, in the order in which they became. */
uint32_t ex_places_nshared(const struct ex_places *ep);
uintptr_t ex_places_shared(const struct ex_places *ep, uint32_t i);
/* This one is, from here on. */
void ex_places_share(struct ex_places *ep, uintptr_t addr);

#endif /* SIM_VIRTUAL_EXPLORE_PLACE_H */
