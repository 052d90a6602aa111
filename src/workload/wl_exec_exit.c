/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * exec_exit: short processes, as a build makes them.  Each maps text that it
 * shares with other processes, faults private pages in, and exits.
 *
 * Text lies in copies: a builder with a cloned file system has one of its own,
 * builders on one file system share it, and how many threads share a copy
 * decides about contention more than anything else.  Thread t uses copy t modulo
 * the number of copies; so copies beyond the number of threads are not made.
 *
 * A process maps 64 text pages of each of some superpages ("images"), which it
 * draws by Zipf's law with exponent 0.5.  Of an image up to half is mapped at
 * once, as mmap(2) premaps resident pages; the rest comes by faults that map 8
 * pages around them, in random order, between faults on private pages.  Private
 * pages are taken from the page allocator one by one and given back at the end.
 *
 * Sizes.  Half to one and a half times the parameters; one process in 32 is 8
 * times as large, as a compiler among shells.
 * Assumed: the tail's weight; 350 and 200 pages, 20 copies, Zipf 0.5 are the set
 * of which a model reproduces published contention of package builds on 104
 * CPUs.  With up to 20 threads each has a copy of its own: what is left of the
 * contention is that of locks shared by chance; one copy shows the other end.
 *
 * Charged: an entry into the kernel for each image and for the exit, a trap for
 * each fault, clearing a private page; no user time.
 *
 * Differs: no file system, no exec: between processes a thread does nothing
 * else.  Contents of pages are not touched, so that a run costs little memory
 * of the host, and zeroing does not hide what is looked at.
 */

#include <errno.h>

#include "workload/workload_var.h"

#define TEXT_VA         UINT64_C(0x400000)
#define ANON_VA         (UINT64_C(1) << 35)
#define TEXT_COPIES     20u
#define TEXT_SUPERPAGES 40u /* 80 MB */
#define CLUSTER         8u  /* pages a soft fault maps */
#define IMAGE_CLUSTERS  (NPTEPG / CLUSTER)
#define IMAGE_PAGES     64u /* that a process maps of an image, at least */
#define IMAGES_MAX      64u /* that it maps: text pages up to 64 superpages */
#define PREMAP_PAGES    32u /* at most, at once */
#define BIG_ONE_IN      32u
#define BIG_FACTOR      8u
#define TEXT_PROT       (VM_PROT_READ | VM_PROT_EXECUTE)

/* What a process still has to map of one superpage of text. */
struct image {
	uint32_t im_superpage;
	uint32_t im_left;  /* pages */
	uint32_t im_start; /* first cluster of those premapped */
	uint32_t im_npremapped;
	uint32_t im_next; /* order of faults, see image_cluster() */
	uint32_t im_shift;
	uint32_t im_step;
};

struct process {
	struct image pr_images[IMAGES_MAX];
	uint32_t pr_nimages;   /* with pages left */
	uint32_t pr_text_left; /* pages */
	uint32_t pr_anon_left; /* pages */
	uint32_t pr_anon_done;
};

/*
 * Zipf's law with exponent 0.5 over n ranks: the share of the first k is about
 * the square root of k / n, so a uniform number is squared.
 */
static uint32_t
zipf_half(struct wl_rng *rng, uint32_t n)
{
	uint64_t u = wl_rand(rng) >> 32;

	return ((uint32_t)((((u * u) >> 32) * n) >> 32));
}

static uint32_t
around(struct wl_rng *rng, uint32_t mean)
{
	return (mean - mean / 2 + wl_below(rng, mean + 1 - (mean & 1)));
}

/* Choose distinct images and what to map of each. */
static void
process_plan(
    struct wl_thread *wlt, const struct wl_text *wtx, struct process *pr)
{
	const struct workload_params *wp = &wlt->wlt_run->wlr_params;
	struct wl_rng *rng = &wlt->wlt_rng;
	uint32_t factor, n, sp, text;
	uint64_t taken = 0;
	struct image *im;

	factor = wl_below(rng, BIG_ONE_IN) == 0 ? BIG_FACTOR : 1;
	text = around(rng, wp->wp_text_pages * factor);
	text = MIN(text, wtx->wtx_superpages * NPTEPG);
	n = MIN(howmany(text, IMAGE_PAGES), wtx->wtx_superpages);
	for (uint32_t i = 0; i < n; i++) {
		sp = zipf_half(rng, wtx->wtx_superpages);
		while ((taken & (UINT64_C(1) << sp)) != 0)
			sp = sp + 1 < wtx->wtx_superpages ? sp + 1 : 0;
		taken |= UINT64_C(1) << sp;
		im = &pr->pr_images[i];
		im->im_superpage = sp;
		im->im_left = text / n + (i < text % n ? 1 : 0);
		im->im_start = wl_below(rng, IMAGE_CLUSTERS);
		im->im_npremapped =
		    MIN(im->im_left / 2, PREMAP_PAGES) / CLUSTER;
		im->im_next = 0;
		im->im_shift = wl_below(rng, IMAGE_CLUSTERS);
		/* Odd: the multiples run through all residues of a power of 2. */
		im->im_step = 2 * wl_below(rng, IMAGE_CLUSTERS / 2) + 1;
	}
	pr->pr_nimages = n;
	pr->pr_text_left = text;
	pr->pr_anon_left = around(rng, wp->wp_anon_pages * factor);
	pr->pr_anon_done = 0;
}

static vm_offset_t
text_va(const struct image *im, uint32_t page)
{
	return (TEXT_VA + (vm_offset_t)im->im_superpage * NBPDR +
	    (vm_offset_t)page * PAGE_SIZE);
}

static struct vm_page *
text_page(const struct wl_exec *wex, const struct image *im, uint32_t page)
{
	return (wex->wex_copy->wlo_pages[im->im_superpage * NPTEPG + page]);
}

/*
 * The next cluster to fault on: a permutation of all, minus those that are
 * premapped.
 */
static uint32_t
image_cluster(struct image *im)
{
	uint32_t c;

	do {
		c = (im->im_shift + im->im_next++ * im->im_step) %
		    IMAGE_CLUSTERS;
	} while ((c - im->im_start) % IMAGE_CLUSTERS < im->im_npremapped);
	return (c);
}

/* Map the first part of each image.  Advisory, so it cannot fail. */
static void
process_exec(struct wl_exec *wex, struct process *pr)
{
	struct image *im;
	uint32_t first, n, part;

	sim_charge(wex->wex_sim, SIM_SYSCALL, pr->pr_nimages);
	VM_OBJECT_RLOCK(wex->wex_copy->wlo_object);
	for (uint32_t i = 0; i < pr->pr_nimages; i++) {
		im = &pr->pr_images[i];
		n = im->im_npremapped * CLUSTER;
		im->im_left -= n;
		pr->pr_text_left -= n;
		/* May run past the superpage's end: then in two parts. */
		for (first = im->im_start * CLUSTER; n > 0; n -= part) {
			part = MIN(n, NPTEPG - first);
			pmap_enter_object(wex->wex_pmap, text_va(im, first),
			    text_va(im, first + part),
			    text_page(wex, im, first), TEXT_PROT);
			first = 0;
		}
	}
	VM_OBJECT_RUNLOCK(wex->wex_copy->wlo_object);
}

/* A fault on text: the page, and its neighbours as far as that is easy. */
static int
process_fault_text(
    struct wl_thread *wlt, struct wl_exec *wex, struct process *pr)
{
	uint32_t c, hit, i, n;
	enum kern_return kr;
	struct image *im;
	vm_offset_t va;

	i = wl_below(&wlt->wlt_rng, pr->pr_nimages);
	im = &pr->pr_images[i];
	n = MIN(im->im_left, CLUSTER);
	c = image_cluster(im);
	hit = c * CLUSTER + wl_below(&wlt->wlt_rng, n);

	sim_charge(wex->wex_sim, SIM_FAULT, 1);
	VM_OBJECT_RLOCK(wex->wex_copy->wlo_object);
	kr =
	    pmap_enter(wex->wex_pmap, text_va(im, hit), text_page(wex, im, hit),
		TEXT_PROT, VM_PROT_EXECUTE | PMAP_ENTER_NOSLEEP, 0);
	for (uint32_t page = c * CLUSTER;
	     kr == KERN_SUCCESS && page < c * CLUSTER + n; page++) {
		va = text_va(im, page);
		if (page != hit && pmap_is_prefaultable(wex->wex_pmap, va))
			pmap_enter_quick(wex->wex_pmap, va,
			    text_page(wex, im, page), TEXT_PROT);
	}
	VM_OBJECT_RUNLOCK(wex->wex_copy->wlo_object);

	im->im_left -= n;
	pr->pr_text_left -= n;
	if (im->im_left == 0)
		*im = pr->pr_images[--pr->pr_nimages];
	return (kr == KERN_SUCCESS ? 0 : wl_out_of_memory(wlt->wlt_run));
}

/* A fault on a private page: a new page, which the fault writes to. */
static int
process_fault_anon(
    struct wl_thread *wlt, struct wl_exec *wex, struct process *pr)
{
	struct machine *ma = wlt->wlt_run->wlr_machine;
	enum kern_return kr = KERN_RESOURCE_SHORTAGE;
	struct vm_page *m;

	sim_charge(wex->wex_sim, SIM_FAULT, 1);
	VM_OBJECT_WLOCK(wex->wex_anon);
	m = vm_page_alloc(ma->ma_vp, wlt->wlt_td->td_domain, 0);
	if (m != NULL) {
		sim_charge(wex->wex_sim, SIM_PAGE_CLEAR, 1);
		vm_page_insert(m, wex->wex_anon, pr->pr_anon_done);
		kr = pmap_enter(wex->wex_pmap,
		    ANON_VA + (vm_offset_t)pr->pr_anon_done * PAGE_SIZE, m,
		    VM_PROT_READ | VM_PROT_WRITE,
		    VM_PROT_WRITE | PMAP_ENTER_NOSLEEP, 0);
	}
	VM_OBJECT_WUNLOCK(wex->wex_anon);
	pr->pr_anon_done++;
	pr->pr_anon_left--;
	return (kr == KERN_SUCCESS ? 0 : wl_out_of_memory(wlt->wlt_run));
}

static int
process_run(struct wl_thread *wlt, struct wl_exec *wex, struct process *pr)
{
	uint32_t left;
	int error = 0;

	process_exec(wex, pr);
	while (error == 0 && (left = pr->pr_text_left + pr->pr_anon_left) > 0) {
		if (wl_below(&wlt->wlt_rng, left) < pr->pr_text_left)
			error = process_fault_text(wlt, wex, pr);
		else
			error = process_fault_anon(wlt, wex, pr);
	}
	return (error);
}

static void
process_exit(struct wl_exec *wex)
{
	struct vm_object *anon = wex->wex_anon;

	sim_charge(wex->wex_sim, SIM_SYSCALL, 1);
	pmap_remove_pages(wex->wex_pmap);
	pmap_remove(wex->wex_pmap, 0, VM_MAXUSER_ADDRESS);
	pmap_release(wex->wex_pmap);
	VM_OBJECT_WLOCK(anon);
	while (anon->memq_last != NULL)
		vm_object_free_page(anon, anon->memq_last);
	VM_OBJECT_WUNLOCK(anon);
}

int
wl_exec_round(struct wl_thread *wlt, struct wl_exec *wex)
{
	struct process pr;
	int error;

	if (pmap_pinit(wex->wex_pmap) != KERN_SUCCESS)
		return (wl_out_of_memory(wlt->wlt_run));
	process_plan(wlt, wex->wex_text, &pr);
	error = process_run(wlt, wex, &pr);
	process_exit(wex);
	return (error);
}

int
wl_exec_start(
    struct wl_thread *wlt, struct wl_exec *wex, const struct wl_text *wtx)
{
	struct wl_run *run = wlt->wlt_run;

	wex->wex_sim = run->wlr_machine->ma_sim;
	wex->wex_text = wtx;
	wex->wex_copy = wtx->wtx_copies[wlt->wlt_index % wtx->wtx_ncopies];
	wex->wex_pmap = pmap_alloc(run->wlr_machine);
	if (wex->wex_pmap == NULL)
		return (ENOMEM);
	/* Its size is a bound: a big process of the largest parameter. */
	return (vm_object_create(run->wlr_machine,
	    WL_PARAM_PAGES_MAX * 2 * BIG_FACTOR, wlt->wlt_td->td_domain,
	    VM_OBJECT_EMPTY, &wex->wex_anon));
}

void
wl_exec_finish(struct wl_exec *wex)
{
	vm_object_destroy(wex->wex_anon);
	wex->wex_anon = NULL;
	if (wex->wex_pmap != NULL)
		pmap_free(wex->wex_pmap);
	wex->wex_pmap = NULL;
}

int
wl_text_create(struct wl_run *run, uint32_t superpages, struct wl_text *wtx)
{
	struct machine *ma = run->wlr_machine;
	unsigned ncopies = run->wlr_params.wp_text_copies;
	uint64_t most;
	int error;

	wtx->wtx_copies = wl_alloc(run, ncopies * sizeof(wtx->wtx_copies[0]));
	if (wtx->wtx_copies == NULL)
		return (ENOMEM);
	wtx->wtx_ncopies = ncopies;
	/* All text takes a quarter of a small memory, but a superpage each. */
	most = vm_free_count(ma->ma_vp, -1) / 4 / NPTEPG / ncopies;
	if (superpages > most)
		superpages = MAX((uint32_t)most, 1);
	wtx->wtx_superpages = superpages;
	for (unsigned i = 0; i < ncopies; i++) {
		error = wl_object_create(run, superpages * NPTEPG,
		    (int)(i % (unsigned)ma->ma_ndomains), VM_OBJECT_RUNS,
		    &wtx->wtx_copies[i]);
		if (error != 0)
			return (error);
	}
	return (0);
}

void
wl_text_destroy(struct wl_run *run, struct wl_text *wtx)
{
	/* The objects are the run's. */
	if (wtx->wtx_copies != NULL)
		wl_free(run, wtx->wtx_copies,
		    wtx->wtx_ncopies * sizeof(wtx->wtx_copies[0]));
}

int
wl_exec_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;
	int error;

	if (wp->wp_text_copies == 0)
		wp->wp_text_copies = TEXT_COPIES;
	if (wp->wp_text_pages == 0)
		wp->wp_text_pages = WL_TEXT_PAGES;
	if (wp->wp_anon_pages == 0)
		wp->wp_anon_pages = WL_ANON_PAGES;
	error = wl_check_range(
	    "text copies", wp->wp_text_copies, 1, 1024, err, errsize);
	if (error == 0)
		error = wl_check_range("text pages", wp->wp_text_pages, 1,
		    IMAGES_MAX * NPTEPG, err, errsize);
	if (error == 0)
		error = wl_check_range("private pages", wp->wp_anon_pages, 1,
		    WL_PARAM_PAGES_MAX, err, errsize);
	wp->wp_text_copies =
	    MIN(wp->wp_text_copies, run->wlr_config->wc_threads);
	return (error);
}

static int
exec_exit_build(struct wl_run *run)
{
	struct wl_text *wtx;

	wtx = wl_alloc(run, sizeof(*wtx));
	if (wtx == NULL)
		return (ENOMEM);
	run->wlr_shared = wtx;
	return (wl_text_create(run,
	    MIN(MAX(TEXT_SUPERPAGES,
		    howmany(run->wlr_params.wp_text_pages, NPTEPG)),
		IMAGES_MAX),
	    wtx));
}

static int
exec_exit_start(struct wl_thread *wlt)
{
	struct wl_exec *wex;

	wex = wl_alloc(wlt->wlt_run, sizeof(*wex));
	if (wex == NULL)
		return (ENOMEM);
	wlt->wlt_state = wex;
	return (wl_exec_start(wlt, wex, wlt->wlt_run->wlr_shared));
}

static int
exec_exit_round(struct wl_thread *wlt)
{
	return (wl_exec_round(wlt, wlt->wlt_state));
}

static void
exec_exit_finish(struct wl_thread *wlt)
{
	struct wl_exec *wex = wlt->wlt_state;

	if (wex == NULL)
		return;
	wl_exec_finish(wex);
	wl_free(wlt->wlt_run, wex, sizeof(*wex));
}

static void
exec_exit_destroy(struct wl_run *run)
{
	struct wl_text *wtx = run->wlr_shared;

	if (wtx == NULL)
		return;
	wl_text_destroy(run, wtx);
	wl_free(run, wtx, sizeof(*wtx));
}

const struct wl_ops wl_exec_exit_ops = {
	.wo_check = wl_exec_check,
	.wo_build = exec_exit_build,
	.wo_start = exec_exit_start,
	.wo_round = exec_exit_round,
	.wo_finish = exec_exit_finish,
	.wo_destroy = exec_exit_destroy,
};
