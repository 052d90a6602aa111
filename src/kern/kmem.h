/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_KMEM_H
#define KERN_KMEM_H

/*
 * Memory for everything that is not simulated physical memory.
 *
 * A struct kmem belongs to one machine.  It holds an arena (jemalloc's) for the
 * machine as a whole and one for every NUMA domain.  Every block is charged, by
 * requested and by usable bytes, to a type (what it is for, as malloc(9) types)
 * and to a domain.  kmem_destroy() destroys the arenas in O(1) and reports what
 * was still allocated, which in a test is a failure.
 *
 * The accounts are exact and are updated under a mutex: nothing here is called
 * on a hot path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum kmem_type {
	M_MACHINE,  /* struct machine and what hangs on it singly */
	M_PVHEADER, /* pv headers, locks and pointer arrays of a layout */
	M_PMAP,     /* struct pmap; type-stable, freed with the machine */
	M_THREAD,   /* thread registry */
	M_LOCK,     /* turnstiles, chains, lock profile records */
	M_PHYS,     /* segments, queues, page caches */
	M_OBJECT,   /* vm objects */
	M_WORKLOAD, /* what drives it */
	KMEM_NTYPES
};

#define KMEM_ANYDOMAIN (-1) /* the machine's own arena */

struct kmem;

struct kmem_stats {
	uint64_t ks_requested_bytes; /* as asked for */
	uint64_t ks_usable_bytes;    /* as the arena gave; regions: as backed */
	uint64_t ks_blocks;          /* blocks live now */
};

/* Returns 0, ENOMEM, or EAGAIN when jemalloc has no arena left. */
int kmem_create(int ndomains, struct kmem **kmp);

/*
 * Destroy the arenas.  Returns the requested bytes that were still allocated,
 * all types together, a region counted as what it reserved (it stays mapped);
 * with out != NULL it also says there, one line a type, what they were.  No
 * other thread may use km any more.  Accepts NULL.
 */
uint64_t kmem_destroy(struct kmem *km, FILE *out);

/*
 * Allocate size zeroed bytes, aligned to align (a power of two; 0: 16), in
 * domain's arena.  Large blocks are zero without being touched.  Returns NULL
 * when there is no memory or the call was chosen by kmem_fail_nth().
 */
void *kmem_alloc(struct kmem *km, size_t size, size_t align,
    enum kmem_type type, int domain);

/* Accepts NULL.  size, type and domain as at kmem_alloc(). */
void kmem_free(
    struct kmem *km, void *p, size_t size, enum kmem_type type, int domain);

/*
 * Make the n-th allocation from now (1: the next) fail, once; 0 turns it off.
 * kmem_failed() tells whether it has.  Regions count as allocations: a reserve
 * is one, a back is one.
 */
void kmem_fail_nth(struct kmem *km, uint64_t n);
bool kmem_failed(const struct kmem *km);

/*
 * Totals of one type (KMEM_NTYPES: all) and one domain's arena, without
 * regions; KMEM_ALLDOMAINS: all arenas and regions, a region being one block of
 * as many bytes as are backed.
 */
#define KMEM_ALLDOMAINS (-2)
void kmem_stats(
    struct kmem *km, enum kmem_type type, int domain, struct kmem_stats *ks);

/* What jemalloc itself says is allocated in a domain's arena, usable bytes. */
uint64_t kmem_arena_allocated(struct kmem *km, int domain);

const char *kmem_type_name(enum kmem_type type);

/*
 * Address space first, memory later: for tables indexed by physical address.
 * A region is reserved without access and backed page by page; an access to a
 * page that is not backed traps, unless the host's pages are larger and the
 * same one has something backed.  What is backed is zero, and charged to type
 * and domain.  Offsets and sizes in bytes, multiples of 4096.  Everything goes
 * with kva_release().
 */
struct kva_region {
	char *kr_base;
	size_t kr_size;   /* reserved bytes */
	size_t kr_backed; /* backed bytes */
	enum kmem_type kr_type;
	uint64_t kr_by_domain[16 + 1]; /* [domain + 1]: backed bytes */
};

/*
 * Both return 0, or ENOMEM with nothing changed.  What is backed must not have
 * been.  kva_release() accepts a region that is all zero, and leaves one.
 */
int kva_reserve(
    struct kmem *km, size_t size, enum kmem_type type, struct kva_region *kr);
int kva_back(struct kmem *km, struct kva_region *kr, size_t off, size_t size,
    int domain);
void kva_release(struct kmem *km, struct kva_region *kr);

/*
 * A read-write, zero, lazily committed mapping of size bytes with no
 * reservation of swap, for simulated memory and the page array.  Not charged.
 * Returns 0, ENOMEM.  kva_unmap() accepts NULL.
 */
int kva_map_noreserve(size_t size, void **pp);
void kva_unmap(void *p, size_t size);

/*
 * A part of such a mapping lies in a memory domain.  The host is not asked to bind
 * it; a virtual machine counts the distance to it.
 */
void kva_set_home(const void *p, size_t size, int domain);

#endif /* KERN_KMEM_H */
