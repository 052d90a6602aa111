/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From a line of a script to a struct script_op.
 *
 * A table says what follows each operation's name: a letter for each word that
 * must be there, in order, and a set of options that may follow in any order,
 * each once.  What depends on more than the line, such as whether a map or a
 * frame exists, is found out when the operation is carried out.
 */

#include <errno.h>
#include <string.h>

#include "workload/script_read.h"

#define OPT_PROT      0x01u
#define OPT_ACCESS    0x02u
#define OPT_WIRED     0x04u
#define OPT_PSIND     0x08u
#define OPT_NOSLEEP   0x10u
#define OPT_UNMANAGED 0x20u
#define OPT_NONE_OK   0x40u /* prot=none, to remove */

#define OPTS_ENTER                                                             \
	(OPT_PROT | OPT_ACCESS | OPT_WIRED | OPT_NOSLEEP | OPT_UNMANAGED)

/*
 * Words:	n  a map		m  the map copied from
 *		p  a page's address	b  an address, any byte's
 *		v  where a range begins	e  and where it ends
 *		f  a frame's address	g  a physical address, any byte's
 *		l  a length		s  copy's source address
 *		a  r, w or x		F  full or partial
 *		D  dontneed or free
 */
static const struct {
	const char *name;
	const char *words;
	unsigned opts;
} ops[SCRIPT_NCODES] = {
	[SCRIPT_NONE] = { "?", "", 0 },
	[SCRIPT_MACHINE] = { "machine", "", 0 },
	[SCRIPT_RESERV] = { "reserv", "gF", 0 },
	[SCRIPT_SHORTAGE] = { "shortage", "", 0 },
	[SCRIPT_PMAP] = { "pmap", "n", 0 },
	[SCRIPT_RELEASE] = { "release", "n", 0 },
	[SCRIPT_ENTER] = { "enter", "npf", OPTS_ENTER | OPT_PSIND },
	[SCRIPT_ENTER_RANGE] = { "enter_range", "nvef", OPTS_ENTER },
	[SCRIPT_ENTER_QUICK] = { "enter_quick", "npf", OPT_PROT },
	[SCRIPT_ENTER_OBJECT] = { "enter_object", "nvef", OPT_PROT },
	[SCRIPT_REMOVE] = { "remove", "nve", 0 },
	[SCRIPT_REMOVE_PAGES] = { "remove_pages", "n", 0 },
	[SCRIPT_REMOVE_ALL] = { "remove_all", "f", 0 },
	[SCRIPT_PROTECT] = { "protect", "nve", OPT_PROT | OPT_NONE_OK },
	[SCRIPT_UNWIRE] = { "unwire", "nve", 0 },
	[SCRIPT_ADVISE] = { "advise", "nveD", 0 },
	[SCRIPT_COPY] = { "copy", "nmvls", 0 },
	[SCRIPT_REMOVE_WRITE] = { "remove_write", "f", 0 },
	[SCRIPT_CLEAR_MODIFY] = { "clear_modify", "f", 0 },
	[SCRIPT_TOUCH] = { "touch", "nba", 0 },
	[SCRIPT_TOUCH_RANGE] = { "touch_range", "nvea", 0 },
	[SCRIPT_EXTRACT] = { "extract", "nb", 0 },
	[SCRIPT_EXTRACT_HOLD] = { "extract_hold", "nb", OPT_PROT },
	[SCRIPT_MINCORE] = { "mincore", "nb", 0 },
	[SCRIPT_IS_PREFAULTABLE] = { "is_prefaultable", "nb", 0 },
	[SCRIPT_IS_MODIFIED] = { "is_modified", "f", 0 },
	[SCRIPT_IS_REFERENCED] = { "is_referenced", "f", 0 },
	[SCRIPT_TS_REFERENCED] = { "ts_referenced", "f", 0 },
	[SCRIPT_PAGE_WIRED_MAPPINGS] = { "page_wired_mappings", "f", 0 },
	[SCRIPT_PAGE_EXISTS_QUICK] = { "page_exists_quick", "nf", 0 },
	[SCRIPT_PAGE_IS_MAPPED] = { "page_is_mapped", "f", 0 },
	[SCRIPT_UNREF] = { "unref", "f", 0 },
	[SCRIPT_UNDIRTY] = { "undirty", "f", 0 },
	[SCRIPT_DUMP] = { "dump", "n", 0 },
	[SCRIPT_DIGEST] = { "digest", "n", 0 },
	[SCRIPT_STAT] = { "stat", "n", 0 },
	[SCRIPT_PAGE] = { "page", "f", 0 },
	[SCRIPT_PAGES] = { "pages", "", 0 },
	[SCRIPT_PAGES_DIGEST] = { "pages_digest", "", 0 },
};

const char *
script_code_name(enum script_code code)
{
	return (ops[(unsigned)code < SCRIPT_NCODES ? code : SCRIPT_NONE].name);
}

static int
parse_word(const struct script_reader *r, char kind, struct script_op *op)
{
	int error;

	switch (kind) {
	case 'n':
		return (sr_name(r, op->so_map));
	case 'm':
		return (sr_name(r, op->so_src));
	case 'v':
		return (sr_address(r, "address", PAGE_SIZE, 0,
		    VM_MAXUSER_ADDRESS, &op->so_va));
	case 'p':
		return (sr_address(r, "address", PAGE_SIZE, 0,
		    VM_MAXUSER_ADDRESS - PAGE_SIZE, &op->so_va));
	case 'b':
		return (sr_address(
		    r, "address", 1, 0, VM_MAXUSER_ADDRESS - 1, &op->so_va));
	case 'e':
		return (sr_address(r, "end", PAGE_SIZE, op->so_va,
		    VM_MAXUSER_ADDRESS, &op->so_end));
	case 'f':
		return (sr_address(r, "frame", PAGE_SIZE, 0,
		    SCRIPT_PADDR_END - PAGE_SIZE, &op->so_pa));
	case 'g':
		return (sr_address(
		    r, "frame", 1, 0, SCRIPT_PADDR_END - 1, &op->so_pa));
	case 'l':
		return (sr_address(r, "length", PAGE_SIZE, 0,
		    VM_MAXUSER_ADDRESS - op->so_va, &op->so_len));
	case 's':
		return (sr_address(r, "address", PAGE_SIZE, 0,
		    VM_MAXUSER_ADDRESS - op->so_len, &op->so_srcva));
	case 'a':
		return (sr_access(r, r->sr_word, &op->so_access));
	case 'F':
		error = sr_choice(r, "partial", "full", &op->so_full);
		return (error);
	default:
		return (sr_choice(r, "dontneed", "free", &op->so_free));
	}
}

static const char *
word_name(char kind)
{
	switch (kind) {
	case 'n':
		return ("the name of a map");
	case 'm':
		return ("the name of the map to copy from");
	case 'e':
		return ("the end of the range");
	case 'f':
	case 'g':
		return ("the address of a frame");
	case 'l':
		return ("a length");
	case 'a':
		return ("r, w or x");
	case 'F':
		return ("full or partial");
	case 'D':
		return ("dontneed or free");
	default:
		return ("an address");
	}
}

/* The value of "name=value", if r_word is that. */
static const char *
option_value(const struct script_reader *r, const char *name)
{
	size_t n = strlen(name);

	return (strncmp(r->sr_word, name, n) == 0 && r->sr_word[n] == '='
		? r->sr_word + n + 1
		: NULL);
}

/* The option that r_word is, 0 for none; *valuep is its value. */
static unsigned
find_option(const struct script_reader *r, const char **valuep)
{
	static const struct {
		const char *name;
		unsigned opt;
		bool has_value;
	} options[] = {
		{ "prot", OPT_PROT, true },
		{ "access", OPT_ACCESS, true },
		{ "psind", OPT_PSIND, true },
		{ "wired", OPT_WIRED, false },
		{ "nosleep", OPT_NOSLEEP, false },
		{ "unmanaged", OPT_UNMANAGED, false },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		*valuep = r->sr_word;
		if (options[i].has_value)
			*valuep = option_value(r, options[i].name);
		else if (strcmp(r->sr_word, options[i].name) != 0)
			continue;
		if (*valuep != NULL)
			return (options[i].opt);
	}
	return (0);
}

static int
parse_option(const struct script_reader *r, unsigned opt, const char *value,
    unsigned allowed, struct script_op *op)
{
	switch (opt) {
	case OPT_PROT:
		return (sr_prot(
		    r, value, (allowed & OPT_NONE_OK) != 0, &op->so_prot));
	case OPT_ACCESS:
		return (sr_access(r, value, &op->so_access));
	case OPT_PSIND:
		op->so_super = strcmp(value, "1") == 0;
		if (!op->so_super && strcmp(value, "0") != 0)
			return (sr_complain(
			    r, "psind=%s: expected psind=0 or 1", value));
		return (0);
	case OPT_WIRED:
		op->so_wired = true;
		return (0);
	case OPT_NOSLEEP:
		op->so_nosleep = true;
		return (0);
	default:
		op->so_unmanaged = true;
		return (0);
	}
}

static int
parse_options(struct script_reader *r, unsigned allowed, struct script_op *op)
{
	unsigned opt, seen = 0;
	const char *value;
	int error;

	while (sr_next_word(r)) {
		opt = find_option(r, &value);
		if ((opt & allowed) == 0)
			return (sr_complain(r,
			    "\"%s\": expected %s after the operands of %s",
			    r->sr_word, allowed != 0 ? "an option" : "nothing",
			    script_code_name(op->so_code)));
		if ((opt & seen) != 0)
			return (sr_complain(r,
			    "\"%s\": expected each option once", r->sr_word));
		seen |= opt;
		error = parse_option(r, opt, value, allowed, op);
		if (error != 0)
			return (error);
	}
	if ((allowed & ~seen & OPT_PROT) != 0)
		return (sr_complain(r, "%s without rights: expected prot=",
		    script_code_name(op->so_code)));
	if ((allowed & OPT_ACCESS) == 0)
		return (0);
	if ((seen & OPT_ACCESS) == 0)
		op->so_access = VM_PROT_READ;
	if (op->so_access == VM_PROT_WRITE &&
	    (op->so_prot & VM_PROT_WRITE) == 0)
		return (sr_complain(r, "access=w: expected w in prot="));
	return (0);
}

/* START-END[:DOMAIN] */
static int
parse_seg(const struct script_reader *r, const char *text, struct script_op *op)
{
	struct script_seg *seg = &op->so_segs[op->so_nsegs];
	uint64_t domain = 0;
	const char *p;

	if (op->so_nsegs == SCRIPT_SEG_MAX)
		return (sr_complain(r, "seg=%s: expected at most %d segments",
		    text, SCRIPT_SEG_MAX));
	if (!sr_read_number(text, &p, &seg->ss_start) || *p != '-' ||
	    !sr_read_number(p + 1, &p, &seg->ss_end) ||
	    (*p == ':' && !sr_read_number(p + 1, &p, &domain)) || *p != '\0')
		return (sr_complain(
		    r, "seg=%s: expected seg=START-END[:DOMAIN]", text));
	if (domain >= MAXMEMDOM)
		return (sr_complain(r, "seg=%s: expected DOMAIN from 0 to %d",
		    text, MAXMEMDOM - 1));
	if (seg->ss_start % PAGE_SIZE != 0 || seg->ss_end % PAGE_SIZE != 0)
		return (sr_complain(
		    r, "seg=%s: expected multiples of 0x1000", text));
	if (seg->ss_start >= seg->ss_end || seg->ss_end > SCRIPT_PADDR_END)
		return (sr_complain(r,
		    "seg=%s: expected START below END, END up to %#jx", text,
		    (uintmax_t)SCRIPT_PADDR_END));
	if (op->so_nsegs > 0 && seg[-1].ss_end > seg->ss_start)
		return (sr_complain(r,
		    "seg=%s: expected segments in ascending order, disjoint",
		    text));
	seg->ss_domain = (unsigned)domain;
	op->so_nsegs++;
	return (0);
}

static int
parse_machine(struct script_reader *r, struct script_op *op)
{
	const char *value;
	int error;

	while (sr_next_word(r)) {
		value = option_value(r, "seg");
		if (value == NULL && strcmp(r->sr_word, "nosuper") != 0)
			return (sr_complain(r,
			    "\"%s\": expected seg=START-END[:DOMAIN] or nosuper",
			    r->sr_word));
		if (value == NULL) {
			op->so_nosuper = true;
			continue;
		}
		error = parse_seg(r, value, op);
		if (error != 0)
			return (error);
	}
	if (op->so_nsegs == 0)
		return (sr_complain(
		    r, "a machine without memory: expected seg=START-END"));
	return (0);
}

static int
parse_shortage(struct script_reader *r, struct script_op *op)
{
	const char *end, *text;
	int64_t *limit;
	uint64_t n;

	op->so_pt = op->so_pv = -1;
	if (!sr_next_word(r))
		return (sr_complain(
		    r, "shortage of what: expected pt=N, pv=N or off"));
	if (strcmp(r->sr_word, "off") == 0)
		return (sr_next_word(r)
			? sr_complain(r, "\"%s\": expected nothing after off",
			      r->sr_word)
			: 0);
	do {
		limit = &op->so_pt;
		text = option_value(r, "pt");
		if (text == NULL) {
			limit = &op->so_pv;
			text = option_value(r, "pv");
		}
		if (text == NULL || !sr_read_number(text, &end, &n) ||
		    *end != '\0' || n > INT32_MAX || *limit >= 0)
			return (sr_complain(r,
			    "\"%s\": expected pt=N, pv=N, each once, or off",
			    r->sr_word));
		*limit = (int64_t)n;
	} while (sr_next_word(r));
	return (0);
}

int
script_parse(const char *line, struct script_op *op, char *err, size_t errsize)
{
	struct script_reader r = {
		.sr_pos = line, .sr_err = err, .sr_errsize = errsize
	};
	const char *w;
	int code, error;

	*op = (struct script_op){ .so_code = SCRIPT_NONE };
	if (!sr_next_word(&r))
		return (0);
	for (code = SCRIPT_NONE + 1; code < SCRIPT_NCODES; code++) {
		if (strcmp(ops[code].name, r.sr_word) == 0)
			break;
	}
	if (code == SCRIPT_NCODES)
		return (sr_complain(&r,
		    "no operation \"%s\": expected one of the language, such "
		    "as machine, pmap, enter, remove, dump",
		    r.sr_word));
	op->so_code = (enum script_code)code;
	if (op->so_code == SCRIPT_MACHINE)
		return (parse_machine(&r, op));
	if (op->so_code == SCRIPT_SHORTAGE)
		return (parse_shortage(&r, op));
	for (w = ops[code].words; *w != '\0'; w++) {
		if (!sr_next_word(&r))
			return (sr_complain(&r, "%s ends early: expected %s",
			    ops[code].name, word_name(*w)));
		error = parse_word(&r, *w, op);
		if (error != 0)
			return (error);
	}
	return (parse_options(&r, ops[code].opts, op));
}
