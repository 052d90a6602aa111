/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_WL_PROCESS_H
#define WORKLOAD_WL_PROCESS_H

/*
 * A process of a package build: an address space with files mapped and private
 * memory, and what is left for it to do.  See wl_process.c.
 *
 * Locking: a process is its builder's own.  Its pages are mapped by a forked
 * child, too, which ends before its parent goes on.
 */

#include "workload/wl_programs.h"
#include "workload/workload_var.h"

/* Program, rtld, libc, a library. */
#define WL_AREAS 4
/* Words for the pages of an area that faults map one by one. */
#define WL_AREA_WORDS 16
/* Heap pages that are found by index: what is shared since a fork. */
#define WL_HEAP_KNOWN 256

/* One copy of every file: what the processes of a jail share. */
struct wl_jail {
	struct wl_object *wj_files[WL_NFILES][WL_FILE_VARIANTS];
};

/* A file in an address space: shared pages, then pages to copy. */
struct wl_area {
	const struct wl_object *ar_file;
	vm_offset_t ar_va;
	uint32_t ar_shared; /* pages before those to copy */
	uint32_t ar_data;   /* pages to copy */
	uint32_t ar_copied;
	uint32_t ar_maps; /* mappings that the shared pages are in */
	uint32_t ar_left; /* shared pages that are not mapped */
	uint32_t ar_next; /* where the next fault may go on */
	uint64_t ar_mapped[WL_AREA_WORDS];
};

struct wl_process {
	struct pmap *wlp_pmap;
	bool wlp_live; /* the pmap is an address space */
	const struct wl_program *wlp_program;
	struct vm_object *wlp_heap;
	struct vm_object *wlp_stack;
	struct vm_object *wlp_data[WL_AREAS]; /* copies of an area's data */
	struct wl_area wlp_areas[WL_AREAS];
	unsigned wlp_nareas;

	/* What is left to do. */
	uint32_t wlp_loads; /* areas that rtld still has to map */
	uint32_t wlp_file;  /* faults on shared file pages */
	uint32_t wlp_copy;  /* faults that copy a file page */
	uint32_t wlp_cow;   /* writes to pages shared since a fork */
	uint32_t wlp_anon;  /* faults on new private pages */
	uint64_t wlp_user_ns;

	uint32_t wlp_heap_pages;       /* next index */
	uint32_t wlp_stack_pages;      /* next index */
	uint32_t wlp_cow_next;         /* next page shared since a fork */
	struct wl_process *wlp_parent; /* of a forked one, else NULL */
	struct vm_page *wlp_known[WL_HEAP_KNOWN];
};

/* What a builder's processes have in common. */
struct wl_world {
	struct wl_thread *ww_thread;
	const struct wl_jail *ww_jail;
};

/* Empty objects and no address space; an error as of wo_start. */
int wl_process_create(struct wl_thread *wlt, struct wl_process *pr);
/* Also one that was created in part, or is live. */
void wl_process_destroy(struct wl_process *pr);

/*
 * Become a run of a program, in place of what was there.  Functions below that
 * return int return 0, or what wl_out_of_memory() returns.
 */
int wl_process_exec(
    struct wl_world *ww, struct wl_process *pr, enum wl_program_id id);

/* Child, which is not live, becomes a copy of pr that does as WLP_FORKED does. */
int wl_process_fork(
    struct wl_world *ww, struct wl_process *pr, struct wl_process *child);

/* User time until the next event, or to the end; it is taken off what is left. */
uint64_t wl_process_gap(struct wl_world *ww, struct wl_process *pr);

/* The next event: a fault, or rtld maps a file.  *donep: nothing was left. */
int wl_process_event(struct wl_world *ww, struct wl_process *pr, bool *donep);

/* The process ends. */
void wl_process_exit(struct wl_world *ww, struct wl_process *pr);

/*
 * Between wl_process.c and wl_fault.c.
 */

#define WL_HEAP_VA     UINT64_C(0x900000000)
#define WL_STACK_VA    UINT64_C(0x7fffff000000)
#define WL_STACK_PAGES 4u

static inline struct sim *
wl_world_sim(const struct wl_world *ww)
{
	return (ww->ww_thread->wlt_run->wlr_machine->ma_sim);
}

static inline vm_offset_t
wl_area_va(const struct wl_area *ar, uint32_t page)
{
	return (ar->ar_va + (vm_offset_t)page * PAGE_SIZE);
}

/* Map what is resident of an area at once, of each mapping at most so much. */
void wl_area_premap(struct wl_process *pr, struct wl_area *ar, uint32_t most);

/*
 * Faults: on the shared pages of some file; on the next data page of some file,
 * which is copied; on a new private page; and on a heap page that was shared at a
 * fork.  Nothing happens where there is no such page.
 */
int wl_fault_file(struct wl_world *ww, struct wl_process *pr);
int wl_fault_copy(struct wl_world *ww, struct wl_process *pr);
int wl_fault_anon(struct wl_world *ww, struct wl_process *pr);
int wl_fault_cow(struct wl_world *ww, struct wl_process *pr);

#endif /* WORKLOAD_WL_PROCESS_H */
