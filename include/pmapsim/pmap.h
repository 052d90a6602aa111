/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_PMAP_H
#define PMAPSIM_PMAP_H

/*
 * The machine-dependent half of virtual memory: FreeBSD's pmap for amd64.
 *
 * A pmap is one user address space, 0 to VM_MAXUSER_ADDRESS, as four-level page
 * tables in simulated memory.  Addresses and lengths are bytes; va and pages
 * are 4 KB unless said otherwise.  Callers are attached to the pmap's machine.
 *
 * Lock order: pmap (two: ascending address) -> pv list lock (at most one) ->
 * pv chunk list, page allocation.  Where a function starts from a page it holds
 * the pv list lock first and so only tries pmap locks; when one is taken, it
 * waits without the pv list lock and compares generations afterwards.
 *
 * Superpages.  512 mappings of 4 KB that fill a page table, map a full, aligned
 * run of pages and agree in their attributes are promoted to one of 2 MB; a 2 MB
 * mapping that is to change in part is demoted.  A demotion that finds the mapping
 * never accessed, or no memory, removes all of it: the pages fault in again.
 * A run is full if it lies in one segment and all of it is allocated.
 *
 * Versions.  Where FreeBSD's versions differ the design's option pmap= decides:
 *
 *	main	promotes what was not accessed, too, and in pmap_enter_quick()
 *	14, main  count the root in pmap_resident_count()
 *	12.x	copies a managed 2 MB mapping with its accessed bit, and leaves
 *		an empty directory page where there is no memory for a record
 *	12.1	dirties the pages of a 2 MB mapping that loses but execute
 *
 * Differs throughout: no protection keys; user pmaps only; pv entries are not
 * reclaimed from other pmaps when memory is short.
 * Source: FreeBSD main (2024), sys/amd64/amd64/pmap.c, function by function.
 */

#include "pmapsim/machine.h"
#include "pmapsim/types.h"
#include "pmapsim/vm_page.h"

/*
 * Allocate the structure of a pmap, not yet usable.  The memory is type-stable:
 * it is reused for pmaps only and freed with the machine, since its mutex may be
 * locked by a thread that found it through a pv entry that has gone meanwhile.
 * Returns NULL when host memory is short.
 */
struct pmap *pmap_alloc(struct machine *m);
/* After pmap_release(). */
void pmap_free(struct pmap *pmap);

/*
 * Make a pmap an empty address space.  Returns KERN_SUCCESS, or
 * KERN_RESOURCE_SHORTAGE when no page is free for the root.
 * Differs: FreeBSD sleeps for memory; no kernel half.
 */
enum kern_return pmap_pinit(struct pmap *pmap);
/* The pmap has no mapping left; its root goes back. */
void pmap_release(struct pmap *pmap);

/*
 * Map page m at virtual address va, replacing any mapping already there.
 *
 *	va	a user address, page aligned; with psind 1, 2 MB aligned
 *	m	if managed, busy or of an object that is locked, so that its
 *		mappings are not removed meanwhile
 *	prot	what the mapping will allow, VM_PROT_*
 *	flags	the access that faulted, VM_PROT_*, plus PMAP_ENTER_*
 *	psind	0; or 1: map the 2 MB that m is the first page of.  Whatever is
 *		mapped there goes, wired or not.  m is managed: m->psind is 1, and
 *		write in prot needs write in flags.
 *
 * Returns KERN_SUCCESS, or KERN_RESOURCE_SHORTAGE when flags has
 * PMAP_ENTER_NOSLEEP and no page is free for a table or a pv chunk; nothing has
 * changed then, except that a superpage in the way may be gone.  Without the
 * flag it waits for one: the caller then holds no lock, that is, m is busy.
 * KERN_INVALID_ADDRESS when va is no user address, KERN_INVALID_ARGUMENT for
 * another psind or where va or m is not 2 MB aligned.
 *
 * Locks: the pmap's, then pv list locks one at a time.
 * Differs: KERN_RESOURCE_SHORTAGE also for want of a pv entry.
 */
enum kern_return pmap_enter(struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, uint32_t flags, int psind);

/*
 * Map m read-only at va, not accessed, if that costs no waiting and replaces
 * nothing.  Advisory: what cannot be done is left out.
 */
void pmap_enter_quick(
    struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot);

/*
 * pmap_enter_quick() for the pages of one object from m_start on, whose pindex
 * distance to m_start is below (end - start) pages, each at its distance from
 * start.  A full run that fits is mapped by 2 MB where nothing is mapped and there
 * is no page table.  The object is locked, at least for reading.
 */
void pmap_enter_object(struct pmap *pmap, vm_offset_t start, vm_offset_t end,
    struct vm_page *m_start, vm_prot_t prot);

/* Remove all mappings in [sva, eva).  Page tables that empty are freed. */
void pmap_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);

/*
 * Remove all managed, unwired mappings at once: the end of a process, whose
 * pmap no other thread uses.  Modified pages become dirty; references are not
 * passed on.  Wired and unmanaged mappings stay for pmap_remove().
 */
void pmap_remove_pages(struct pmap *pmap);

/*
 * Take rights away from the mappings in [sva, eva); prot says what stays.  With
 * VM_PROT_NONE all go.  Never adds a right; with write and execute both
 * in prot nothing happens.  A superpage that is wholly in the range stays one.
 */
void pmap_protect(
    struct pmap *pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot);

/* Clear the wired attribute in [sva, eva).  Every mapping there has it. */
void pmap_unwire(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);

/*
 * The pages in [sva, eva) will not be needed: make their managed mappings look
 * untouched, so that later use shows.
 *
 *	PMAP_ADVISE_DONTNEED  modified is passed on to the pages
 *	PMAP_ADVISE_FREE      modified is forgotten, and with it the contents
 *
 * Superpages are demoted, even those wholly in the range, and the last page of
 * each that is in the range is unmapped, unless wired: its next use faults, which
 * is when a promotion is tried.
 */
enum pmap_advice {
	PMAP_ADVISE_DONTNEED,
	PMAP_ADVISE_FREE
};
void pmap_advise(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva,
    enum pmap_advice advice);

/*
 * Copy src's managed mappings in [src_addr, src_addr + len) to dst, without
 * wired, modified and accessed; fork's shortcut.  Advisory: stops where memory
 * is short or dst has a mapping already.  Nothing happens unless dst_addr is
 * src_addr.  Rights are copied as they are: the caller write-protects first.
 * Superpages wholly in the range, unmanaged ones, too, are copied with their
 * modified bit where dst has neither a mapping nor a page table, else skipped.
 */
void pmap_copy(struct pmap *dst, struct pmap *src, vm_offset_t dst_addr,
    vm_size_t len, vm_offset_t src_addr);

/* Physical address behind va, or 0. */
vm_paddr_t pmap_extract(struct pmap *pmap, vm_offset_t va);
/*
 * The page behind va with a reference added, if its mapping allows prot; else
 * NULL.  Undo with vm_page_unhold().
 */
struct vm_page *
pmap_extract_and_hold(struct pmap *pmap, vm_offset_t va, vm_prot_t prot);
void vm_page_unhold(struct vm_page *m);

/* Is there a page table for va, and no mapping in it? */
bool pmap_is_prefaultable(struct pmap *pmap, vm_offset_t va);

/* What mincore(2) would say of va. */
#define MINCORE_INCORE           0x1
#define MINCORE_REFERENCED       0x2
#define MINCORE_MODIFIED         0x4
#define MINCORE_REFERENCED_OTHER 0x8
#define MINCORE_MODIFIED_OTHER   0x10
#define MINCORE_SUPER            0x20 /* a 2 MB mapping */
/*
 * Returns MINCORE_* bits of the mapping at va, 0 for none; *pap is the page's
 * address where the caller must still look at the page, else 0.
 */
int pmap_mincore(struct pmap *pmap, vm_offset_t va, vm_paddr_t *pap);

/*
 * Mapped pages, 512 for a superpage, plus page table pages, saved ones among
 * them, and the root, as the kernel counts; pmap=12.x: without the root.
 */
uint64_t pmap_resident_count(struct pmap *pmap);
uint64_t pmap_wired_count(struct pmap *pmap);
/* Page table pages in the tree, without the root; counted by a walk. */
uint64_t pmap_table_count(struct pmap *pmap);
/* Page table pages saved for promoted, or wired, superpages. */
uint64_t pmap_spare_count(struct pmap *pmap);

/*
 * Call fn for each mapping, by ascending va: its entry as the MMU has it, and its
 * size, 4096 or 2 MB.  The pmap is locked meanwhile: fn calls nothing of it.
 */
void pmap_walk(struct pmap *pmap,
    void (*fn)(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size),
    void *arg);

/* What superpages did on the machine since it was created. */
struct pmap_pde_stats {
	uint64_t pds_promotions;
	uint64_t pds_demotions;  /* that kept the mapping */
	uint64_t pds_p_failures; /* promotions tried in vain */
	uint64_t pds_mappings;   /* made at once: psind 1, object, copy */
};
void pmap_pde_stats(struct machine *ma, struct pmap_pde_stats *pds);

/*
 * For tests: let the pmaps of the machine take only so many more page table
 * pages, roots not counted, and pv chunks; -1: any number, as at first.
 * Each one given back may be taken again.  An operation that may wait for
 * memory raises the limit to what it needs.  No operation is under way.
 */
void pmap_limit(struct machine *ma, int64_t pt_pages, int64_t pv_chunks);

/*
 * Below, m is a managed page.  The pv list lock of its superpage is taken, then
 * the pmap of each mapping.
 */

/* Remove every mapping of m; modified and referenced are passed on to it. */
void pmap_remove_all(struct machine *ma, struct vm_page *m);
/* Make every mapping of m read-only; modified is passed on. */
void pmap_remove_write(struct machine *ma, struct vm_page *m);
/* Clear the modified bit in every mapping of m. */
void pmap_clear_modify(struct machine *ma, struct vm_page *m);
/* Is some mapping writable and modified? */
bool pmap_is_modified(struct machine *ma, struct vm_page *m);
/* Is some mapping accessed? */
bool pmap_is_referenced(struct machine *ma, struct vm_page *m);
/*
 * Count and clear accessed bits, PMAP_TS_REFERENCED_MAX at most; modified ones
 * make m dirty.  Rotates the list so that the next call looks further.
 */
int pmap_ts_referenced(struct machine *ma, struct vm_page *m);
/* How many wired mappings m has. */
int pmap_page_wired_mappings(struct machine *ma, struct vm_page *m);
/* Is pmap among the first 16 mappings of m? */
bool pmap_page_exists_quick(struct pmap *pmap, struct vm_page *m);
bool pmap_page_is_mapped(struct machine *ma, struct vm_page *m);

#endif /* PMAPSIM_PMAP_H */
