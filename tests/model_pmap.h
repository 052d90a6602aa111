/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MODEL_PMAP_H
#define TESTS_MODEL_PMAP_H

/*
 * A model of a pmap, to compare the real one with: what tests/vectors/FORMAT.md
 * says, rule by rule, in the plainest form.  Nothing of it is shared with
 * src/pmap.
 *
 * A map is a sorted list of slots of 2 MB, each a mapping of 2 MB or a table of
 * 512 entries.  Pages for tables are not kept but counted, anew each time, from
 * the slots that there are.  A record is a pair of map and address in a list.
 *
 * The model believes what it is told: operations are not checked for being in
 * order, that is left to the interpreter that runs beside it.
 *
 * Limit: how many records go into a block is not known here.  With "shortage
 * pv=N" a map that has records can have more, one that has none takes a block.
 */

#include "pmapsim/machine.h"
#include "pmapsim/script.h"

/* Flags of an entry. */
#define ME_WRITE    0x01u
#define ME_EXEC     0x02u
#define ME_ACCESSED 0x04u
#define ME_MODIFIED 0x08u
#define ME_WIRED    0x10u
#define ME_MANAGED  0x20u
#define ME_PROMOTED 0x40u /* 2 MB */
#define ME_VALID    0x80u

#define MODEL_RUN  (UINT64_C(2) << 20)
#define MODEL_PAGE UINT64_C(4096)

struct model_entry {
	uint64_t pa;
	unsigned flags;
};

struct model_slot {
	uint64_t va;
	bool super; /* big counts, else small */
	bool spare; /* super: the table is saved */
	struct model_entry big;
	struct model_entry small[512];
};

struct model_map {
	char name[SCRIPT_NAME_MAX + 1];
	struct model_slot **slots; /* by ascending va */
	size_t nslots;
	size_t maxslots;
	uint64_t nrecords;
	struct model_map *next;
};

struct model_record {
	struct model_map *map;
	uint64_t va;
};

/* In order: the first is looked at first. */
struct model_list {
	struct model_record *v;
	size_t n;
	size_t max;
};

struct model_frame {
	struct model_list list;
	bool ref;
	bool dirty;
	bool writeable;
	bool unmanaged;
};

struct model_run {
	struct model_list list;
	bool partial; /* reserv said so */
	bool used;    /* some frame of it may be worth a line in pages */
};

struct model_seg {
	uint64_t start;
	uint64_t end;
	struct model_frame *frames;
	struct model_run *runs;
};

struct model {
	enum pmap_version version;
	bool nosuper;
	struct model_seg segs[SCRIPT_SEG_MAX];
	unsigned nsegs;
	struct model_map *maps;
	int64_t pt_limit; /* table pages left, -1: any number */
	int64_t pv_limit;
	int64_t pt_taken; /* by this operation, less what came back at once */
	uint64_t promotions;
	uint64_t demotions;
	uint64_t failures;
	uint64_t mappings;
};

struct model *model_create(enum pmap_version version);
void model_destroy(struct model *mo);

/* Carry out an operation and append its result, as script_exec() does. */
void model_exec(
    struct model *mo, const struct script_op *op, struct script_out *out);

/* model_pmap.c: state. */
struct model_map *model_find_map(struct model *mo, const char *name);
struct model_frame *model_frame(struct model *mo, uint64_t pa);
struct model_run *model_run(struct model *mo, uint64_t pa);
bool model_run_full(struct model *mo, uint64_t pa);
/* The slot of va, NULL if there is none. */
struct model_slot *model_slot(const struct model_map *map, uint64_t va);
struct model_slot *
model_slot_add(struct model_map *map, uint64_t va, bool super);
/* The first slot at or above va. */
struct model_slot *model_slot_next(const struct model_map *map, uint64_t va);
/* The entry that maps va, 4 KB or 2 MB; NULL if none does. */
struct model_entry *model_entry(const struct model_map *map, uint64_t va);
unsigned model_slot_count(const struct model_slot *slot);
/* Table pages in the tree, and saved ones. */
uint64_t model_tables(const struct model_map *map);
uint64_t model_spares(const struct model_map *map);

/* model_change.c: changes that several operations have in common. */
void model_record_add(struct model *mo, struct model_map *map, uint64_t va,
    uint64_t pa, bool super);
bool model_modified(const struct model_entry *e);
/* Dirty, for the 4 KB or the 2 MB that an entry maps; the same with ref. */
void model_make_dirty(struct model *mo, uint64_t pa, bool super);
/* Undo a mapping's record; keep_ref: an accessed bit does not make ref. */
void model_entry_gone(struct model *mo, struct model_map *map, uint64_t va,
    struct model_entry *e, bool super, bool keep_ref);
/* Drop the slot if nothing is left in it. */
void model_slot_trim(struct model_map *map, struct model_slot *slot);
void model_remove_super(struct model *mo, struct model_map *map,
    struct model_slot *slot, bool keep_ref);
void model_remove_small(struct model *mo, struct model_map *map,
    struct model_slot *slot, uint64_t va, bool keep_ref);
/* Rule 9.  Returns whether there is a table now. */
bool
model_demote(struct model *mo, struct model_map *map, struct model_slot *slot);
/* Rule 8. */
void
model_promote(struct model *mo, struct model_map *map, struct model_slot *slot);
/*
 * Take the table pages that a mapping at va still needs, all or none; wait: the
 * limit goes up as far as needed.
 */
bool model_take_tables(struct model *mo, const struct model_map *map,
    uint64_t va, bool super, bool wait);
/* Can the map have one more record? */
bool model_can_record(struct model *mo, const struct model_map *map);

/* model_enter.c, model_page.c, model_ask.c: operations. */
void model_do_enter(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out);
void model_do_copy(struct model *mo, struct model_map *dst,
    struct model_map *src, const struct script_op *op);
void model_do_range(
    struct model *mo, struct model_map *map, const struct script_op *op);
void model_do_frame(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out);
void model_do_ask(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out);

#endif /* TESTS_MODEL_PMAP_H */
