/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_SCRIPT_H
#define PMAPSIM_SCRIPT_H

/*
 * Scripts of pmap operations: one operation a line, one answer an operation.
 *
 * A script builds a machine and maps, and says what is entered, removed, touched
 * and asked.  The same script gives the same answers with every layout of pv
 * headers and every lock; they can be compared byte for byte with what another
 * pmap has answered.  The language is described in tests/vectors/FORMAT.md.
 *
 * Three steps, so that a program may also make operations up; script_line() is
 * all of them:
 *
 *	script_parse()	a line of text becomes a struct script_op
 *	script_exec()	carries it out on a machine, and gives the answer
 *	script_print()	writes both as a line of output
 *
 * An interpreter belongs to the thread that created it.  It frees what it made,
 * whatever the script left behind.
 */

#include <stdio.h>

#include "pmapsim/types.h"

#define SCRIPT_NAME_MAX 31 /* characters in the name of a map */
#define SCRIPT_SEG_MAX  16 /* segments of a machine */

/* Source: AMD64 manual, volume 2, chapter 5: addresses have 52 bits. */
#define SCRIPT_PADDR_END (UINT64_C(1) << 52)

enum script_code {
	SCRIPT_NONE, /* a blank line, or only a comment */
	SCRIPT_MACHINE,
	SCRIPT_RESERV,
	SCRIPT_SHORTAGE,
	SCRIPT_PMAP,
	SCRIPT_RELEASE,
	SCRIPT_ENTER,
	SCRIPT_ENTER_RANGE,
	SCRIPT_ENTER_QUICK,
	SCRIPT_ENTER_OBJECT,
	SCRIPT_REMOVE,
	SCRIPT_REMOVE_PAGES,
	SCRIPT_REMOVE_ALL,
	SCRIPT_PROTECT,
	SCRIPT_UNWIRE,
	SCRIPT_ADVISE,
	SCRIPT_COPY,
	SCRIPT_REMOVE_WRITE,
	SCRIPT_CLEAR_MODIFY,
	SCRIPT_TOUCH,
	SCRIPT_TOUCH_RANGE,
	SCRIPT_EXTRACT,
	SCRIPT_EXTRACT_HOLD,
	SCRIPT_MINCORE,
	SCRIPT_IS_PREFAULTABLE,
	SCRIPT_IS_MODIFIED,
	SCRIPT_IS_REFERENCED,
	SCRIPT_TS_REFERENCED,
	SCRIPT_PAGE_WIRED_MAPPINGS,
	SCRIPT_PAGE_EXISTS_QUICK,
	SCRIPT_PAGE_IS_MAPPED,
	SCRIPT_UNREF,
	SCRIPT_UNDIRTY,
	SCRIPT_DUMP,
	SCRIPT_DIGEST,
	SCRIPT_STAT,
	SCRIPT_PAGE,
	SCRIPT_PAGES,
	SCRIPT_PAGES_DIGEST,
	SCRIPT_NCODES
};

/* One segment of physical memory, bytes, end exclusive. */
struct script_seg {
	vm_paddr_t ss_start;
	vm_paddr_t ss_end;
	unsigned ss_domain;
};

/* An operation.  What it does not use is zero. */
struct script_op {
	enum script_code so_code;
	vm_prot_t so_prot;   /* prot=, VM_PROT_* */
	vm_prot_t so_access; /* access=, or what touch does: one VM_PROT_* */
	bool so_wired;
	bool so_nosleep;
	bool so_unmanaged;
	bool so_super;     /* psind=1 */
	bool so_full;      /* reserv: full */
	bool so_free;      /* advise: free */
	bool so_nosuper;   /* machine */
	int64_t so_pt;     /* shortage: pages, -1 unlimited */
	int64_t so_pv;     /* shortage: blocks of records, -1 unlimited */
	vm_offset_t so_va; /* or START */
	vm_offset_t so_end;
	vm_paddr_t so_pa;
	vm_size_t so_len;     /* copy */
	vm_offset_t so_srcva; /* copy */
	unsigned so_nsegs;    /* machine */
	struct script_seg so_segs[SCRIPT_SEG_MAX];
	char so_map[SCRIPT_NAME_MAX + 1]; /* copy: DST */
	char so_src[SCRIPT_NAME_MAX + 1]; /* copy */
};

/* Growing text.  All zero is empty; so_buf ends with '\0' once it exists. */
struct script_out {
	char *so_buf;
	size_t so_len;
	size_t so_size;
	bool so_failed; /* host memory was short: the text is not whole */
};

void script_out_free(struct script_out *so);
void script_out_clear(struct script_out *so);
void script_out_add(struct script_out *so, const char *text, size_t len);
void script_out_printf(struct script_out *so, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* 64-bit FNV-1a of a text, as digests are made. */
uint64_t script_hash(const char *text, size_t len);

/*
 * The word that names an operation, "?" for none.
 */
const char *script_code_name(enum script_code code);

/*
 * Read one line, without its newline.  Returns 0 and fills *op; or EINVAL, and
 * what is wrong and what was expected in err, a sentence without a full stop.
 * Only what the line itself says is checked.
 */
int
script_parse(const char *line, struct script_op *op, char *err, size_t errsize);

/*
 * Append the line of output that belongs to line number lineno: the operation
 * with white space squeezed and without comment, " -> ", and the result.
 */
void script_print(struct script_out *so, unsigned lineno, const char *line,
    const char *result);

/* How lines of state are shown. */
enum script_form {
	SCRIPT_COUNTED, /* K, then the lines indented: dump */
	SCRIPT_LISTED,  /* "list", then the lines indented: pages */
	SCRIPT_HASHED,  /* K and the hash of the lines: the digests */
};

/* Append the result of an operation whose lines, each ended, are in lines. */
void script_print_lines(struct script_out *so, const struct script_out *lines,
    enum script_form form);

struct script;

struct script_config {
	/* As machine_config's; NULL: "sparse/rwlock+pmap=14". */
	const char *sc_design;
	/* Foreign lock backends, as machine_config's. */
	const struct pv_lock_ops *const *sc_locks;
	bool sc_check; /* walk everything after each operation */
	FILE *sc_diag; /* where violations are told; NULL: nowhere */
};

/*
 * Create an interpreter.  sc is copied, the strings in it are not.  Returns NULL
 * without host memory.  There is no machine until the script makes one.
 */
struct script *script_create(const struct script_config *sc);

/*
 * Carry out one operation and append its result to out, without a newline at
 * the end.
 *
 * Returns 0; EINVAL when the operation is malformed in the state that the script
 * has reached: nothing was done, and the result is "error: ..."; EFAULT when
 * sc_check found something wrong afterwards; ENOMEM when the host has no memory
 * for it.
 */
int script_exec(
    struct script *s, const struct script_op *op, struct script_out *out);

/*
 * All three steps for one line: append its line of output, or nothing for a blank
 * one.  Returns what script_exec() does; where that is EINVAL, err has the cause
 * without "error: ".
 */
int script_line(struct script *s, unsigned lineno, const char *line,
    struct script_out *out, char *err, size_t errsize);

/* Violations that sc_check has found so far. */
unsigned script_violations(const struct script *s);

/* The machine, NULL before there is one: for a debugger, or a check. */
struct machine *script_machine(const struct script *s);

/*
 * Remove what is mapped, and give everything back.  Returns how many bytes the
 * library has leaked, which has to be 0.  Accepts NULL.
 */
uint64_t script_destroy(struct script *s);

/*
 * After a panic that was left by longjmp(): locks may be held, so nothing but
 * the interpreter's own memory can be given back.  The machine stays.
 */
void script_abandon(struct script *s);

#endif /* PMAPSIM_SCRIPT_H */
