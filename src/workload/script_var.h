/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_SCRIPT_VAR_H
#define WORKLOAD_SCRIPT_VAR_H

/*
 * The inside of the interpreter of scripts.
 *
 * The machine has the segments that the script names, and one more, the pool,
 * beyond them: page tables and pv chunks come from there, since it is the only
 * memory of the domain that the interpreter's thread runs in and has more than
 * enough.  The frames of the script are withdrawn from the allocator, a piece of
 * a run at a time, when the script first names one of the piece; so a segment of
 * many GB costs nothing until then.
 *
 * Invariants.
 *	1  A frame is withdrawn before anything else sees its descriptor.
 *	2  Whether a run is full is said to the reservations when its first frame
 *	   is withdrawn, and again whenever the script changes it.
 *	3  A frame that a mapping was entered for is managed or unmanaged for
 *	   good: FRAME_MANAGED or FRAME_UNMANAGED is set.
 *
 * Whatever the pmap takes for granted is checked here first: a script may be
 * wrong in any way and must not make the pmap panic.
 */

#include "pmap/pmap_var.h"
#include "pmapsim/script.h"

#define FRAME_MANAGED   0x1u
#define FRAME_UNMANAGED 0x2u

#define RUN_TAKEN   0x1u /* its frames are withdrawn */
#define RUN_PARTIAL 0x2u /* the script says so */

/* A segment of the script; arrays by place in the segment. */
struct script_memory {
	vm_paddr_t sm_start;
	vm_paddr_t sm_end;
	int sm_domain;      /* the machine's number for it */
	uint8_t *sm_runs;   /* RUN_*, the run of sm_start first */
	uint8_t *sm_frames; /* FRAME_* */
};

struct script_map {
	char sm_name[SCRIPT_NAME_MAX + 1];
	struct pmap *sm_pmap;
	struct script_map *sm_next;
};

/* A frame of a device: it has no descriptor but ours. */
struct script_device {
	struct vm_page sd_page;
	struct script_device *sd_next;
};

#define SCRIPT_DEVICE_HASH 256

struct script {
	struct script_config s_conf;
	struct machine *s_ma;
	struct thread *s_td;
	struct script_memory s_mem[SCRIPT_SEG_MAX];
	unsigned s_nmem;
	struct script_map *s_maps;
	struct script_device *s_devices[SCRIPT_DEVICE_HASH]; /* by frame */
	struct script_out s_lines; /* scratch, for lines of state */
	unsigned s_violations;
	bool s_nomem; /* host memory was short during this operation */
};

/*
 * What all that carry out an operation return: 0, or EINVAL with "error: ..." in
 * out and nothing done.
 */
int script_error(struct script_out *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* script_machine.c */
int script_do_machine(
    struct script *s, const struct script_op *op, struct script_out *out);
int script_do_reserv(
    struct script *s, const struct script_op *op, struct script_out *out);
/* The segment that has the frame at pa, NULL for none. */
struct script_memory *script_memory_of(struct script *s, vm_paddr_t pa);
/* Does the run of pa count as full? */
bool script_run_full(struct script *s, vm_paddr_t pa);
/* The descriptor of a frame in a segment, withdrawn; NULL outside. */
struct vm_page *script_frame(struct script *s, vm_paddr_t pa);
/* How the frame was used so far, FRAME_*; its segment has it. */
uint8_t script_frame_use(struct script *s, vm_paddr_t pa);
/*
 * Settle that npages frames from pa on are managed, or are not.  Returns whether
 * they can be: no frame was the other, and managed ones are in segments.
 */
bool script_frames_settle(
    struct script *s, vm_paddr_t pa, uint64_t npages, bool unmanaged);
/* The descriptor of an unmanaged frame, outside of segments, too. */
struct vm_page *script_any_frame(struct script *s, vm_paddr_t pa);
/* Append the lines of pages. */
void script_list_pages(struct script *s, struct script_out *lines);

/* script_map.c: what changes mappings. */
int script_do_map(struct script *s, struct pmap *pmap,
    const struct script_op *op, struct script_out *out);
int script_do_copy(struct pmap *dst, struct pmap *src,
    const struct script_op *op, struct script_out *out);
/* Is anything mapped in the pmap? */
bool script_map_empty(struct pmap *pmap);

/* script_ask.c: what only looks, and what is done to a frame. */
int script_do_ask(struct script *s, struct pmap *pmap,
    const struct script_op *op, struct script_out *out);
int script_do_frame(struct script *s, struct pmap *pmap,
    const struct script_op *op, struct script_out *out);
/* Append what page says of a frame that is in a segment, but for its name. */
void
script_print_frame(struct script *s, vm_paddr_t pa, struct script_out *out);

#endif /* WORKLOAD_SCRIPT_VAR_H */
