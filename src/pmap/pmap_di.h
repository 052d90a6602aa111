/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_DI_H
#define PMAP_PMAP_DI_H

/*
 * Where delayed invalidation blocks begin and end, what they cover and who waits
 * for them.  Without TLBs nothing is ever stale: each call marks a place and
 * compiles to nothing.
 */

#include "pmapsim/types.h"

static inline void
pmap_delayed_invl_start(struct machine *ma)
{
	(void)ma;
}

static inline void
pmap_delayed_invl_finish(struct machine *ma)
{
	(void)ma;
}

static inline void
pmap_delayed_invl_page(struct machine *ma, struct vm_page *m)
{
	(void)ma;
	(void)m;
}

static inline void
pmap_delayed_invl_wait(struct machine *ma, struct vm_page *m)
{
	(void)ma;
	(void)m;
}

/* Is the calling thread in a block? */
static inline bool
pmap_in_di(void)
{
	return (false);
}

#endif /* PMAP_PMAP_DI_H */
