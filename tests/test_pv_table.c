/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pv headers: every layout with every lock backend, on maps made to hurt and on
 * the real ones.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/sanitizer.h"
#include "pmap_util.h"

#define ROUND_PAGE(n) (((n) + 4095) & ~UINT64_C(4095))

/* Low memory as every PC has it: two segments in superpage 0. */
#define LOW "0-98000 usable 0\n100000-4000000 usable 0\n"

static struct pv_header
lookup(struct pu *pu, vm_paddr_t pa)
{
	struct pv_table *pvt = pu->pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, pa, NULL, &ph);
	return (ph);
}

static struct pv_header
lookup_page(struct pu *pu, const struct vm_page *m, vm_paddr_t pa)
{
	struct pv_table *pvt = pu->pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, pa, m, &ph);
	return (ph);
}

static bool
is_dummy(struct pu *pu, const struct pv_header *ph)
{
	const char *dummy = pu->pu_ma->ma_pvt->pvt_dummy;

	return ((const char *)ph->ph_md >= dummy &&
	    (const char *)ph->ph_md < dummy + PV_LOCK_WORD_MAX + 64);
}

static struct pv_header_report
report(struct pu *pu)
{
	struct pv_header_report phr;

	machine_pv_header_report(pu->pu_ma, &phr);
	return (phr);
}

/* Calls fn on a machine of each layout x lock, with the map. */
static void
for_each_design(const char *lines, const char *options,
    void (*fn)(struct pu *pu, unsigned layout))
{
	char design[64];
	struct pu pu;

	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(design, sizeof(design), "%s/%s%s",
			    pu_layouts[l], pu_locks[k], options);
			pu_setup(&pu, lines, design);
			fn(&pu, l);
			assert_int_equal(report(&pu).phr_total_bytes,
			    machine_pv_header_allocated(pu.pu_ma));
			pu_teardown(&pu);
		}
	}
}

static void
header_sizes_follow_from_the_lock(void **state)
{
	const struct {
		const char *name;
		size_t bytes;
	} sizes[] = {
		{ "rwlock", 64 },
		{ "mtx8", 40 },
		{ "gen2", 32 },
		{ "gen1", 32 },
#if defined(__linux__) && defined(__x86_64__)
		{ "pthread_mutex", 72 },
#endif
		{ "none", 32 }
	};
	const struct pv_lock_ops *ops;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ops = pv_lock_ops_lookup(sizes[i].name);
		assert_non_null(ops);
		if (pv_header_bytes(ops) != sizes[i].bytes)
			print_error("%s: ", sizes[i].name);
		assert_int_equal(pv_header_bytes(ops), sizes[i].bytes);
	}
}

/* Each superpage of a segment: one header, apart from all others, usable. */
static void
check_superpages(struct pu *pu, unsigned layout)
{
	struct vm_phys *vp = pu->pu_ma->ma_vp;
	struct pv_table *pvt = pu->pu_ma->ma_pvt;
	const struct vm_phys_seg *seg;
	struct pv_header first, last, ph, prev = { NULL, NULL, NULL };
	vm_paddr_t pa;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		for (pa = seg->start; pa < seg->end;
		     pa = (pa + NBPDR) & ~PDRMASK) {
			ph = lookup(pu, pa);
			assert_false(is_dummy(pu, &ph));
			last = lookup(pu,
			    (pa | PDRMASK) < seg->end ? pa | PDRMASK
						      : seg->end - 1);
			assert_ptr_equal(ph.ph_word, last.ph_word);
			assert_ptr_equal(ph.ph_md, last.ph_md);
			assert_ptr_equal(ph.ph_invl_gen, last.ph_invl_gen);
			first = lookup_page(pu, PHYS_TO_VM_PAGE(vp, pa), pa);
			assert_ptr_equal(ph.ph_word, first.ph_word);
			assert_ptr_equal(ph.ph_md, first.ph_md);
			/* Another superpage, another header. */
			if (prev.ph_md != NULL &&
			    pa >> PDRSHIFT != (pa - 1) >> PDRSHIFT)
				assert_ptr_not_equal(ph.ph_md, prev.ph_md);
			assert_null(ph.ph_md->pv_list.pvl_first);
			/* The lock is there, and free. */
			if (strcmp(pvt->pvt_lock_ops->plo_name, "none") != 0) {
				pv_word_lock(
				    pvt, ph.ph_word, __FILE__, __LINE__);
				assert_false(
				    pvt->pvt_lock_ops->plo_trylock(ph.ph_word));
				pv_word_unlock(pvt, ph.ph_word, true);
			}
			prev = ph;
		}
	}
	(void)layout;
}

static void
every_superpage_has_a_header_of_its_own(void **state)
{
	static const char *const maps[] = {
		LOW,
		/* gaps, small and over 128 MB, in two domains */
		LOW "6000000-6400000 usable 0\n"
		    "20000000-20a00000 usable 0\n"
		    "100000000-108000000 usable 1\n",
		/* a single superpage, and a part of one */
		"200000-400000 usable 0\n600000-601000 usable 0\n",
		/* high start */
		"40000000-40003000 usable 0\n40005000-44000000 usable 1\n",
		/* ends within, at and past a boundary */
		("1000000-8000000 usable 0\n8001000-10000000 usable 1\n"
		 "10200000-103ff000 usable 0\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		for_each_design(maps[i], "", check_superpages);
}

static void
check_shared(struct pu *pu, unsigned layout)
{
	struct pv_header a, b, c, d;

	a = lookup(pu, 0x97000);
	b = lookup(pu, 0x100000);
	c = lookup(pu, 0x1fffff);
	d = lookup(pu, 0x200000);
	assert_ptr_equal(a.ph_word, b.ph_word);
	assert_ptr_equal(a.ph_md, b.ph_md);
	assert_ptr_equal(a.ph_word, c.ph_word);
	assert_ptr_not_equal(a.ph_word, d.ph_word);
	assert_ptr_not_equal(a.ph_md, d.ph_md);
	/* 64 MB: 32 superpages, the first one counted once. */
	assert_int_equal(report(pu).phr_superpages, 32);
	if (layout == PVL_PTRARRAY || layout == PVL_SEGMENT ||
	    layout == PVL_HASHED)
		assert_int_equal(report(pu).phr_headers, 32);
}

static void
two_segments_share_the_header_of_a_superpage(void **state)
{
	(void)state;
	for_each_design(LOW, "", check_shared);
}

static void
check_three(struct pu *pu, unsigned layout)
{
	struct pv_header a, b, c, d;

	(void)layout;
	a = lookup(pu, 0x601000);
	b = lookup(pu, 0x640000);
	c = lookup(pu, 0x7ff000);
	d = lookup(pu, 0x800000);
	assert_ptr_equal(a.ph_word, b.ph_word);
	assert_ptr_equal(a.ph_word, c.ph_word);
	assert_ptr_equal(a.ph_md, c.ph_md);
	assert_ptr_not_equal(a.ph_md, d.ph_md);
	assert_int_equal(report(pu).phr_superpages, 2);
	check_superpages(pu, layout);
}

static void
three_segments_share_the_header_of_a_superpage(void **state)
{
	(void)state;
	for_each_design("600000-610000 usable 0\n"
			"620000-650000 usable 0\n"
			"7f0000-900000 usable 0\n",
	    "", check_three);
	/* wholly within one: the middle and last have nothing of their own */
	for_each_design("200000-210000 usable 0\n"
			"220000-230000 usable 0\n"
			"240000-250000 usable 0\n",
	    "", check_superpages);
}

static uint64_t
ptrarray_headers(const char *lines, const char *design, uint64_t *bytes)
{
	struct pu pu;
	uint64_t n;

	pu_setup(&pu, lines, design);
	check_superpages(&pu, PVL_PTRARRAY);
	n = report(&pu).phr_headers;
	*bytes = machine_pv_header_allocated(pu.pu_ma);
	assert_int_equal(*bytes, report(&pu).phr_total_bytes);
	pu_teardown(&pu);
	return (n);
}

static void
the_wart_wastes_a_header_for_each_shared_superpage(void **state)
{
	static const char three[] = "200000-210000 usable 0\n"
				    "220000-230000 usable 0\n"
				    "240000-500000 usable 0\n";
	uint64_t alloc, tight;

	(void)state;
	assert_int_equal(ptrarray_headers(LOW, "ptrarray/rwlock", &tight), 32);
	assert_int_equal(
	    ptrarray_headers(LOW, "ptrarray/rwlock+wart=tight", &tight), 32);
	assert_int_equal(
	    ptrarray_headers(LOW, "ptrarray/rwlock+wart=alloc", &alloc), 33);
	assert_int_equal(tight, 32 * 8 + 32 * 64);
	assert_int_equal(alloc, tight + 64);
	assert_int_equal(
	    ptrarray_headers(three, "ptrarray/gen2+wart=tight", &tight), 2);
	assert_int_equal(
	    ptrarray_headers(three, "ptrarray/gen2+wart=alloc", &alloc), 4);
	assert_int_equal(alloc, tight + 2 * 32);
}

/*
 * The end of memory.  Past it is the dummy; the exclusive end itself has a
 * header of sparse, whose comparison is ">".
 */
static void
check_end(struct pu *pu, unsigned layout)
{
	struct pv_table *pvt = pu->pu_ma->ma_pvt;
	struct pv_header ph;
	vm_paddr_t end = 0x4000000;

	assert_int_equal(pvt->pvt_last_pa, end);
	ph = lookup(pu, end - 1);
	assert_false(is_dummy(pu, &ph));
	ph = lookup(pu, end);
	assert_int_equal(is_dummy(pu, &ph), layout != PVL_SPARSE);
	/* Whatever it is, it can be read and its lock taken. */
	pv_word_lock(pvt, ph.ph_word, __FILE__, __LINE__);
	assert_null(ph.ph_md->pv_list.pvl_first);
	pv_word_unlock(pvt, ph.ph_word, false);
	for (unsigned i = 0; i < 3; i++) {
		ph = lookup(pu, end + (i == 0 ? 1 : i == 1 ? NBPDR : GB(4096)));
		assert_true(is_dummy(pu, &ph));
		assert_null(ph.ph_md->pv_list.pvl_first);
		pv_word_lock(pvt, ph.ph_word, __FILE__, __LINE__);
		pv_word_unlock(pvt, ph.ph_word, false);
	}
}

static void
beyond_the_last_address_is_the_dummy(void **state)
{
	(void)state;
	for_each_design(LOW, "", check_end);
}

static void
fictitious_pages_have_an_empty_list(void **state)
{
	struct vm_page fictitious = { .flags = PG_FICTITIOUS };
	char design[64];
	struct pv_header ph;
	struct pu pu;

	(void)state;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		(void)snprintf(
		    design, sizeof(design), "%s/gen2", pu_layouts[l]);
		pu_setup(&pu, LOW "20000000-20200000 usable 0\n", design);
		/* In the gap, and past the end. */
		ph = lookup_page(&pu, &fictitious, 0x18000000);
		assert_null(ph.ph_md->pv_list.pvl_first);
		if (l != PVL_SPARSE)
			assert_true(is_dummy(&pu, &ph));
		ph = lookup_page(&pu, &fictitious, GB(64));
		assert_true(is_dummy(&pu, &ph));
		pu_teardown(&pu);
	}
}

/* hashed: superpages apart by the number of locks share the lock only. */
static void
hashed_superpages_collide_modulo_the_number_of_locks(void **state)
{
	static const unsigned nlocks[] = { 1, 3, 16, 31 };
	struct pv_header a, b;
	struct pu pu;
	char design[64];

	(void)state;
	for (size_t i = 0; i < sizeof(nlocks) / sizeof(nlocks[0]); i++) {
		(void)snprintf(design, sizeof(design), "hashed/gen2+locks=%u%s",
		    nlocks[i], i % 2 ? "+pad" : "");
		pu_setup(&pu, LOW, design);
		for (unsigned r = 0; r < 32; r++) {
			for (unsigned s = 0; s < r; s++) {
				a = lookup(&pu, r * NBPDR);
				b = lookup(&pu, s * NBPDR);
				assert_int_equal(a.ph_word == b.ph_word,
				    (r - s) % nlocks[i] == 0);
				assert_int_equal(a.ph_invl_gen == b.ph_invl_gen,
				    (r - s) % nlocks[i] == 0);
				assert_ptr_not_equal(a.ph_md, b.ph_md);
			}
		}
		pu_teardown(&pu);
	}
}

static uint64_t
hashed_bytes(const char *design)
{
	struct pu pu;
	uint64_t n;

	pu_setup(&pu, LOW, design);
	n = machine_pv_header_allocated(pu.pu_ma);
	assert_int_equal(report(&pu).phr_total_bytes, n);
	pu_teardown(&pu);
	return (n);
}

static void
hashed_padding_gives_each_lock_its_line(void **state)
{
	(void)state;
	/* 32 lists of 24 bytes; each lock and its generation. */
	assert_int_equal(hashed_bytes("hashed/rwlock"), 32 * 24 + 256 * 40);
	assert_int_equal(
	    hashed_bytes("hashed/rwlock+pad"), 32 * 24 + 256 * (64 + 8));
	assert_int_equal(
	    hashed_bytes("hashed/mtx8+locks=10"), 32 * 24 + 10 * (8 + 8));
	assert_int_equal(
	    hashed_bytes("hashed/gen2+locks=10"), 32 * 24 + 10 * (4 + 8));
	assert_int_equal(
	    hashed_bytes("hashed/gen2+locks=10+pad"), 32 * 24 + 10 * (64 + 8));
}

/* A lock of 12 bytes that leaves its alignment to us. */
static unsigned nmisaligned;

static void
odd_lock(void *word)
{
	nmisaligned += (uintptr_t)word % 8 != 0;
}

static bool
odd_trylock(void *word)
{
	odd_lock(word);
	return (true);
}

static void
odd_unlock(void *word, bool modified)
{
	(void)word;
	(void)modified;
}

static const struct pv_lock_ops odd_ops = {
	.plo_name = "odd",
	.plo_descr = "12 bytes, default alignment",
	.plo_size = 12,
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = odd_lock,
	.plo_trylock = odd_trylock,
	.plo_unlock = odd_unlock,
};

static void
words_are_aligned_to_8_unless_told_otherwise(void **state)
{
	static const struct pv_lock_ops *const locks[] = { &odd_ops, NULL };
	struct machine_config mc = { .mc_locks = locks };
	char design[32];
	struct pu pu;

	(void)state;
	nmisaligned = 0;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		(void)snprintf(design, sizeof(design), "%s/odd", pu_layouts[l]);
		mc.mc_design = design;
		pu_setup_config(&pu, LOW, &mc);
		pu_teardown(&pu); /* the checker tries each */
	}
	assert_int_equal(nmisaligned, 0);
}

/* Gaps of sparse. */

/* Two gaps: 448 MB, and over 3 GB. */
#define GAPPED                                                                 \
	LOW "20000000-20a00000 usable 0\n"                                     \
	    "100000000-108000000 usable 1\n"

static sigjmp_buf trap_jmp;

static void
on_trap(int sig)
{
	siglongjmp(trap_jmp, sig);
}

/* Read the header of pa.  Returns the signal that this brings, or 0. */
static int
read_header(struct pu *pu, vm_paddr_t pa)
{
	struct sigaction sa = { .sa_handler = on_trap }, segv, bus;
	struct pv_header ph = lookup(pu, pa);
	int sig;

	(void)sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &sa, &segv), 0);
	assert_int_equal(sigaction(SIGBUS, &sa, &bus), 0);
	sig = sigsetjmp(trap_jmp, 1);
	if (sig == 0) {
		/* Relaxed: an access that is not optimised away. */
		(void)atomic_load_explicit(
		    &ph.ph_md->pv_gen, memory_order_relaxed);
	}
	(void)sigaction(SIGSEGV, &segv, NULL);
	(void)sigaction(SIGBUS, &bus, NULL);
	return (sig);
}

static void
a_lookup_in_an_unbacked_gap_traps(void **state)
{
	static const vm_paddr_t gap[] = { 0x18000000, 0x30000000, 0xf0000000 };
	struct pu pu;
	int sig;

	(void)state;
	pu_setup(&pu, GAPPED, "sparse/rwlock+gaps=trap");
	check_superpages(&pu, PVL_SPARSE);
	for (size_t i = 0; i < sizeof(gap) / sizeof(gap[0]); i++) {
		sig = read_header(&pu, gap[i]);
		assert_true(sig == SIGSEGV || sig == SIGBUS);
	}
	assert_int_equal(read_header(&pu, 0x20000000), 0);
	pu_teardown(&pu);

	pu_setup(&pu, GAPPED, "sparse/rwlock");
	check_superpages(&pu, PVL_SPARSE);
	for (size_t i = 0; i < sizeof(gap) / sizeof(gap[0]); i++)
		assert_int_equal(read_header(&pu, gap[i]), 0);
	pu_teardown(&pu);
}

static void
traps_leave_the_other_layouts_alone(struct pu *pu, unsigned layout)
{
	struct pv_header ph = lookup(pu, 0x30000000);

	/* A gap: somebody's empty list, never a trap. */
	assert_null(ph.ph_md->pv_list.pvl_first);
	if (layout == PVL_PTRARRAY || layout == PVL_SEGMENT)
		assert_true(is_dummy(pu, &ph));
	check_superpages(pu, layout);
}

static void
a_lookup_in_a_gap_is_harmless_elsewhere(void **state)
{
	(void)state;
	for_each_design(GAPPED, "", traps_leave_the_other_layouts_alone);
}

/* The most segments there can be, each with a piece of gap before it. */
static void
as_many_rows_as_segments_fit(void **state)
{
	static char lines[VM_PHYSSEG_MAX * 40];
	char design[64];
	size_t n = 0;
	struct pu pu;

	(void)state;
	for (unsigned i = 0; i < VM_PHYSSEG_MAX; i++) {
		n += (size_t)snprintf(lines + n, sizeof(lines) - n,
		    "%jx-%jx usable 0\n", (uintmax_t)(GB(8) + i * GB(1)),
		    (uintmax_t)(GB(8) + i * GB(1) + MB(4)));
	}
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(design, sizeof(design), "%s/%s%s",
			    pu_layouts[l], pu_locks[k],
			    l == PVL_SPARSE ? "+gaps=trap" : "");
			pu_setup(&pu, lines, design);
			assert_int_equal(
			    pu.pu_ma->ma_vp->vp_nsegs, VM_PHYSSEG_MAX);
			assert_true(pu.pu_ma->ma_pvt->pvt_nextents <=
			    (int)(sizeof(pu.pu_ma->ma_pvt->pvt_extents) /
				sizeof(pu.pu_ma->ma_pvt->pvt_extents[0])));
			check_superpages(&pu, l);
			pu_teardown(&pu);
		}
	}
}

/* B28.  The arithmetic of the commit, in pages of headers. */
struct walk {
	uint64_t reserved; /* pages */
	uint64_t backed;   /* last page backed, plus one */
};

static struct walk
original_walk(const struct vm_phys *vp, size_t stride)
{
	struct walk w = { 0, 0 };
	uint64_t bytes, end, next = 0, start;

	/* howmany(last_pa, 2 MB) headers are reserved */
	w.reserved = ROUND_PAGE((vp->vp_segs[vp->vp_nsegs - 1].end + PDRMASK) /
			 NBPDR * stride) /
	    4096;
	for (int i = 0; i < vp->vp_nsegs; i++) {
		end = vp->vp_segs[i].end / NBPDR;
		if (next > end)
			continue;
		start = next;
		bytes = ROUND_PAGE((end - start + 1) * stride);
		w.backed = (start * stride + bytes) / 4096;
		next = (start * stride + bytes) / stride;
	}
	return (w);
}

/* The number of superpages whose headers fill whole pages exactly. */
static uint64_t
page_of_superpages(size_t stride)
{
	uint64_t n = 1;

	while (n * stride % 4096 != 0)
		n++;
	return (n);
}

static void
the_slack_header_is_reserved_at_every_end(void **state)
{
	static const int64_t offsets[] = { -4096, 0, 4096, 2 << 20 };
	const struct pv_lock_ops *ops;
	char design[64], lines[64];
	struct pv_header ph;
	struct walk w;
	uint64_t end, unit;
	struct pu pu;
	size_t stride;

	(void)state;
	for (unsigned k = 0; k < PU_NLOCKS; k++) {
		ops = pv_lock_ops_lookup(pu_locks[k]);
		stride = pv_header_bytes(ops);
		unit = page_of_superpages(stride) * NBPDR;
		if (stride == 64)
			assert_int_equal(unit, MB(128));
		for (size_t i = 0; i < 4; i++) {
			end = 2 * unit + (uint64_t)offsets[i];
			(void)snprintf(lines, sizeof(lines),
			    "1000000-%jx usable 0\n", (uintmax_t)end);
			(void)snprintf(
			    design, sizeof(design), "sparse/%s", pu_locks[k]);
			pu_setup(&pu, lines, design);
			w = original_walk(pu.pu_ma->ma_vp, stride);
			/* As committed: a page too few just at the multiple. */
			assert_int_equal(
			    w.backed - w.reserved, offsets[i] == 0 ? 1 : 0);
			/* Here: never. */
			assert_true(
			    report(&pu).phr_reserved_bytes >= w.backed * 4096);
			assert_int_equal(
			    report(&pu).phr_total_bytes, w.backed * 4096);
			ph = lookup(&pu, end);
			assert_int_equal(read_header(&pu, end), 0);
			assert_true((char *)ph.ph_md + sizeof(*ph.ph_md) <=
			    pu.pu_ma->ma_pvt->pvt_base +
				report(&pu).phr_reserved_bytes);
			pu_teardown(&pu);
		}
	}
}

/* Domains. */

static uint64_t
region_bytes(struct pu *pu, int domain)
{
	return (pu->pu_ma->ma_pvt->pvt_region.kr_by_domain[domain + 1]);
}

static void
sparse_headers_of_a_gap_belong_to_the_domain_above(void **state)
{
	static const char lines[] = "1000000-10000000 usable 0\n"
				    "100000000-110000000 usable 1\n";
	struct pu pu;

	(void)state;
	/*
	 * Domain 0 ends at superpage 128 and backs headers 0 to 128: 3 pages.
	 * Domain 1 backs all that follow up to number 2176: 35 - 3 pages.
	 */
	pu_setup(&pu, lines, "sparse/rwlock");
	assert_int_equal(region_bytes(&pu, 0), 3 * 4096);
	assert_int_equal(region_bytes(&pu, 1), 32 * 4096);
	pu_teardown(&pu);

	/* Without the gap: from page 32 on, which has header 2048. */
	pu_setup(&pu, lines, "sparse/rwlock+gaps=trap");
	assert_int_equal(region_bytes(&pu, 0), 3 * 4096);
	assert_int_equal(region_bytes(&pu, 1), 3 * 4096);
	pu_teardown(&pu);
}

static void
sparse_rounding_spills_to_the_domain_below(void **state)
{
	struct pu pu;

	(void)state;
	/* Headers 0 to 65 in two pages of domain 0; these reach to 127. */
	pu_setup(&pu, "1000000-8200000 usable 0\n8200000-10000000 usable 1\n",
	    "sparse/rwlock");
	assert_int_equal(region_bytes(&pu, 0), 2 * 4096);
	assert_int_equal(region_bytes(&pu, 1), 4096); /* the slack one */
	pu_teardown(&pu);
}

static void
segment_rows_drift_from_their_domains(void **state)
{
	struct pv_header a, b;
	struct pu pu;

	(void)state;
	/* A page is backed for each, but the second row starts on the first. */
	pu_setup(&pu, "1000000-1200000 usable 0\n4000000-4200000 usable 1\n",
	    "segment/rwlock");
	assert_int_equal(region_bytes(&pu, 0), 4096);
	assert_int_equal(region_bytes(&pu, 1), 4096);
	a = lookup(&pu, 0x1000000);
	b = lookup(&pu, 0x4000000);
	assert_int_equal((char *)b.ph_md - (char *)a.ph_md, 64);
	pu_teardown(&pu);
}

static void
ptrarray_headers_lie_in_the_domain_of_their_segment(void **state)
{
	struct kmem_stats ks;
	struct pu pu;

	(void)state;
	pu_setup(&pu, "1000000-1800000 usable 0\n4000000-5000000 usable 1\n",
	    "ptrarray/mtx8");
	kmem_stats(pu.pu_ma->ma_kmem, M_PVHEADER, 0, &ks);
	assert_int_equal(ks.ks_requested_bytes, 4 * 40);
	kmem_stats(pu.pu_ma->ma_kmem, M_PVHEADER, 1, &ks);
	assert_int_equal(ks.ks_requested_bytes, 8 * 40);
	/* the pointers */
	kmem_stats(pu.pu_ma->ma_kmem, M_PVHEADER, KMEM_ANYDOMAIN, &ks);
	assert_int_equal(ks.ks_requested_bytes, 0x5000000 / NBPDR * 8);
	pu_teardown(&pu);
}

/* Real maps. */

/* Superpages that usable memory touches, from the ranges alone. */
static uint64_t
map_superpages(const struct memmap *mm)
{
	uint64_t end, first, n = 0, next = 0, start;

	for (size_t i = 0; i < mm->mm_nranges; i++) {
		if (mm->mm_ranges[i].mr_type != MEMMAP_USABLE)
			continue;
		start = (mm->mm_ranges[i].mr_start + 4095) & ~UINT64_C(4095);
		end = mm->mm_ranges[i].mr_end & ~UINT64_C(4095);
		if (start >= end)
			continue;
		first = start / NBPDR;
		if (first < next)
			first = next;
		if ((end - 1) / NBPDR + 1 > first)
			n += (end - 1) / NBPDR + 1 - first;
		next = (end - 1) / NBPDR + 1;
	}
	return (n);
}

static void
check_real_map(
    const struct memmap *mm, const char *design, bool walk, unsigned *skipped)
{
	struct machine_config mc = { .mc_map = mm, .mc_design = design };
	struct pv_header_report phr;
	struct machine *ma;
	char err[200];
	int error;

	error = machine_create(&mc, &ma, err, sizeof(err));
	/* A sanitizer leaves little address space for mappings. */
	if (error == ENOMEM && SANITIZED) {
		if (++*skipped % (PU_NLAYOUTS * PU_NLOCKS) == 1)
			print_message("skipped %s: %s\n", mm->mm_name, err);
		return;
	}
	if (error != 0)
		print_error("%s on %s: %s\n", design, mm->mm_name, err);
	assert_int_equal(error, 0);
	machine_pv_header_report(ma, &phr);
	assert_int_equal(phr.phr_superpages, map_superpages(mm));
	assert_int_equal(phr.phr_total_bytes, machine_pv_header_allocated(ma));
	assert_true(phr.phr_headers >= phr.phr_superpages);
	if (machine_design(ma)->d_layout == PVL_SEGMENT ||
	    machine_design(ma)->d_layout == PVL_PTRARRAY)
		assert_int_equal(phr.phr_headers, phr.phr_superpages);
	assert_int_equal(machine_thread_attach(ma, 0), 0);
	if (walk)
		assert_int_equal(machine_check(ma, stderr), 0);
	machine_thread_detach(ma);
	assert_int_equal(machine_destroy(ma, stderr), 0);
}

static void
real_maps_cost_what_the_report_says(void **state)
{
	char design[64], path[512];
	const char *dot;
	struct dirent *de;
	struct memmap *mm;
	struct memmap_error me;
	unsigned nmaps = 0, skipped = 0;
	DIR *dir;

	(void)state;
	dir = opendir(PMAPSIM_SOURCE_DIR "/bench/memmaps");
	assert_non_null(dir);
	while ((de = readdir(dir)) != NULL) {
		dot = strrchr(de->d_name, '.');
		if (dot == NULL || strcmp(dot, ".map") != 0)
			continue;
		nmaps++;
		(void)snprintf(path, sizeof(path),
		    PMAPSIM_SOURCE_DIR "/bench/memmaps/%s", de->d_name);
		assert_int_equal(memmap_read(path, &mm, &me), 0);
		for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
			for (unsigned k = 0; k < PU_NLOCKS; k++) {
				(void)snprintf(design, sizeof(design), "%s/%s",
				    pu_layouts[l], pu_locks[k]);
				/*
				 * The checker touches each header, of some
				 * millions: locks take turns.
				 */
				check_real_map(mm, design,
				    k == (nmaps + l) % PU_NLOCKS, &skipped);
			}
		}
		memmap_free(mm);
	}
	(void)closedir(dir);
	assert_true(nmaps >= 11);
	if (skipped != 0)
		print_message("%u of %u machines skipped\n", skipped,
		    nmaps * PU_NLAYOUTS * PU_NLOCKS);
}

/* A failure of any allocation while the table is made leaves nothing behind. */
static void
creation_fails_cleanly_at_every_allocation(void **state)
{
	struct machine_config mc = { .mc_ncpus = 2 };
	struct machine *ma;
	char design[64], err[200];
	struct memmap *mm;
	uint64_t nth;
	int error;

	(void)state;
	mm = pu_memmap(GAPPED);
	mc.mc_map = mm;
	mc.mc_design = design;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(design, sizeof(design), "%s/%s",
			    pu_layouts[l], pu_locks[k]);
			for (nth = 1;; nth++) {
				mc.mc_fail_nth = nth;
				ma = NULL;
				error =
				    machine_create(&mc, &ma, err, sizeof(err));
				if (error == 0)
					break;
				assert_int_equal(error, ENOMEM);
				assert_null(ma);
				assert_true(strlen(err) > 0);
			}
			assert_true(nth > 8);
			assert_int_equal(machine_destroy(ma, stderr), 0);
		}
	}
	memmap_free(mm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_sizes_follow_from_the_lock),
		cmocka_unit_test(every_superpage_has_a_header_of_its_own),
		cmocka_unit_test(two_segments_share_the_header_of_a_superpage),
		cmocka_unit_test(
		    three_segments_share_the_header_of_a_superpage),
		cmocka_unit_test(
		    the_wart_wastes_a_header_for_each_shared_superpage),
		cmocka_unit_test(beyond_the_last_address_is_the_dummy),
		cmocka_unit_test(fictitious_pages_have_an_empty_list),
		cmocka_unit_test(
		    hashed_superpages_collide_modulo_the_number_of_locks),
		cmocka_unit_test(hashed_padding_gives_each_lock_its_line),
		cmocka_unit_test(words_are_aligned_to_8_unless_told_otherwise),
		cmocka_unit_test(a_lookup_in_an_unbacked_gap_traps),
		cmocka_unit_test(a_lookup_in_a_gap_is_harmless_elsewhere),
		cmocka_unit_test(as_many_rows_as_segments_fit),
		cmocka_unit_test(the_slack_header_is_reserved_at_every_end),
		cmocka_unit_test(
		    sparse_headers_of_a_gap_belong_to_the_domain_above),
		cmocka_unit_test(sparse_rounding_spills_to_the_domain_below),
		cmocka_unit_test(segment_rows_drift_from_their_domains),
		cmocka_unit_test(
		    ptrarray_headers_lie_in_the_domain_of_their_segment),
		cmocka_unit_test(real_maps_cost_what_the_report_says),
		cmocka_unit_test(creation_fails_cleanly_at_every_allocation),
	};

	return (cmocka_run_group_tests_name("pv_table", tests, NULL, NULL));
}
