/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of pv headers, in each layout.
 *
 * A header is called by the number of its superpage, PA >> 21; where locks lie
 * apart, "pv_list_lock" and "pv_invl_gen" are called by their own number and only
 * "pv_table", the 2 MB list, by that of the superpage.
 */
#include "workload/names_impl.h"

static const struct name_field md_fields[] = {
	NAME_FIELD(struct md_page, pv_list),
	NAME_FIELD(struct md_page, pv_gen),
	NAME_FIELD(struct md_page, pat_mode),
	NAME_FIELD_END,
};

/* The fields of a header with this lock: they may lie within each other. */
static void
header_fields(struct names *names, const struct pv_table *pvt)
{
	struct name_field *nf = names->na_header;

	if (!pvt->pvt_gen_embedded)
		*nf++ = (struct name_field){ "pv_lock", pvt->pvt_word_off,
			pvt->pvt_lock_ops->plo_size };
	*nf++ = (struct name_field){ "pv_list",
		pvt->pvt_md_off + offsetof(struct md_page, pv_list),
		sizeof(struct pv_list) };
	*nf++ = (struct name_field){ pvt->pvt_gen_embedded ? "pv_gen/lock"
							   : "pv_gen",
		pvt->pvt_md_off + offsetof(struct md_page, pv_gen),
		sizeof(uint32_t) };
	*nf++ = (struct name_field){ "pat_mode",
		pvt->pvt_md_off + offsetof(struct md_page, pat_mode),
		sizeof(int32_t) };
	*nf = (struct name_field){ "pv_invl_gen", pvt->pvt_invl_off,
		sizeof(uint64_t) };
}

static void
add_headers(struct names *names, const void *base, uint64_t n, uint64_t first)
{
	const struct pv_table *pvt = names->na_machine->ma_pvt;
	const struct name_range nr = {
		.nr_base = (uintptr_t)base,
		.nr_size = n * pvt->pvt_stride,
		.nr_what = "pv_table",
		.nr_row = true,
		.nr_first = first,
		.nr_stride = pvt->pvt_stride,
		.nr_fields = names->na_header,
	};

	names_add(names, &nr);
}

static uint64_t
nsuperpages(const struct pv_table *pvt)
{
	return ((pvt->pvt_last_pa + PDRMASK) >> PDRSHIFT);
}

static void
walk_hashed(struct names *names, const struct pv_table *pvt)
{
	names_add_row(names, pvt->pvt_base, pvt->pvt_nlocks, pvt->pvt_stride,
	    "pv_list_lock", NULL);
	names_add_row(names, pvt->pvt_mds, nsuperpages(pvt),
	    sizeof(pvt->pvt_mds[0]), "pv_table", md_fields);
	names_add_row(names, (const void *)(uintptr_t)pvt->pvt_invl,
	    pvt->pvt_nlocks, sizeof(pvt->pvt_invl[0]), "pv_invl_gen", NULL);
}

/* Headers in a row become one range. */
static void
walk_ptrarray(struct names *names, const struct pv_table *pvt)
{
	uint64_t i, n, end = nsuperpages(pvt);

	for (i = 0; i < end; i += n) {
		const char *base = pvt->pvt_ptrs[i];

		for (n = 1; base != NULL && i + n < end &&
		     pvt->pvt_ptrs[i + n] == base + n * pvt->pvt_stride;
		     n++)
			continue;
		if (base != NULL)
			add_headers(names, base, n, i);
	}
	names_add_row(names, pvt->pvt_ptrs, end, sizeof(pvt->pvt_ptrs[0]),
	    "pv header pointer", NULL);
}

/* The first header of a segment may be the last one of that before. */
static void
walk_segment(struct names *names, const struct pv_table *pvt)
{
	const struct vm_phys *vp = pvt->pvt_vp;
	uint64_t first, end, done = 0;

	for (int s = 0; s < vp->vp_nsegs; s++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[s];
		const char *base = seg->md_first;

		first = seg->start >> PDRSHIFT;
		end = (seg->end + PDRMASK) >> PDRSHIFT;
		if (first < done) {
			base += (done - first) * pvt->pvt_stride;
			first = done;
		}
		if (first >= end)
			continue;
		add_headers(names, base, end - first, first);
		done = end;
	}
}

void
names_walk_pv(struct names *names)
{
	const struct pv_table *pvt = names->na_machine->ma_pvt;

	header_fields(names, pvt);
	names_add_one(names, pvt, sizeof(*pvt), "pvt", -1, NULL);
	names_add_one(names, pvt->pvt_dummy, PV_LOCK_WORD_MAX + 64,
	    "pv header of no memory", -1, NULL);
	switch (pvt->pvt_design->d_layout) {
	case PVL_HASHED:
		walk_hashed(names, pvt);
		break;
	case PVL_PTRARRAY:
		walk_ptrarray(names, pvt);
		break;
	case PVL_SPARSE:
		add_headers(names, pvt->pvt_base,
		    pvt->pvt_reserved_bytes / pvt->pvt_stride, 0);
		break;
	case PVL_SEGMENT:
		walk_segment(names, pvt);
		break;
	}
}
