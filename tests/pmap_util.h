/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PMAP_UTIL_H
#define TESTS_PMAP_UTIL_H

/*
 * What the tests of src/pmap share: a machine from a few lines of map, pages and
 * pmaps in it, what the MMU does to an entry, threads, and panics caught.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmap/pmap_var.h"

#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)

/* The library's layouts and lock backends as words of a design. */
#define PU_NLAYOUTS PVL_COUNT
#ifdef PMAPSIM_VIRTUAL
#define PU_NLOCKS 5 /* without the host's */
#else
#define PU_NLOCKS 6
#endif
extern const char *const pu_layouts[PU_NLAYOUTS];
extern const char *const pu_locks[PU_NLOCKS]; /* "none" is the last */

/*
 * Run a group of tests for each of the designs, or for each layout with each lock
 * that excludes, which is *designp meanwhile.  Returns how many failed.
 */
struct CMUnitTest;
int pu_run_designs(const char **designp, const char *const *designs,
    size_t ndesigns, const struct CMUnitTest *tests, size_t n);
int pu_run_all_designs(
    const char **designp, const struct CMUnitTest *tests, size_t n);

struct pu {
	struct memmap *pu_map;
	struct machine *pu_ma;
	struct thread *pu_td; /* of the thread that made it */
	uint64_t pu_free;     /* free pages when it was made */
};

/* Lines "START-END usable DOMAIN", as in bench/memmaps. */
struct memmap *pu_memmap(const char *lines);

/* lines NULL: 64 MB in one domain.  The calling thread is attached. */
void pu_setup(struct pu *pu, const char *lines, const char *design);
void
pu_setup_config(struct pu *pu, const char *lines, struct machine_config *mc);
/* Asserts that the checker is content, all pages free and nothing leaked. */
void pu_teardown(struct pu *pu);
/* machine_check(), which must find nothing. */
void pu_check(struct pu *pu);

/* An allocated page, wired, as the checker wants of what is mapped. */
struct vm_page *pu_page(struct pu *pu);
/* 2^order such pages in a row. */
struct vm_page *pu_pages(struct pu *pu, int order);
void pu_page_free(struct pu *pu, struct vm_page *m);
void pu_pages_free(struct pu *pu, struct vm_page *m, int order);
/* A full run of 512 such pages, which can be mapped by 2 MB. */
struct vm_page *pu_run(struct pu *pu);
void pu_run_free(struct pu *pu, struct vm_page *m);
/* The page at pa, which is free, taken out of the free pages. */
struct vm_page *pu_page_at(struct pu *pu, vm_paddr_t pa);

struct pmap *pu_pmap(struct pu *pu);
/* Release and free. */
void pu_pmap_free(struct pmap *pmap);

/*
 * The entry of va, a superpage's, too, and NULL or 0 where there is no table for
 * it.
 */
pte_t *pu_pte(struct pmap *pmap, vm_offset_t va);
pt_entry_t pu_leaf(struct pmap *pmap, vm_offset_t va);
/*
 * An access by the MMU: sets A, and M for VM_PROT_WRITE.  Returns false, with
 * nothing changed, where it would fault.
 */
bool pu_mmu(struct pmap *pmap, vm_offset_t va, vm_prot_t access);

bool pu_dirty(const struct vm_page *m);
void pu_undirty(struct vm_page *m);
bool pu_aflag(const struct vm_page *m, uint8_t flag);
/* Mappings on m's list. */
unsigned pu_nmappings(const struct vm_page *m);

uint64_t pu_counter(struct pu *pu, enum counter c);

/*
 * Take free pages until n are left to be had with VM_PAGE_NOOBJ, and give them
 * back.  *hoard is a list through q_next, NULL at first.
 */
void pu_hoard(struct pu *pu, struct vm_page **hoard, unsigned n);
void pu_unhoard(struct pu *pu, struct vm_page **hoard);

/* A thread attached to CPU cpu that runs fn(arg). */
struct pu_thread {
	struct pu *put_pu;
	void (*put_fn)(void *arg);
	void *put_arg;
	unsigned put_cpu;
	int put_error;
	struct thread *_Atomic put_td; /* while it is attached */
	void *put_handle;
};
void pu_start(struct pu *pu, struct pu_thread *put, unsigned cpu,
    void (*fn)(void *arg), void *arg);
/* Joins, then asserts that the thread could attach. */
void pu_join(struct pu_thread *put);
/* Wait, yielding, until the thread is blocked on the lock word. */
void pu_await_blocked(struct pu_thread *put, const void *word);

/*
 * Call fn(arg).  Returns whether it panicked; then it was left at once, with the
 * locks it held, and pu_panic_text says where and why.
 */
extern char pu_panic_text[256];
bool pu_panics(void (*fn)(void *arg), void *arg);

#endif /* TESTS_PMAP_UTIL_H */
