/* SPDX-License-Identifier: BSD-2-Clause */

/* Headers and locks: 37, 43 and 44. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

static void *saved_ptr;

static void
break_37_shared(void)
{
	saved_ptr = cc_pu.pu_ma->ma_pvt->pvt_ptrs[3];
	cc_pu.pu_ma->ma_pvt->pvt_ptrs[3] = cc_pu.pu_ma->ma_pvt->pvt_ptrs[2];
}

static void
break_37_none(void)
{
	saved_ptr = cc_pu.pu_ma->ma_pvt->pvt_ptrs[3];
	cc_pu.pu_ma->ma_pvt->pvt_ptrs[3] = NULL;
}

static void
repair_37(void)
{
	cc_pu.pu_ma->ma_pvt->pvt_ptrs[3] = saved_ptr;
}

/* The second segment does not step back: superpage 0 has a second header. */
static void
break_37_second(void)
{
	struct vm_phys_seg *seg = &cc_pu.pu_ma->ma_vp->vp_segs[1];

	saved_ptr = seg->md_first;
	seg->md_first = (char *)saved_ptr + cc_pu.pu_ma->ma_pvt->pvt_stride;
}

static void
repair_37_second(void)
{
	cc_pu.pu_ma->ma_vp->vp_segs[1].md_first = saved_ptr;
}

static void
break_43_pmap(void)
{
	PMAP_LOCK(cc_p);
}

static void
repair_43_pmap(void)
{
	PMAP_UNLOCK(cc_p);
}

static void
break_43_chunks(void)
{
	mtx_lock(&cc_pu.pu_ma->ma_chunks[1]->pvc_lock);
}

static void
repair_43_chunks(void)
{
	mtx_unlock(&cc_pu.pu_ma->ma_chunks[1]->pvc_lock);
}

static void
break_43_zone(void)
{
	mtx_lock(&cc_pu.pu_ma->ma_zone_mtx);
}

static void
repair_43_zone(void)
{
	mtx_unlock(&cc_pu.pu_ma->ma_zone_mtx);
}

static void *
some_word(void)
{
	struct pv_table *pvt = cc_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, 0x400000, NULL, &ph);
	return (ph.ph_word);
}

static void
break_43_thread(void)
{
	pv_word_lock(cc_pu.pu_ma->ma_pvt, some_word(), __FILE__, __LINE__);
}

static void
repair_43_thread(void)
{
	pv_word_unlock(cc_pu.pu_ma->ma_pvt, some_word(), false);
}

/* Held, and nobody says so. */
static void
break_43_word(void)
{
	break_43_thread();
	curthread()->td_pv_held = NULL;
}

static void
repair_43_word(void)
{
	curthread()->td_pv_held = some_word();
	repair_43_thread();
}

static struct mtx private_mtx;

static void
break_44(void)
{
	mtx_init(&private_mtx, "private", 0);
	mtx_lock(&private_mtx);
}

static void
repair_44(void)
{
	mtx_unlock(&private_mtx);
	mtx_destroy(&private_mtx);
}

const struct check_case check_cases_lock[] = {
	{
	    .inv = 37,
	    .how = "one header for two",
	    .break_it = break_37_shared,
	    .repair = repair_37,
	    .design = "ptrarray/gen2",
	},
	{
	    .inv = 37,
	    .how = "no header",
	    .break_it = break_37_none,
	    .repair = repair_37,
	    .design = "ptrarray/gen2",
	},
	{
	    .inv = 37,
	    .how = "two headers for one",
	    .break_it = break_37_second,
	    .repair = repair_37_second,
	    .design = "segment/gen2",
	},
	{
	    .inv = 43,
	    .how = "pmap",
	    .break_it = break_43_pmap,
	    .repair = repair_43_pmap,
	},
	{
	    .inv = 43,
	    .how = "chunk list",
	    .break_it = break_43_chunks,
	    .repair = repair_43_chunks,
	},
	{
	    .inv = 43,
	    .how = "pmap zone",
	    .break_it = break_43_zone,
	    .repair = repair_43_zone,
	},
	{
	    .inv = 43,
	    .how = "thread",
	    .break_it = break_43_thread,
	    .repair = repair_43_thread,
	},
	{
	    .inv = 43,
	    .how = "word of rwlock",
	    .break_it = break_43_word,
	    .repair = repair_43_word,
	},
	{
	    .inv = 43,
	    .how = "word of mtx8",
	    .break_it = break_43_word,
	    .repair = repair_43_word,
	    .design = "segment/mtx8",
	},
	{
	    .inv = 43,
	    .how = "word of gen2",
	    .break_it = break_43_word,
	    .repair = repair_43_word,
	    .design = "ptrarray/gen2",
	},
	{
	    .inv = 43,
	    .how = "word of gen1",
	    .break_it = break_43_word,
	    .repair = repair_43_word,
	    .design = "hashed/gen1",
	},
	{
	    .inv = 44,
	    .how = "held",
	    .break_it = break_44,
	    .repair = repair_44,
	    .profile = true,
	},
	{ .inv = 0 },
};
