/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_MACHINE_H
#define PMAPSIM_MACHINE_H

/*
 * A machine: physical memory after a memory map, CPUs, and the design under
 * test, that is which pv header layout and which lock.  Everything hangs on it;
 * machines with different designs live side by side in one process.
 *
 * A thread takes part after machine_thread_attach() and until
 * machine_thread_detach().  All pmap and page functions want an attached caller.
 */

#include <stdio.h>

#include "pmapsim/memmap.h"
#include "pmapsim/pv_lock.h"
#include "pmapsim/types.h"

/*
 * A design is written
 *
 *	LAYOUT/LOCK[+OPTION]...		or NAME[+OPTION]...
 *
 * LAYOUT is hashed, ptrarray, sparse or segment; LOCK a backend's name.
 *
 *	batch		    free pv chunks at exit in one list-lock hold a domain
 *	chunks=domain|global  pv chunk lists: one a domain (default), or one
 *	locks=N		    hashed: number of locks, 1 to 1048576 (256)
 *	pad		    hashed: each lock alone on its cache lines
 *	wart=tight|alloc    ptrarray: allocate no header for a superpage that
 *			    the previous segment already has (default), or
 *			    allocate and waste it as the reviewed code did
 *	gaps=backed|trap    sparse: headers in gaps exist (default), or trap
 *	pmap=12.1|12.3|14|main  whose pmap operations (main): see pmap.h
 *	superpages=on|off   2 MB mappings are made (default), or not
 *	reserv=on|off	    pages of objects come from reservations (default)
 *	di=lockless|mutex   list of delayed invalidations (lockless)
 *	tlb=none|direct|assoc|adversarial  what each CPU caches (none)
 *	pcid=on|off	    TLB entries carry an address space (on)
 *	ipi=sync|mailbox    who invalidates does so in other CPUs' TLBs (sync),
 *			    or asks them to and waits
 *	erratum383=off|on   CPUs must not have entries of 2 MB and of 4 KB for an
 *			    address at a time; see mmu.h
 *	bug=NAME	    switch a fault of kern/bug.h on, to see it caught;
 *			    with PMAPSIM_INVARIANTS only
 *
 * NAME: head = hashed/rwlock+chunks=global, superpage =
 * sparse/rwlock+chunks=global, the columns of the review.
 */
enum pv_layout {
	PVL_HASHED,
	PVL_PTRARRAY,
	PVL_SPARSE,
	PVL_SEGMENT
};
#define PVL_COUNT 4

/* Whose pmap: what differs between FreeBSD's versions.  The zero is default. */
enum pmap_version {
	PMAP_MAIN, /* main of 2024 */
	PMAP_14,   /* 14.0-CURRENT of July 2022 */
	PMAP_12_3,
	PMAP_12_1
};
#define PMAP_VERSION_COUNT 4

enum pmap_di_kind {
	PMAP_DI_LOCKLESS,
	PMAP_DI_MUTEX
};

enum pmap_ipi_kind {
	PMAP_IPI_SYNC,
	PMAP_IPI_MAILBOX
};

enum pmap_tlb_kind {
	PMAP_TLB_NONE,
	PMAP_TLB_DIRECT,
	PMAP_TLB_ASSOC,
	PMAP_TLB_ADVERSARIAL
};

struct design {
	char d_text[156]; /* as written */
	enum pv_layout d_layout;
	const struct pv_lock_ops *d_lock;
	unsigned d_nlocks; /* hashed */
	bool d_pad;        /* hashed */
	bool d_wart_alloc; /* ptrarray */
	bool d_gaps_trap;  /* sparse */
	bool d_batch;
	bool d_chunks_global;
	enum pmap_version d_pmap;
	enum pmap_di_kind d_di;
	enum pmap_tlb_kind d_tlb;
	bool d_no_superpages;
	bool d_no_reserv;
	bool d_no_pcid;
	enum pmap_ipi_kind d_ipi;
	bool d_erratum383;
	uint64_t d_bugs; /* of pmap/bug.h; PMAPSIM_INVARIANTS only */
};

const char *pv_layout_name(enum pv_layout pl);
const char *pmap_version_name(enum pmap_version pv);

/*
 * Read a design.  foreign: more lock backends, ended by NULL, or NULL.
 * Returns 0, or EINVAL and a sentence for people in err.
 */
int design_parse(const char *text, const struct pv_lock_ops *const *foreign,
    struct design *d, char *err, size_t errsize);

/*
 * The witness watches in which order threads acquire locks, and reports an order
 * that could deadlock even where it did not.  It costs time at each lock.
 */
enum machine_witness {
	MACHINE_WITNESS_DEFAULT, /* PRINT with PMAPSIM_INVARIANTS, else OFF */
	MACHINE_WITNESS_OFF,
	MACHINE_WITNESS_PRINT, /* once to stderr; machine_check() tells too */
	MACHINE_WITNESS_PANIC
};

struct machine_config {
	const struct memmap *mc_map; /* required; not kept */
	const char *mc_design;       /* NULL: "sparse/rwlock" */
	/* Foreign lock backends, ended by NULL; tables must outlive it. */
	const struct pv_lock_ops *const *mc_locks;
	unsigned mc_ncpus; /* 1 to MACHINE_CPU_MAX; 0: 1 */
	bool mc_profile;   /* keep the lock profile */
	enum machine_witness mc_witness;
	/*
	 * After each operation on a pmap, or on the mappings of a page, as soon as
	 * no thread is in one: check all that machine_check() does of the pmap
	 * layer, and of physical memory if no other thread is attached; panic at
	 * the first violation.  Very slow.  With PMAPSIM_INVARIANTS only, else
	 * EINVAL.
	 */
	bool mc_check_ops;
	/* Leave only so many pages free, 0: all; at least 64. */
	uint64_t mc_limit_pages;
	const vm_paddr_t *mc_blacklist; /* pages never handed out */
	size_t mc_nblacklist;
	/* Fail the n-th internal allocation of machine_create(), 0: none. */
	uint64_t mc_fail_nth;
};

/*
 * Returns 0 and the machine; or EINVAL (a bad option), ENOMEM (out of host
 * memory or address space), EAGAIN (too many machines), and a sentence in err,
 * with nothing left behind.
 */
int machine_create(const struct machine_config *mc, struct machine **mp,
    char *err, size_t errsize);

/*
 * Give everything back.  No thread is attached, no pmap live.  Returns the
 * bytes of metadata that were never freed: 0, or the library has a leak; with
 * out != NULL they are listed there.
 */
uint64_t machine_destroy(struct machine *m, FILE *out);

/*
 * Attach the calling thread as running on CPU cpu (< mc_ncpus; may be shared).
 * CPUs are spread over the domains in contiguous blocks.  Returns 0, ENOMEM, or
 * EINVAL when there is no such CPU.
 * A thread may be attached to several machines: machine_thread_use() says on
 * which one it works next.
 */
int machine_thread_attach(struct machine *m, unsigned cpu);
/* Ends the current attachment, to m.  The thread holds no lock of m. */
void machine_thread_detach(struct machine *m);

/*
 * The current attachment, to m, will neither allocate nor free for a while: its
 * thread waits for others, say.  When all threads that are not idle wait for
 * memory the machine panics, since none will ever come; one that sits in a join
 * and is not marked would hide that.
 */
void machine_thread_idle_begin(struct machine *m);
void machine_thread_idle_end(struct machine *m);

/* Opaque handle of the current attachment, and making one current. */
struct thread *machine_thread_self(void);
void machine_thread_use(struct thread *td);

/* Sizes of the machine's pv headers, exactly. */
struct pv_header_report {
	/* One header with its lock; hashed, whose locks are apart: without. */
	size_t phr_header_bytes;
	uint64_t phr_headers;        /* headers that exist */
	uint64_t phr_superpages;     /* that some segment touches */
	uint64_t phr_total_bytes;    /* headers, locks, pointers, rounding */
	uint64_t phr_reserved_bytes; /* address space reserved for them */
};
void machine_pv_header_report(struct machine *m, struct pv_header_report *phr);

/* What the arenas say is allocated for pv headers; equals phr_total_bytes. */
uint64_t machine_pv_header_allocated(struct machine *m);

const struct design *machine_design(const struct machine *m);
int machine_ndomains(const struct machine *m);
unsigned machine_ncpus(const struct machine *m);
uint64_t machine_free_pages(struct machine *m);

/*
 * Walk everything at quiescence (no thread inside any operation) and check the
 * invariants of a pmap.  Each violation is one line to out (NULL: silent), with
 * its number.  Returns how many there are.  Any attached thread may call it.
 */
unsigned machine_check(struct machine *m, FILE *out);

#endif /* PMAPSIM_MACHINE_H */
