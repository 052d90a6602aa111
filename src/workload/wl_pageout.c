/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pageout: a page daemon against the other scenarios.
 *
 * Workers do a round of private, exec_exit or one_pmap in random turn, each with
 * state of its own.  Daemons walk over all pages of all objects that are full
 * and look at each: how often it was referenced, and then, by lot, one of the
 * operations that start from a page.  Where one thread runs alone, it is worker
 * and daemon in turn.
 *
 * A daemon holds the object's lock for writing.  It tries first, as a kernel
 * does that has other locks already, and waits only when that failed.
 */

#include <errno.h>

#include "workload/workload_var.h"

#define PRIVATE_PAGES    1024u
#define TEXT_SUPERPAGES  8u   /* a copy: a scan comes round often */
#define SCAN_PAGES       256u /* a round */
#define SCAN_BATCH       32u  /* under one hold of the object's lock */
#define WORKERS_A_DAEMON 8u

struct pageout {
	struct wl_text po_text;
	struct wl_shared po_shared;
};

/* Of a worker, and where a daemon is. */
struct member {
	struct wl_private mb_private;
	struct wl_exec mb_exec;
	struct wl_object *mb_range; /* of one_pmap */
	struct wl_object *mb_scan;  /* object that is looked at */
	uint32_t mb_scan_page;
};

static bool
is_daemon(const struct wl_thread *wlt)
{
	/* The first ones: they start to run where the pins begin. */
	return (wlt->wlt_index < wlt->wlt_run->wlr_params.wp_daemons);
}

/* One page, whose object is write-locked. */
static void
scan_page(struct wl_thread *wlt, struct pageout *po, struct vm_page *m)
{
	struct machine *ma = wlt->wlt_run->wlr_machine;

	(void)pmap_ts_referenced(ma, m);
	switch (wl_below(&wlt->wlt_rng, 8)) {
	case 0:
		pmap_remove_all(ma, m);
		break;
	case 1:
		pmap_remove_write(ma, m);
		break;
	case 2:
		pmap_clear_modify(ma, m);
		break;
	case 3:
		(void)pmap_is_modified(ma, m);
		break;
	case 4:
		(void)pmap_is_referenced(ma, m);
		break;
	case 5:
		if (pmap_page_wired_mappings(ma, m) != 0)
			wl_fail(wlt->wlt_run,
			    "thread %u: a page has wired mappings",
			    wlt->wlt_index);
		break;
	case 6:
		(void)pmap_page_is_mapped(ma, m);
		break;
	default:
		(void)pmap_page_exists_quick(po->po_shared.wsh_pmap, m);
		break;
	}
	wlt->wlt_pageops += 2;
}

static void
scan_round(struct wl_thread *wlt, struct pageout *po, struct member *mb)
{
	struct wl_object *wlo;
	uint32_t end;

	for (uint32_t n = 0; n < SCAN_PAGES; n += SCAN_BATCH) {
		wlo = mb->mb_scan;
		if (wlo == NULL || mb->mb_scan_page >= wlo->wlo_npages) {
			if (wlo != NULL)
				wlo = TAILQ_NEXT(wlo, wlo_link);
			if (wlo == NULL)
				wlo = TAILQ_FIRST(&wlt->wlt_run->wlr_objects);
			mb->mb_scan = wlo;
			mb->mb_scan_page = 0;
		}
		if (!VM_OBJECT_TRYWLOCK(wlo->wlo_object))
			VM_OBJECT_WLOCK(wlo->wlo_object);
		end = MIN(mb->mb_scan_page + SCAN_BATCH, wlo->wlo_npages);
		for (; mb->mb_scan_page < end; mb->mb_scan_page++)
			scan_page(wlt, po, wlo->wlo_pages[mb->mb_scan_page]);
		VM_OBJECT_WUNLOCK(wlo->wlo_object);
	}
}

static int
pageout_round(struct wl_thread *wlt)
{
	struct pageout *po = wlt->wlt_run->wlr_shared;
	struct member *mb = wlt->wlt_state;
	bool alone = wlt->wlt_run->wlr_params.wp_daemons == 0;

	if (is_daemon(wlt)) {
		scan_round(wlt, po, mb);
		return (0);
	}
	switch (wl_below(&wlt->wlt_rng, alone ? 4 : 3)) {
	case 0:
		return (wl_private_round(wlt, &mb->mb_private));
	case 1:
		return (wl_exec_round(wlt, &mb->mb_exec));
	case 2:
		return (wl_ranges_round(wlt, &po->po_shared, mb->mb_range));
	default:
		scan_round(wlt, po, mb);
		return (0);
	}
}

static int
pageout_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;
	unsigned threads = run->wlr_config->wc_threads;
	int error;

	error = wl_exec_check(run, err, errsize);
	if (error == 0)
		error = wl_ranges_check(run, err, errsize);
	if (error != 0)
		return (error);
	if (wp->wp_daemons == 0 && threads > 1)
		wp->wp_daemons = howmany(threads, WORKERS_A_DAEMON);
	if (wp->wp_daemons >= threads)
		return (wl_check_range("page daemons", wp->wp_daemons,
		    threads > 1 ? 1 : 0, threads - 1, err, errsize));
	return (0);
}

static int
pageout_build(struct wl_run *run)
{
	struct pageout *po;
	int error;

	po = wl_alloc(run, sizeof(*po));
	if (po == NULL)
		return (ENOMEM);
	run->wlr_shared = po;
	error = wl_text_create(run, TEXT_SUPERPAGES, &po->po_text);
	if (error != 0)
		return (error);
	return (wl_shared_create(run, &po->po_shared));
}

static int
pageout_start(struct wl_thread *wlt)
{
	struct pageout *po = wlt->wlt_run->wlr_shared;
	struct member *mb;
	int error;

	mb = wl_alloc(wlt->wlt_run, sizeof(*mb));
	if (mb == NULL)
		return (ENOMEM);
	wlt->wlt_state = mb;
	if (is_daemon(wlt))
		return (0);
	error = wl_private_start(wlt, &mb->mb_private, PRIVATE_PAGES);
	if (error == 0)
		error = wl_exec_start(wlt, &mb->mb_exec, &po->po_text);
	if (error == 0)
		error = wl_ranges_start(wlt, &mb->mb_range);
	return (error);
}

static void
pageout_finish(struct wl_thread *wlt)
{
	struct pageout *po = wlt->wlt_run->wlr_shared;
	struct member *mb = wlt->wlt_state;

	if (mb == NULL)
		return;
	wl_private_finish(&mb->mb_private);
	wl_exec_finish(&mb->mb_exec);
	if (mb->mb_range != NULL)
		wl_ranges_finish(wlt, &po->po_shared, mb->mb_range);
	wl_free(wlt->wlt_run, mb, sizeof(*mb));
}

static void
pageout_destroy(struct wl_run *run)
{
	struct pageout *po = run->wlr_shared;

	if (po == NULL)
		return;
	wl_shared_destroy(&po->po_shared);
	wl_text_destroy(run, &po->po_text);
	wl_free(run, po, sizeof(*po));
}

const struct wl_ops wl_pageout_ops = {
	.wo_check = pageout_check,
	.wo_build = pageout_build,
	.wo_start = pageout_start,
	.wo_round = pageout_round,
	.wo_finish = pageout_finish,
	.wo_destroy = pageout_destroy,
};
