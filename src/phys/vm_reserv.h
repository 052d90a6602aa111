/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_RESERV_H
#define PHYS_VM_RESERV_H

/*
 * Reservations: aligned runs of 512 pages that are set aside for one object.
 *
 * Here only what promotion asks for: whether all pages of a run are allocated.
 * vm_page.psind of a run's first page says so.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_reserv.h.
 */

#include "phys/vm_phys.h"

/*
 * 0 if the run that m is in is full, else -1.  One that reaches beyond a segment
 * is never full.
 */
int vm_reserv_level_iffullpop(struct vm_phys *vp, const struct vm_page *m);

/*
 * For tests: let the run that contains pa count as full, or not, whatever is
 * allocated.  Returns what holds then.  Nobody else looks at the run meanwhile.
 */
bool vm_reserv_assume(struct vm_phys *vp, vm_paddr_t pa, bool full);

#endif /* PHYS_VM_RESERV_H */
