/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_TYPES_H
#define PMAPSIM_TYPES_H

/*
 * Scalar types, sizes and codes of the modelled kernel, under FreeBSD's names.
 * Source: FreeBSD main (2024), sys/amd64/include/{param,vmparam,pmap}.h,
 * sys/vm/vm.h, sys/vm/vm_param.h, sys/vm/pmap.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t vm_paddr_t;  /* physical address, bytes */
typedef uint64_t vm_offset_t; /* virtual address, bytes */
typedef uint64_t vm_size_t;   /* bytes */
typedef uint64_t vm_pindex_t; /* page number within an object */
typedef uint8_t vm_prot_t;    /* VM_PROT_* */
typedef uint64_t pt_entry_t;  /* an entry of a page table of any level */

#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#ifndef PAGE_SIZE
#define PAGE_SIZE 4096
#endif
#ifndef PAGE_MASK
#define PAGE_MASK (PAGE_SIZE - 1)
#endif

#define PDRSHIFT 21 /* a superpage is 1 << PDRSHIFT */
#define NBPDR    (UINT64_C(1) << PDRSHIFT)
#define PDRMASK  (NBPDR - 1)
#define NPTEPG   512 /* entries in a page table, any level */

#define VM_MAXUSER_ADDRESS (UINT64_C(1) << 47)

#define VM_PROT_NONE    ((vm_prot_t)0x0)
#define VM_PROT_READ    ((vm_prot_t)0x1)
#define VM_PROT_WRITE   ((vm_prot_t)0x2)
#define VM_PROT_EXECUTE ((vm_prot_t)0x4)
#define VM_PROT_ALL     ((vm_prot_t)0x7)

/* Results of modelled entry points. */
enum kern_return {
	KERN_SUCCESS = 0,
	KERN_INVALID_ADDRESS = 1,
	KERN_PROTECTION_FAILURE = 2,
	KERN_NO_SPACE = 3,
	KERN_INVALID_ARGUMENT = 4,
	KERN_FAILURE = 5,
	KERN_RESOURCE_SHORTAGE = 6,
};

/* pmap_enter() flags; the low byte is the access that faulted, VM_PROT_*. */
#define PMAP_ENTER_NOSLEEP 0x100u
#define PMAP_ENTER_WIRED   0x200u

/* Most mappings that pmap_ts_referenced() looks at in one call. */
#define PMAP_TS_REFERENCED_MAX 5

/* Limits of a modelled machine. */
#define MAXMEMDOM       16 /* Differs: 8 in FreeBSD; real maps here have 16. */
#define VM_PHYSSEG_MAX  63
#define MACHINE_CPU_MAX 1024

struct machine;
struct memmap;
struct pmap;
struct thread;
struct vm_page;

#endif /* PMAPSIM_TYPES_H */
