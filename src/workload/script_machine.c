/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The machine of a script: its segments, its frames and its runs.
 *
 * See script_var.h for where page tables come from and when a frame is withdrawn.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phys/vm_phys_impl.h"
#include "phys/vm_reserv.h"
#include "workload/script_var.h"

/*
 * The pool.  Assumed: a million page tables map 2 TB by 4 KB, more than a script
 * would have the patience for; and no device is as far above memory.
 */
#define POOL_BYTES (UINT64_C(4) << 30)
#define POOL_GAP   (UINT64_C(64) << 30)
#define POOL_ALIGN (UINT64_C(1) << 30)

static int
memory_init(struct script_memory *sm, const struct script_seg *seg)
{
	uint64_t nruns =
	    ((seg->ss_end - 1) >> PDRSHIFT) - (seg->ss_start >> PDRSHIFT) + 1;

	sm->sm_start = seg->ss_start;
	sm->sm_end = seg->ss_end;
	sm->sm_runs = calloc((size_t)nruns, 1);
	sm->sm_frames =
	    calloc((size_t)((seg->ss_end - seg->ss_start) >> PAGE_SHIFT), 1);
	return (sm->sm_runs != NULL && sm->sm_frames != NULL ? 0 : ENOMEM);
}

static void
memory_fini(struct script *s)
{
	for (unsigned i = 0; i < SCRIPT_SEG_MAX; i++) {
		free(s->s_mem[i].sm_runs);
		free(s->s_mem[i].sm_frames);
		s->s_mem[i] = (struct script_memory){ .sm_runs = NULL };
	}
	s->s_nmem = 0;
}

/*
 * The machine's number for the domain of segment i.  Domain 0 is the pool's, and
 * numbers have no gaps; a segment that touches the one below gets another domain
 * in any case, since memory of one domain would become one segment.
 */
static int
choose_domain(const struct script_op *op, unsigned i, int *ndomainsp,
    const struct script_memory *mem)
{
	const struct script_seg *seg = &op->so_segs[i];
	bool touches = i > 0 && seg[-1].ss_end == seg->ss_start;

	for (unsigned j = 0; j < i; j++) {
		if (op->so_segs[j].ss_domain == seg->ss_domain &&
		    !(touches && mem[j].sm_domain == mem[i - 1].sm_domain))
			return (mem[j].sm_domain);
	}
	if (*ndomainsp < MAXMEMDOM)
		return ((*ndomainsp)++);
	return (touches && mem[i - 1].sm_domain == 1 ? 2 : 1);
}

/* Fill ranges[0..op->so_nsegs] and s_mem.  Returns 0 or ENOMEM. */
static int
lay_out(struct script *s, const struct script_op *op, struct memmap *mm)
{
	vm_paddr_t last = op->so_segs[op->so_nsegs - 1].ss_end;
	vm_paddr_t pool =
	    (last + POOL_GAP + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
	int error;

	mm->mm_ndomains = 1;
	for (unsigned i = 0; i < op->so_nsegs; i++) {
		error = memory_init(&s->s_mem[i], &op->so_segs[i]);
		if (error != 0)
			return (error);
		s->s_mem[i].sm_domain =
		    choose_domain(op, i, &mm->mm_ndomains, s->s_mem);
		mm->mm_ranges[i] = (struct memmap_range){
			.mr_start = op->so_segs[i].ss_start,
			.mr_end = op->so_segs[i].ss_end,
			.mr_type = MEMMAP_USABLE,
			.mr_domain = s->s_mem[i].sm_domain,
		};
	}
	s->s_nmem = op->so_nsegs;
	mm->mm_ranges[op->so_nsegs] = (struct memmap_range){
		.mr_start = pool,
		.mr_end = pool + POOL_BYTES,
		.mr_type = MEMMAP_USABLE,
		.mr_domain = 0,
	};
	mm->mm_nranges = op->so_nsegs + 1;
	return (0);
}

/* The configured design, and what the script says of it. */
static int
machine_start(struct script *s, const struct memmap *mm, bool nosuper,
    char *err, size_t errsize)
{
	const char *design = s->s_conf.sc_design != NULL
	    ? s->s_conf.sc_design
	    : "sparse/rwlock+pmap=14";
	struct machine_config mc = {
		.mc_map = mm,
		.mc_locks = s->s_conf.sc_locks,
	};
	char text[sizeof(((struct design *)NULL)->d_text)];
	int error;

	if ((size_t)snprintf(text, sizeof(text), "%s%s", design,
		nosuper ? "+superpages=off" : "") >= sizeof(text)) {
		(void)snprintf(err, errsize, "the design's text is too long");
		return (EINVAL);
	}
	mc.mc_design = text;
	error = machine_create(&mc, &s->s_ma, err, errsize);
	if (error != 0)
		return (error);
	error = machine_thread_attach(s->s_ma, 0);
	if (error != 0) {
		(void)machine_destroy(s->s_ma, NULL);
		s->s_ma = NULL;
		return (error);
	}
	s->s_td = machine_thread_self();
	return (0);
}

int
script_do_machine(
    struct script *s, const struct script_op *op, struct script_out *out)
{
	struct memmap_range ranges[SCRIPT_SEG_MAX + 1];
	struct memmap mm = { .mm_name = "script", .mm_ranges = ranges };
	char err[200] = "out of host memory";
	int error;

	if (s->s_ma != NULL)
		return (script_error(
		    out, "a second machine, expected one, at the start"));
	error = lay_out(s, op, &mm);
	if (error == 0)
		error = machine_start(s, &mm, op->so_nosuper, err, sizeof(err));
	if (error == 0) {
		script_out_printf(out, "ok");
		return (0);
	}
	memory_fini(s);
	s->s_nomem = error == ENOMEM;
	return (script_error(out, "no such machine can be made: %s", err));
}

struct script_memory *
script_memory_of(struct script *s, vm_paddr_t pa)
{
	for (unsigned i = 0; i < s->s_nmem; i++) {
		if (pa >= s->s_mem[i].sm_start && pa < s->s_mem[i].sm_end)
			return (&s->s_mem[i]);
	}
	return (NULL);
}

static uint8_t *
run_of(const struct script_memory *sm, vm_paddr_t pa)
{
	return (&sm->sm_runs[(pa >> PDRSHIFT) - (sm->sm_start >> PDRSHIFT)]);
}

static uint8_t *
use_of(const struct script_memory *sm, vm_paddr_t pa)
{
	return (&sm->sm_frames[(pa - sm->sm_start) >> PAGE_SHIFT]);
}

/* Does the run of pa lie wholly in the segment? */
static bool
run_inside(const struct script_memory *sm, vm_paddr_t pa)
{
	vm_paddr_t run = pa & ~PDRMASK;

	return (run >= sm->sm_start && run + NBPDR <= sm->sm_end);
}

bool
script_run_full(struct script *s, vm_paddr_t pa)
{
	struct script_memory *sm = script_memory_of(s, pa);

	return (sm != NULL && run_inside(sm, pa) &&
	    (*run_of(sm, pa) & RUN_PARTIAL) == 0);
}

/*
 * Take one free page off the queues, as if it had been allocated.  No function of
 * the allocator takes a given page: a piece of a run may be any number of blocks.
 */
static void
frame_take(struct vm_phys *vp, struct vm_page *m)
{
	struct vm_domain *vmd;
	bool taken;

	vmd = vp->vp_domains[vm_phys_domain(vp, vm_page_index_to_phys(vp, m))];
	if (!vm_domain_reserve(vmd, VM_ALLOC_INTERRUPT, 1))
		panic("script: domain %d has no page", vmd->vmd_domain);
	vm_phys_lock(vp, vmd->vmd_domain);
	taken = vm_phys_unfree_page(vp, m);
	if (taken) {
		vm_buddy_hand_out(vp, m, 1);
		vmd->vmd_out++;
	}
	vm_phys_unlock(vp, vmd->vmd_domain);
	if (!taken)
		panic("script: frame %#jx is not free",
		    (uintmax_t)vm_page_index_to_phys(vp, m));
	m->flags |= PG_USED;
	/* Relaxed: one thread. */
	atomic_store_explicit(&m->ref_count, 1, memory_order_relaxed);
}

/* Withdraw what the run of pa has in the segment, and say whether it is full. */
static void
run_take(struct script *s, struct script_memory *sm, vm_paddr_t pa)
{
	struct vm_phys *vp = s->s_ma->ma_vp;
	vm_paddr_t end, frame = pa & ~PDRMASK;

	end = frame + NBPDR < sm->sm_end ? frame + NBPDR : sm->sm_end;
	frame = frame > sm->sm_start ? frame : sm->sm_start;
	if (frame == 0)
		frame = PAGE_SIZE; /* page 0 is never handed out */
	for (; frame < end; frame += PAGE_SIZE)
		frame_take(vp, PHYS_TO_VM_PAGE(vp, frame));
	*run_of(sm, pa) |= RUN_TAKEN;
	(void)vm_reserv_assume(vp, pa, script_run_full(s, pa));
}

struct vm_page *
script_frame(struct script *s, vm_paddr_t pa)
{
	struct script_memory *sm = script_memory_of(s, pa);

	if (sm == NULL)
		return (NULL);
	if ((*run_of(sm, pa) & RUN_TAKEN) == 0)
		run_take(s, sm, pa);
	return (PHYS_TO_VM_PAGE(s->s_ma->ma_vp, pa));
}

int
script_do_reserv(
    struct script *s, const struct script_op *op, struct script_out *out)
{
	struct script_memory *sm = script_memory_of(s, op->so_pa);

	if (sm != NULL) {
		*run_of(sm, op->so_pa) &= (uint8_t)~RUN_PARTIAL;
		if (!op->so_full)
			*run_of(sm, op->so_pa) |= RUN_PARTIAL;
		(void)script_frame(s, op->so_pa & ~(vm_paddr_t)PAGE_MASK);
		(void)vm_reserv_assume(
		    s->s_ma->ma_vp, op->so_pa, script_run_full(s, op->so_pa));
	}
	script_out_printf(
	    out, script_run_full(s, op->so_pa) ? "full" : "partial");
	return (0);
}

uint8_t
script_frame_use(struct script *s, vm_paddr_t pa)
{
	struct script_memory *sm = script_memory_of(s, pa);

	return (sm != NULL ? *use_of(sm, pa) : FRAME_UNMANAGED);
}

bool
script_frames_settle(
    struct script *s, vm_paddr_t pa, uint64_t npages, bool unmanaged)
{
	uint8_t other = unmanaged ? FRAME_MANAGED : FRAME_UNMANAGED;
	struct script_memory *sm;
	struct vm_page *m;
	uint64_t i;

	for (i = 0; i < npages; i++) {
		if ((script_frame_use(s, pa + i * PAGE_SIZE) & other) != 0)
			return (false);
	}
	for (i = 0; i < npages; i++, pa += PAGE_SIZE) {
		m = script_frame(s, pa);
		if (m == NULL)
			continue;
		sm = script_memory_of(s, pa);
		*use_of(sm, pa) |= unmanaged ? FRAME_UNMANAGED : FRAME_MANAGED;
		if (unmanaged)
			m->oflags |= VPO_UNMANAGED;
	}
	return (true);
}

struct vm_page *
script_any_frame(struct script *s, vm_paddr_t pa)
{
	struct vm_page *m = script_frame(s, pa);
	struct script_device **head, *sd;

	if (m != NULL)
		return (m);
	head = &s->s_devices[(pa >> PAGE_SHIFT) % SCRIPT_DEVICE_HASH];
	for (sd = *head; sd != NULL; sd = sd->sd_next) {
		if (sd->sd_page.phys_addr == pa)
			return (&sd->sd_page);
	}
	sd = calloc(1, sizeof(*sd));
	if (sd == NULL) {
		s->s_nomem = true;
		return (NULL);
	}
	sd->sd_page.phys_addr = pa;
	sd->sd_page.flags = PG_FICTITIOUS;
	sd->sd_page.oflags = VPO_UNMANAGED;
	sd->sd_next = *head;
	*head = sd;
	return (&sd->sd_page);
}

/* The lines of one run of a segment. */
static void
list_run(struct script *s, const struct script_memory *sm, vm_paddr_t run,
    struct script_out *lines)
{
	static const char nothing[] =
	    " pv4k=0 pv2m=0 ref=0 dirty=0 writeable=0 wired=0";
	vm_paddr_t end = run + NBPDR, pa = run;
	size_t mark, start;

	pa = pa > sm->sm_start ? pa : sm->sm_start;
	end = end < sm->sm_end ? end : sm->sm_end;
	for (; pa < end; pa += PAGE_SIZE) {
		if ((*use_of(sm, pa) & FRAME_UNMANAGED) != 0)
			continue;
		start = lines->so_len;
		script_out_printf(lines, "0x%jx", (uintmax_t)pa);
		mark = lines->so_len;
		script_out_add(lines, " ", 1);
		script_print_frame(s, pa, lines);
		if (lines->so_failed ||
		    strcmp(lines->so_buf + mark, nothing) != 0) {
			script_out_add(lines, "\n", 1);
			continue;
		}
		lines->so_len = start;
		lines->so_buf[start] = '\0';
	}
}

void
script_list_pages(struct script *s, struct script_out *lines)
{
	const struct script_memory *sm;
	vm_paddr_t run;

	for (unsigned i = 0; i < s->s_nmem; i++) {
		sm = &s->s_mem[i];
		for (run = sm->sm_start & ~PDRMASK; run < sm->sm_end;
		     run += NBPDR) {
			vm_paddr_t pa = run > sm->sm_start ? run : sm->sm_start;

			if ((*run_of(sm, pa) & RUN_TAKEN) != 0)
				list_run(s, sm, run, lines);
		}
	}
}
