/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The order of the locks of the virtual memory system, from the outside in.
 *
 * Reservations, page allocation and the free queue lie below everything that
 * maps, since page tables and pv chunks are allocated under the pmap and the pv
 * list lock; hence nothing of the pmap is acquired under them.  Two pmaps are
 * locked by ascending address, which the pmap layer sees to: their class is
 * LO_DUPOK.  At most one pv list lock is held, even where a trylock could give
 * a second.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_witness.c, order_lists, and the
 * comments of sys/amd64/amd64/pmap.c and sys/vm/vm_page.c.
 */

#include "lock/witness.h"

#include <stddef.h>

/* clang-format off */
static const char *const chains[] = {
	"vm map (user)", "vm object", NULL,
	"vm map (system)", "vm object", NULL,
	"vm object", "vm page", "pmap", "pmap pv list", "vm reserv",
	"VM reserv domain", "vm page free queue", NULL,
	"pmap", "pmap pv list dummy", "vm reserv", NULL,
	"vm reserv", "resv obj lock", "vm page free queue", NULL,
	"pmap pv list", "pmap pv chunk list", NULL,
	"pmap pv list dummy", "pmap pv chunk list", NULL,
	"pmap", "invlgn", NULL,
	"vm page", "vm active pagequeue", NULL,
	"vm page", "vm inactive pagequeue", NULL,
	"vm page", "vm laundry pagequeue", NULL,
	"vm page", "vm unswappable pagequeue", NULL,
	NULL,
};
/* clang-format on */

static const struct witness_rule rules[] = {
	{ "pmap pv list", WITNESS_ALONE },
	{ "pmap pv list dummy", WITNESS_ALONE },
	{ "pmap pv chunk list", WITNESS_LEAF_CLASS },
	{ "invlgn", WITNESS_LEAF_CLASS },
	{ "vm active pagequeue", WITNESS_LEAF_CLASS },
	{ "vm inactive pagequeue", WITNESS_LEAF_CLASS },
	{ "vm laundry pagequeue", WITNESS_LEAF_CLASS },
	{ "vm unswappable pagequeue", WITNESS_LEAF_CLASS },
	{ NULL, 0 },
};

const struct witness_order witness_vm_order = {
	.wo_chains = chains,
	.wo_rules = rules,
};
