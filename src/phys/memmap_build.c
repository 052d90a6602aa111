/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what a reader recorded to a memory map: sorted, disjoint ranges with
 * dense domains.
 *
 * Domains.  Our own format names the domain of each range.  In a log the SRAT
 * lines do: a usable range is cut where affinity changes, nodes that own no
 * usable page are dropped (empty hot-plug windows are common) and the others
 * are numbered densely in the order of their node numbers.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "phys/memmap_reader.h"

/* Source: AMD64 and Intel manuals: page table entries hold 52-bit addresses. */
#define PADDR_MAX (UINT64_C(1) << 52)

uint64_t
mm_usable_pages(vm_paddr_t start, vm_paddr_t end)
{
	uint64_t first = start / PAGE_SIZE + (start % PAGE_SIZE != 0);
	uint64_t last = end / PAGE_SIZE;

	return (first < last ? last - first : 0);
}

static int
compare_entries(const void *ap, const void *bp)
{
	const struct mm_entry *a = ap;
	const struct mm_entry *b = bp;

	if (a->me_start != b->me_start)
		return (a->me_start < b->me_start ? -1 : 1);
	if (a->me_line != b->me_line)
		return (a->me_line < b->me_line ? -1 : 1);
	return (0);
}

static int
fail_overlap(
    struct mm_reader *mr, const struct mm_entry *a, const struct mm_entry *b)
{
	const struct mm_entry *later = a->me_line > b->me_line ? a : b;
	const struct mm_entry *earlier = later == a ? b : a;

	return (mm_fail(mr, later->me_line,
	    "expected disjoint ranges: %" PRIx64 "-%" PRIx64
	    " overlaps %" PRIx64 "-%" PRIx64 " of line %u",
	    later->me_start, later->me_end, earlier->me_start, earlier->me_end,
	    earlier->me_line));
}

static int
sort_ranges(struct mm_reader *mr)
{
	struct mm_table *mt = &mr->mr_ranges;
	struct mm_entry *me;

	if (mt->mt_count == 0)
		return (mm_fail(mr, 0, "expected a memory map, found none"));
	qsort(mt->mt_entries, mt->mt_count, sizeof(*me), compare_entries);
	for (size_t i = 0; i < mt->mt_count; i++) {
		me = &mt->mt_entries[i];
		if (i > 0 && me[-1].me_end > me->me_start)
			return (fail_overlap(mr, &me[-1], me));
		if (me->me_type == MEMMAP_USABLE && me->me_end > PADDR_MAX) {
			return (mm_fail(mr, me->me_line,
			    "expected usable memory to end below 2^52"));
		}
	}
	return (0);
}

/* Records of one node may overlap or touch: they become one. */
static int
sort_affinity(struct mm_reader *mr)
{
	struct mm_table *mt = &mr->mr_affinity;
	struct mm_entry *me, *prev;
	size_t n = 0;

	if (mt->mt_count == 0)
		return (0);
	qsort(mt->mt_entries, mt->mt_count, sizeof(*me), compare_entries);
	for (size_t i = 0; i < mt->mt_count; i++) {
		me = &mt->mt_entries[i];
		prev = n > 0 ? &mt->mt_entries[n - 1] : NULL;
		if (prev != NULL && prev->me_domain == me->me_domain &&
		    prev->me_end >= me->me_start) {
			if (prev->me_end < me->me_end)
				prev->me_end = me->me_end;
			continue;
		}
		if (prev != NULL && prev->me_end > me->me_start)
			return (fail_overlap(mr, prev, me));
		mt->mt_entries[n++] = *me;
	}
	mt->mt_count = n;
	return (0);
}

/*
 * Cut the usable ranges at the affinity records and give every range its
 * record's domain.  What is not memory need not be covered by a record; it
 * then gets the domain of the nearest one below, for display only.
 */
static int
apply_affinity(struct mm_reader *mr)
{
	const struct mm_table *at = &mr->mr_affinity;
	struct mm_table cut = { 0 };
	struct mm_entry me;
	vm_paddr_t end;
	size_t j = 0;
	int error = 0;

	for (size_t i = 0; i < mr->mr_ranges.mt_count && error == 0; i++) {
		me = mr->mr_ranges.mt_entries[i];
		end = me.me_end;
		while (j + 1 < at->mt_count &&
		    at->mt_entries[j].me_end <= me.me_start)
			j++;
		while (error == 0 && me.me_start < end) {
			const struct mm_entry *a = &at->mt_entries[j];

			me.me_domain = a->me_domain;
			me.me_end = end;
			if (me.me_type != MEMMAP_USABLE) {
				error = mm_add(&cut, &me);
				break;
			}
			if (a->me_start > me.me_start ||
			    a->me_end <= me.me_start) {
				error = mm_fail(mr, me.me_line,
				    "expected an SRAT record that covers "
				    "%" PRIx64,
				    me.me_start);
				break;
			}
			if (a->me_end < end) {
				me.me_end = a->me_end;
				if (j + 1 < at->mt_count)
					j++;
			}
			error = mm_add(&cut, &me);
			me.me_start = me.me_end;
		}
	}
	if (error != 0) {
		free(cut.mt_entries);
		return (error);
	}
	free(mr->mr_ranges.mt_entries);
	mr->mr_ranges = cut;
	return (0);
}

static bool
domain_used(const struct mm_table *ranges, unsigned domain)
{
	const struct mm_entry *me;

	for (size_t i = 0; i < ranges->mt_count; i++) {
		me = &ranges->mt_entries[i];
		if (me->me_type == MEMMAP_USABLE && me->me_domain == domain &&
		    mm_usable_pages(me->me_start, me->me_end) > 0)
			return (true);
	}
	return (false);
}

static int
compare_unsigned(const void *ap, const void *bp)
{
	unsigned a = *(const unsigned *)ap;
	unsigned b = *(const unsigned *)bp;

	return (a < b ? -1 : a > b);
}

/*
 * The domains that own usable pages, ascending.  Fails when there are none or
 * too many.
 */
static int
collect_domains(struct mm_reader *mr, unsigned *domains, int *ndomainsp)
{
	const struct mm_entry *me;
	int i, n = 0;

	for (size_t r = 0; r < mr->mr_ranges.mt_count; r++) {
		me = &mr->mr_ranges.mt_entries[r];
		if (me->me_type != MEMMAP_USABLE ||
		    mm_usable_pages(me->me_start, me->me_end) == 0)
			continue;
		for (i = 0; i < n && domains[i] != me->me_domain; i++)
			continue;
		if (i < n)
			continue;
		if (n == MAXMEMDOM) {
			return (mm_fail(mr, me->me_line,
			    "expected at most %d domains with memory",
			    MAXMEMDOM));
		}
		domains[n++] = me->me_domain;
	}
	if (n == 0)
		return (mm_fail(mr, 0, "expected usable memory, found none"));
	qsort(domains, (size_t)n, sizeof(domains[0]), compare_unsigned);
	*ndomainsp = n;
	return (0);
}

/* The dense number of a domain; a domain without memory shares the one below. */
static int
dense_domain(const unsigned *domains, int ndomains, unsigned domain)
{
	int i = 0;

	while (i + 1 < ndomains && domains[i + 1] <= domain)
		i++;
	return (i);
}

/* In our own format numbers are the author's, and a gap is a mistake. */
static int
check_map_domains(struct mm_reader *mr, const unsigned *domains, int ndomains)
{
	const struct mm_entry *me;

	for (int i = 0; i < ndomains; i++) {
		if (domains[i] != (unsigned)i) {
			return (mm_fail(mr, 0,
			    "expected usable memory in domain %d: domains are "
			    "numbered from 0 without gaps",
			    i));
		}
	}
	for (size_t i = 0; i < mr->mr_ranges.mt_count; i++) {
		me = &mr->mr_ranges.mt_entries[i];
		if (me->me_domain >= (unsigned)ndomains) {
			return (mm_fail(mr, me->me_line,
			    "expected a domain with usable memory, found %u",
			    me->me_domain));
		}
	}
	return (0);
}

static int
build(struct mm_reader *mr, const unsigned *domains, int ndomains,
    struct memmap **mmp)
{
	const struct mm_table *at = &mr->mr_affinity;
	const struct mm_table *rt = &mr->mr_ranges;
	const struct mm_entry *me;
	struct memmap *mm;

	mm = calloc(1, sizeof(*mm));
	if (mm == NULL)
		return (ENOMEM);
	mm->mm_ndomains = ndomains;
	mm->mm_ranges = calloc(rt->mt_count, sizeof(mm->mm_ranges[0]));
	if (mm->mm_ranges == NULL)
		goto fail;
	for (size_t i = 0; i < rt->mt_count; i++) {
		me = &rt->mt_entries[i];
		mm->mm_ranges[i] = (struct memmap_range){
			.mr_start = me->me_start,
			.mr_end = me->me_end,
			.mr_type = me->me_type,
			.mr_domain =
			    dense_domain(domains, ndomains, me->me_domain),
		};
	}
	mm->mm_nranges = rt->mt_count;

	mm->mm_affinity = calloc(at->mt_count + 1, sizeof(mm->mm_affinity[0]));
	if (mm->mm_affinity == NULL)
		goto fail;
	for (size_t i = 0; i < at->mt_count; i++) {
		me = &at->mt_entries[i];
		if (!domain_used(rt, me->me_domain))
			continue;
		mm->mm_affinity[mm->mm_naffinity++] = (struct memmap_affinity){
			.ma_start = me->me_start,
			.ma_end = me->me_end,
			.ma_domain =
			    dense_domain(domains, ndomains, me->me_domain),
		};
	}
	memcpy(mm->mm_title, mr->mr_title, sizeof(mm->mm_title));
	*mmp = mm;
	return (0);

fail:
	memmap_free(mm);
	return (ENOMEM);
}

int
mm_build(struct mm_reader *mr, bool numbered, struct memmap **mmp)
{
	unsigned domains[MAXMEMDOM];
	int error, ndomains = 0;

	error = sort_ranges(mr);
	if (error == 0)
		error = sort_affinity(mr);
	if (error == 0 && mr->mr_affinity.mt_count > 0)
		error = apply_affinity(mr);
	if (error == 0)
		error = collect_domains(mr, domains, &ndomains);
	if (error == 0 && numbered)
		error = check_map_domains(mr, domains, ndomains);
	if (error == 0)
		error = build(mr, domains, ndomains, mmp);
	return (error);
}
