/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_PMAP_H
#define PMAPSIM_PMAP_H

/*
 * The machine-dependent half of virtual memory: FreeBSD's pmap for amd64.
 *
 * A pmap is one user address space, 0 to VM_MAXUSER_ADDRESS, as four-level page
 * tables in simulated memory.  Addresses and lengths are bytes; va and pages
 * are 4 KB unless said otherwise.
 *
 * Conventions, for each function unless it says otherwise.
 *	threads	any attached thread may call it, on any pmap, at any time; the
 *		machine it is attached to is the pmap's
 *	locks	it takes what it needs, and the caller holds none of the pmap
 *		layer: no pmap, no pv list lock, no delayed invalidation block.
 *		Locks of objects may be held
 *	range	[sva, eva) is page aligned.  What lies at or above
 *		VM_MAXUSER_ADDRESS is not mapped, and an empty range does nothing
 *	memory	it does not wait for memory
 *	Source:	FreeBSD main (2024), sys/amd64/amd64/pmap.c, the function of the
 *		same name
 *
 * Lock order: delayed invalidation block -> pmap (two: ascending address) -> pv
 * list lock (at most one) -> pv chunk list, page allocation.  Where a function
 * starts from a page it holds the pv list lock first and so only tries pmap
 * locks; when one is taken, it waits without the pv list lock and compares
 * generations afterwards.
 *
 * Superpages.  512 mappings of 4 KB that fill a page table, map a full, aligned
 * run of pages and agree in their attributes are promoted to one of 2 MB; a 2
 * MB mapping that is to change in part is demoted.  A demotion that finds the
 * mapping never accessed, or no memory, removes all of it: the pages fault in
 * again.  So a function that changes part of 2 MB may remove more than its
 * range; not if the mapping is wired.
 *
 * Shortage.  When no page is free for a pv entry, functions that may change
 * mappings at will take entries of others: unwired 4 KB mappings of any pmap,
 * also the caller's, may go at any time, as if they had never been made.
 *
 * Versions.  Where FreeBSD's versions differ the design's option pmap= decides:
 *
 *	main	promotes what was not accessed, too, and in pmap_enter_quick();
 *		has a page table saved for a wired 2 MB mapping made by psind 1
 *	14, main  count the root in pmap_resident_count()
 *	12.x	copies a managed 2 MB mapping with its accessed bit, and leaves
 *		an empty directory page where there is no memory for a record
 *	12.1	dirties the pages of a 2 MB mapping that loses but execute
 *
 * Differs throughout: no protection keys; user pmaps only.
 */

#include "pmapsim/machine.h"
#include "pmapsim/types.h"
#include "pmapsim/vm_page.h"

/*
 * Allocate the structure of a pmap, not yet usable: pmap_pinit() is next.
 *
 * The memory is type-stable: it is reused for pmaps only and freed with the
 * machine, since its mutex may be locked by a thread that found it through a pv
 * entry that has gone meanwhile.
 *
 * Returns NULL when host memory is short.
 * Locks: "pmap zone", alone.
 * Differs: FreeBSD's is part of struct vmspace, from a zone that is not freed.
 */
struct pmap *pmap_alloc(struct machine *m);

/*
 * Give back the structure of a pmap that was never made or is released.  Nobody
 * uses it any more, but for threads that look at it through stale pv entries.
 * Locks: "pmap zone", alone.
 * Differs: as pmap_alloc().
 */
void pmap_free(struct pmap *pmap);

/*
 * Make a pmap, from pmap_alloc() or released, an empty address space.
 *
 * Returns KERN_SUCCESS, or KERN_RESOURCE_SHORTAGE when no page is free for the
 * root; nothing has changed then.
 * Locks: the pmap's.
 * Differs: FreeBSD sleeps for memory, and returns 1; no kernel half is copied.
 */
enum kern_return pmap_pinit(struct pmap *pmap);

/*
 * End an address space: its root goes back.  It has no mapping left, wired or
 * not, and is loaded on no CPU.  Panics when something is still resident.
 * Locks: the pmap's.
 */
void pmap_release(struct pmap *pmap);

/*
 * Map page m at virtual address va, replacing any mapping already there.
 *
 *	va	a user address, page aligned; with psind 1, 2 MB aligned
 *	m	if managed, busy or of an object that is locked, so that its
 *		mappings are not removed meanwhile
 *	prot	what the mapping will allow, VM_PROT_*
 *	flags	the access that faulted, VM_PROT_*, which prot includes, plus
 *		PMAP_ENTER_WIRED and PMAP_ENTER_NOSLEEP
 *	psind	0; or 1: map the 2 MB that m is the first page of.  Whatever is
 *		mapped there goes, wired or not.  If m is managed, all 512 pages
 *		are allocated, as m->psind says (an object's full reservation, or
 *		vm_phys_page_alloc() of order 9 or more), and write in prot needs
 *		write in flags.
 *
 * The mapping is accessed, and modified if flags has write.  If it completes
 * 512 that can be one of 2 MB it is promoted.
 *
 * Returns KERN_SUCCESS; KERN_RESOURCE_SHORTAGE when flags has
 * PMAP_ENTER_NOSLEEP and memory for a table or a pv entry is missing: nothing
 * has changed then, except that 2 MB in the way may be gone, and with psind 1
 * whatever was mapped there; with psind 1, also without the flag, for want of a
 * page table to save; without the flag it waits otherwise: the caller then
 * holds no lock, that is, m is busy.  KERN_INVALID_ADDRESS when va is no user
 * address, KERN_INVALID_ARGUMENT for another psind or where va or m is not 2 MB
 * aligned, or m->psind is 0; nothing has changed.
 *
 * Locks: the pmap's, then pv list locks one at a time; a delayed invalidation
 * block where psind 1 replaces a page table, or mappings are reclaimed.
 * Differs: KERN_RESOURCE_SHORTAGE also for want of a pv entry.
 */
enum kern_return pmap_enter(struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, uint32_t flags, int psind);

/*
 * Map m at va read-only, not accessed, if that costs no waiting and replaces
 * nothing.
 *
 *	va	a user address, page aligned
 *	m	as in pmap_enter(); it need not be busy
 *	prot	VM_PROT_EXECUTE lets the mapping be executed; write is ignored
 *
 * Advisory: what cannot be done is left out, and nobody is told.  A failed
 * attempt leaves no page table behind.
 * Locks: the pmap's, then one pv list lock.  No entry of others is taken.
 */
void pmap_enter_quick(
    struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot);

/*
 * pmap_enter_quick() for the pages of one object from m_start on, whose pindex
 * distance to m_start is below (end - start) pages, each at its distance from
 * start.  A full run that fits is mapped by 2 MB where nothing is mapped and
 * there is no page table, and is left alone where 2 MB are mapped.
 *
 *	start, end	user addresses, page aligned, start < end
 *	m_start		in the object at the index that start maps
 *	prot		as pmap_enter_quick()
 *
 * The object is locked, at least for reading.
 * Locks: the pmap's, once, then pv list locks one at a time.
 */
void pmap_enter_object(struct pmap *pmap, vm_offset_t start, vm_offset_t end,
    struct vm_page *m_start, vm_prot_t prot);

/*
 * Remove all mappings in [sva, eva), wired and unmanaged ones, too.  What they
 * knew, modified and accessed, is passed on to managed pages.  Page tables that
 * empty are freed.
 *
 * On return no CPU can reach the pages through this pmap.  Nobody adds mappings
 * to the pmap meanwhile: a pmap that looks empty, without its lock, is left
 * alone.
 * Locks: a delayed invalidation block, in it the pmap's, then pv list locks one
 * at a time.
 */
void pmap_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);

/*
 * Remove all managed, unwired mappings at once: the end of a process, whose
 * pmap no other thread uses and which is loaded on no other CPU.  Modified
 * pages become dirty; references are not passed on.  Wired and unmanaged
 * mappings stay for pmap_remove().
 *
 * Locks: the pmap's, then pv list locks one at a time.  No delayed
 * invalidation: nobody can use what is stale.
 */
void pmap_remove_pages(struct pmap *pmap);

/*
 * Take rights away from the mappings in [sva, eva); prot says what stays.  With
 * VM_PROT_NONE all go, as by pmap_remove().  Never adds a right; with write and
 * execute both in prot nothing happens.
 *
 * Where write goes, managed pages that were modified become dirty.  2 MB wholly
 * in the range stay one mapping, others are demoted.
 * Locks: the pmap's; pv list locks where there is a demotion.
 */
void pmap_protect(
    struct pmap *pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot);

/*
 * Clear the wired attribute in [sva, eva).  Every mapping there has it; panics
 * otherwise.  2 MB that are in the range in part are demoted, which with
 * pmap=main needs no page for a page table; with others it panics for want of
 * one where the mapping was made by psind 1.
 * Locks: the pmap's; pv list locks where there is a demotion.
 */
void pmap_unwire(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);

/*
 * The pages in [sva, eva) will not be needed: make their managed mappings look
 * untouched, so that later use shows.
 *
 *	PMAP_ADVISE_DONTNEED  modified is passed on to the pages
 *	PMAP_ADVISE_FREE      modified is forgotten, and with it the contents
 *
 * Superpages are demoted, even those wholly in the range, and the last page of
 * each that is in the range is unmapped, unless wired: its next use faults,
 * which is when a promotion is tried.
 * Locks: a delayed invalidation block, in it the pmap's; pv list locks where
 * there is a demotion.
 */
enum pmap_advice {
	PMAP_ADVISE_DONTNEED,
	PMAP_ADVISE_FREE
};
void pmap_advise(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva,
    enum pmap_advice advice);

/*
 * Copy src's managed mappings in [src_addr, src_addr + len) to dst, without
 * wired, modified and accessed; fork's shortcut.
 *
 *	dst_addr  src_addr; otherwise, and when dst is src, nothing happens
 *	len	  bytes, page aligned as src_addr is
 *
 * Advisory: stops where memory is short or dst has a mapping already.  Rights
 * are copied as they are: the caller write-protects first.  Superpages wholly
 * in the range, unmanaged ones, too, are copied with their modified bit where
 * dst has neither a mapping nor a page table, else skipped.
 * Locks: both pmaps', the lower address first, then pv list locks one at a
 * time.  No entry of others is taken.
 * Differs: 2 MB in dst where src has 4 KB are demoted; FreeBSD panics.
 */
void pmap_copy(struct pmap *dst, struct pmap *src, vm_offset_t dst_addr,
    vm_size_t len, vm_offset_t src_addr);

/*
 * The physical address of the byte at va, any address; 0 when nothing is
 * mapped.  It may have changed on return unless the caller prevents that.
 * Locks: the pmap's.
 */
vm_paddr_t pmap_extract(struct pmap *pmap, vm_offset_t va);

/*
 * The page behind va with a reference added: the caller undoes that with
 * vm_page_unhold().
 *
 *	prot	with VM_PROT_WRITE the mapping must allow writing
 *
 * Returns NULL when nothing is mapped, the right is missing, the memory is a
 * device's, which has no descriptor, or references to the page are blocked.
 * Locks: the pmap's.
 */
struct vm_page *
pmap_extract_and_hold(struct pmap *pmap, vm_offset_t va, vm_prot_t prot);

/*
 * Drop a reference that pmap_extract_and_hold() added.  Any thread, not only
 * the one that has it.  Takes no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_unwire_noq().
 * Differs: a page is not freed with its last reference.
 */
void vm_page_unhold(struct vm_page *m);

/*
 * Is there a page table for va, and no mapping in it?  Then pmap_enter_quick()
 * costs little.  False above the user addresses, and where 2 MB are mapped.
 * Locks: the pmap's.
 */
bool pmap_is_prefaultable(struct pmap *pmap, vm_offset_t va);

/* What mincore(2) would say of va. */
#define MINCORE_INCORE           0x1
#define MINCORE_REFERENCED       0x2
#define MINCORE_MODIFIED         0x4
#define MINCORE_REFERENCED_OTHER 0x8
#define MINCORE_MODIFIED_OTHER   0x10
#define MINCORE_SUPER            0x20 /* a 2 MB mapping */
/*
 * Returns MINCORE_* bits of the mapping at va, any address; 0 for none.  *pap
 * is the address of the 4 KB page where the caller must still ask for its other
 * mappings, else 0.
 * Locks: the pmap's.
 * Source: FreeBSD main (2024), sys/amd64/amd64/pmap.c, pmap_mincore();
 * sys/sys/mman.h.
 */
int pmap_mincore(struct pmap *pmap, vm_offset_t va, vm_paddr_t *pap);

/*
 * Mapped pages, 512 for a superpage, plus page table pages, saved ones among
 * them, and the root, as the kernel counts; pmap=12.x: without the root.
 * Takes no lock: a snapshot.
 * Source: FreeBSD main (2024), sys/vm/pmap.h, pmap_resident_count().
 */
uint64_t pmap_resident_count(struct pmap *pmap);

/*
 * Pages mapped as wired, 512 for a superpage.
 * Locks: the pmap's.
 * Source: FreeBSD main (2024), sys/vm/pmap.h, pmap_wired_count().
 */
uint64_t pmap_wired_count(struct pmap *pmap);

/*
 * Page table pages in the tree, without the root; counted by a walk.
 * Locks: the pmap's.
 * Differs: FreeBSD has no such function.
 */
uint64_t pmap_table_count(struct pmap *pmap);

/*
 * Page table pages saved for promoted, or wired, superpages.
 * Locks: the pmap's.
 * Differs: FreeBSD has no such function.
 */
uint64_t pmap_spare_count(struct pmap *pmap);

/*
 * Call fn for each mapping, by ascending va: its entry as the MMU has it, and
 * its size, 4096 or 2 MB.  The pmap is locked meanwhile: fn calls nothing of
 * it, and does not sleep.
 * Locks: the pmap's.
 * Differs: FreeBSD has no such function.
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
/*
 * Fill *pds.  Takes no lock; exact when no operation is under way.
 * Source: FreeBSD main (2024), sys/amd64/amd64/pmap.c, sysctl vm.pmap.pde.
 */
void pmap_pde_stats(struct machine *ma, struct pmap_pde_stats *pds);

/*
 * For tests: let the pmaps of the machine take only so many more page table
 * pages, roots not counted, and pv chunks; -1: any number, as at first.
 * Each one given back may be taken again.  An operation that may wait for
 * memory raises the limit to what it needs.  No operation is under way.
 * Differs: FreeBSD has no such function.
 */
void pmap_limit(struct machine *ma, int64_t pt_pages, int64_t pv_chunks);

/*
 * Below, m is a managed page of machine ma.  The pv list lock of its superpage
 * is taken, then the pmap of each mapping, by trying; pmaps are waited for
 * without the pv list lock.  The caller sees to it, by m being busy or its
 * object's lock, that mappings are not made meanwhile; where only a question is
 * asked, the answer may otherwise be out of date.
 */

/*
 * Remove every mapping of m, wired ones, too; modified and referenced are
 * passed on to it.  2 MB mappings are demoted first, or go.
 *
 * On return no CPU can reach m: that includes mappings that other threads
 * removed and whose invalidation is delayed, for which it waits at the end.
 * Locks: m's pv list lock and pmaps'; then, with neither, it may sleep until
 * blocks of delayed invalidation have ended.
 */
void pmap_remove_all(struct machine *ma, struct vm_page *m);

/*
 * Make every mapping of m read-only; modified is passed on.  2 MB mappings that
 * are writable are demoted first.  Does nothing if m was never mapped writable.
 * Locks: as pmap_remove_all(), the wait included.
 */
void pmap_remove_write(struct machine *ma, struct vm_page *m);

/*
 * Clear the modified bit in every mapping of m; nothing is passed on.  2 MB
 * mappings that are writable are demoted first, and leave m dirty and its
 * mapping read-only if it is not wired.
 * Locks: m's pv list lock and pmaps'.
 */
void pmap_clear_modify(struct machine *ma, struct vm_page *m);

/*
 * Is some mapping of m writable and modified?  A page may be dirty without.
 * Locks: m's pv list lock, for reading where there is such a thing, and pmaps'.
 */
bool pmap_is_modified(struct machine *ma, struct vm_page *m);

/* Is some mapping of m accessed?  Locks: as pmap_is_modified(). */
bool pmap_is_referenced(struct machine *ma, struct vm_page *m);

/*
 * Count and clear accessed bits in mappings of m.  Modified ones make m dirty.
 * Of a 2 MB mapping the bit is cleared for one page in 512, and not if it is
 * wired.  Rotates the lists so that the next call looks further.
 *
 * Returns how many were accessed, PMAP_TS_REFERENCED_MAX at most.
 * Locks: m's pv list lock and pmaps'.
 * Differs: the page for which 2 MB are cleared does not depend on the pmap's
 * address, so that runs can be repeated.
 */
int pmap_ts_referenced(struct machine *ma, struct vm_page *m);

/* How many wired mappings m has.  Locks: as pmap_is_modified(). */
int pmap_page_wired_mappings(struct machine *ma, struct vm_page *m);

/*
 * Is pmap among the first 16 mappings of m?
 * Locks: m's pv list lock, for reading where there is such a thing.
 */
bool pmap_page_exists_quick(struct pmap *pmap, struct vm_page *m);

/*
 * Has m any mapping?  False for a page that is not managed, which may be asked
 * for, too.
 * Locks: as pmap_page_exists_quick().
 */
bool pmap_page_is_mapped(struct machine *ma, struct vm_page *m);

#endif /* PMAPSIM_PMAP_H */
