/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_TLB_SCENE_H
#define TESTS_TLB_SCENE_H

/*
 * What the schedules of test_tlb_bugs.c share: a machine with a fault or without,
 * two pmaps, and a CPU whose TLB is watched.
 */

#include "pmap/mmu.h"
#include "pmap_util.h"

#define VA      (GB(1) + MB(4))
#define READER  2 /* CPU whose TLB is stale */
#define PROT_RW (VM_PROT_READ | VM_PROT_WRITE)

struct scene {
	struct pu s_pu;
	struct machine *s_ma;
	struct pmap *s_pmap;
	struct pmap *s_other;
	struct vm_page *s_m;
	struct pu_thread s_freer;
	_Atomic bool s_unlinked; /* the remover is between unlink and flush */
	_Atomic bool s_looking;  /* the freer is about to look at the page */
	_Atomic bool s_freed;    /* the freer has freed the page */
	_Atomic bool s_go;       /* the remover may go on */
};

/* form: options of a design; bug: NULL, or the fault. */
void scene_begin(struct scene *s, const char *form, const char *bug);
/* Ends it; returns how many violations there were. */
uint64_t scene_end(struct scene *s);
/* Map m, to be written, in s_pmap. */
void scene_enter(struct scene *s, vm_offset_t va, struct vm_page *m);
/* The watched CPU reads. */
enum mmu_result scene_read(struct scene *s, vm_offset_t va);

/* tlb_bugs_super.c: schedules with superpages. */
uint64_t promoted_superpage_flushed(const char *form, const char *bug);
uint64_t sizes_meet(const char *form, const char *bug);
uint64_t large_entry_stays(const char *form, const char *bug);

#endif /* TESTS_TLB_SCENE_H */
