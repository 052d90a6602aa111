/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_MMU_H
#define PMAP_MMU_H

/*
 * The simulated processors: what each has loaded, and its TLB.
 *
 * Locking.  mc_lock stands for "with interrupts disabled on that CPU": an access,
 * a walk, an activation and the handling of an interrupt each run under it, from
 * beginning to end.  So whoever has had the lock of a CPU after a change of the
 * page tables knows that no walk of that CPU began before it.  It is taken below
 * every other lock, one CPU's at a time; where two are needed one is let go.  Only
 * who stops all CPUs takes several (pmap_tlb.c).
 *
 * Locking key.
 *	c - constant while the machine exists
 *	i - mc_lock of the CPU
 *	s - mc_slot_lock of the CPU
 *	a - atomic
 */

#include "lock/leaf_lock.h"
#include "pmap/pmap_var.h"
#include "pmapsim/mmu.h"

/* What a TLB entry translates. */
enum mmu_kind {
	MMU_EMPTY,
	MMU_4K,
	MMU_2M,
	MMU_TABLE /* a paging-structure cache: va's page table */
};

struct mmu_entry {
	vm_offset_t me_va;    /* first address */
	pt_entry_t me_pte;    /* the leaf at fill; MMU_TABLE: its address */
	struct pmap *me_pmap; /* for the checker: the processor has me_pcid */
	uint32_t me_pcid;
	uint32_t me_stamp; /* clock of frame epochs at fill */
	enum mmu_kind me_kind;
};

/* A set-associative table. */
struct mmu_table {
	struct mmu_entry *mt_entries; /* (c) */
	uint32_t mt_nsets;            /* (c) a power of two */
	uint32_t mt_nways;            /* (c) */
};

/* What one CPU asks of others. */
struct mmu_request {
	struct pmap *mr_pmap;
	vm_offset_t mr_sva;
	vm_offset_t mr_eva; /* MMU_FLUSH_ALL: everything */
};
#define MMU_FLUSH_ALL UINT64_MAX

#define MMU_WORDS(ncpus) (((ncpus) + 63) / 64)

struct mmu_cpu {
	_Alignas(CACHE_PAIR_SIZE) struct leaf_lock mc_lock;
	unsigned mc_id;               /* (c) */
	struct pmap *_Atomic mc_pmap; /* (i) writes, (a) reads: the current */
	uint32_t mc_pcid;             /* (i) of it */
	uint32_t mc_pcid_next;        /* (i) */
	uint32_t mc_pcid_gen;         /* (i) */
	struct mmu_table mc_tlb;      /* (i) MMU_4K, MMU_2M */
	struct mmu_table mc_psc;      /* (i) MMU_TABLE */
	uint64_t mc_rng;              /* (i) */
	struct mmu_stats mc_stats;    /* (i) */
	_Atomic uint64_t *mc_pending; /* (a) bit: that CPU's request is new */

	_Alignas(CACHE_PAIR_SIZE) struct leaf_lock mc_slot_lock;
	struct mmu_request mc_request; /* (s) read by those whose bit is set */
	_Atomic uint32_t mc_unacked;   /* (a) CPUs that have not answered */
};

#define MMU_NREPORTS 8

struct mmu {
	unsigned mu_ncpus;         /* (c) */
	bool mu_tlbs;              /* (c) there are TLBs */
	bool mu_adversarial;       /* (c) */
	bool mu_pcid;              /* (c) */
	bool mu_mailbox;           /* (c) */
	bool mu_erratum383;        /* (c) */
	uint32_t mu_pcid_limit;    /* (c) */
	size_t mu_bytes;           /* (c) of mu_cpus */
	_Atomic uint32_t mu_clock; /* (a) of frame epochs */
	_Atomic uint64_t mu_violations;
	struct mmu_violation mu_reports[MMU_NREPORTS]; /* (a) the first ones */
	struct mmu_cpu *mu_cpus;                       /* (c) */
};

/* What a pmap has of it, where there are TLBs. */
struct pmap_pcid {
	_Atomic uint32_t pp_pcid; /* (i) */
	_Atomic uint32_t pp_gen;  /* (i); anyone stores 0 */
};

struct pmap_mmu {
	_Atomic uint64_t pm_active[MMU_WORDS(MACHINE_CPU_MAX)]; /* (a) */
	struct pmap_pcid pm_pcids[];
};

/* Source: FreeBSD main (2024), sys/amd64/include/pmap.h, PMAP_PCID_*. */
#define PMAP_PCID_OVERMAX 0x1000u

/* 0 or ENOMEM; destroy accepts a machine that has none. */
int mmu_create(struct machine *ma);
void mmu_destroy(struct machine *ma);
/* A pmap's part: 0 or ENOMEM. */
int pmap_mmu_alloc(struct pmap *pmap);
void pmap_mmu_free(struct pmap *pmap);
/* The pmap is made or released: it is loaded nowhere. */
void pmap_mmu_init(struct pmap *pmap);
void pmap_mmu_assert_idle(struct pmap *pmap);

static inline void
mmu_cpu_lock(struct mmu_cpu *mc)
{
	leaf_lock(&mc->mc_lock, curthread()->td_sim);
}

static inline void
mmu_cpu_unlock(struct mmu_cpu *mc)
{
	leaf_unlock(&mc->mc_lock);
}

static inline struct pmap *
mmu_current(const struct mmu_cpu *mc)
{
	/* Relaxed: written with the CPU's lock; without, a hint. */
	return (atomic_load_explicit(&mc->mc_pmap, memory_order_relaxed));
}

/* The tables (mmu_tlb.c).  The CPU is locked. */
struct mmu_entry *
mmu_lookup(struct mmu_cpu *mc, vm_offset_t va, enum mmu_kind kind);
void mmu_fill(struct mmu_cpu *mc, vm_offset_t va, enum mmu_kind kind,
    pt_entry_t pte, uint32_t stamp);
/* INVLPG; all of a range; all of the current address space. */
void mmu_flush_page(struct mmu_cpu *mc, vm_offset_t va);
void mmu_flush_range(struct mmu_cpu *mc, vm_offset_t sva, vm_offset_t eva);
void mmu_flush_all(struct mmu_cpu *mc);
/* Does the current address space have entries of both sizes for va's 2 MB? */
bool mmu_mixed(struct mmu_cpu *mc, vm_offset_t va);
uint64_t mmu_random(struct mmu_cpu *mc);

/* Answer what others ask of this CPU, which is locked (pmap_tlb.c). */
void mmu_serve(struct mmu *mu, struct mmu_cpu *mc);

/* Load pmap, or nothing (pmap_pcid.c).  The CPU is locked. */
void mmu_load(struct mmu *mu, struct mmu_cpu *mc, struct pmap *pmap);

/* Invariants 31 to 33, at quiescence (mmu_check.c). */
unsigned mmu_check(struct machine *ma,
    void (*fn)(void *arg, int inv, const char *text), void *arg);

#endif /* PMAP_MMU_H */
