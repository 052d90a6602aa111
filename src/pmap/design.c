/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Designs as text: LAYOUT/LOCK[+OPTION]..., or NAME[+OPTION]...
 */

#include "pmapsim/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lock/pv_backends.h"
#include "pmap/bug.h"

#define NLOCKS_DEFAULT 256u /* Source: FreeBSD releng/12.1, MAXCPU */
#define NLOCKS_MAX     1048576u

static const char *const layout_names[PVL_COUNT] = {
	[PVL_HASHED] = "hashed",
	[PVL_PTRARRAY] = "ptrarray",
	[PVL_SPARSE] = "sparse",
	[PVL_SEGMENT] = "segment",
};

static const char *const version_names[PMAP_VERSION_COUNT] = {
	[PMAP_MAIN] = "main",
	[PMAP_14] = "14",
	[PMAP_12_3] = "12.3",
	[PMAP_12_1] = "12.1",
};
static const char *const di_names[] = {
	[PMAP_DI_LOCKLESS] = "lockless",
	[PMAP_DI_MUTEX] = "mutex",
};
static const char *const tlb_names[] = {
	[PMAP_TLB_NONE] = "none",
	[PMAP_TLB_DIRECT] = "direct",
	[PMAP_TLB_ASSOC] = "assoc",
	[PMAP_TLB_ADVERSARIAL] = "adversarial",
};
static const char *const ipi_names[] = {
	[PMAP_IPI_SYNC] = "sync",
	[PMAP_IPI_MAILBOX] = "mailbox",
};
static const char *const onoff_names[] = { "on", "off" };
static const char *const offon_names[] = { "off", "on" };

/* Options that are one word of a list; the first is the default. */
#define CHOICE(list) (list), sizeof(list) / sizeof((list)[0])
static const struct {
	const char *name;
	const char *const *words;
	size_t nwords;
} choices[] = {
	{ "pmap", CHOICE(version_names) },
	{ "di", CHOICE(di_names) },
	{ "tlb", CHOICE(tlb_names) },
	{ "superpages", CHOICE(onoff_names) },
	{ "reserv", CHOICE(onoff_names) },
	{ "pcid", CHOICE(onoff_names) },
	{ "ipi", CHOICE(ipi_names) },
	{ "erratum383", CHOICE(offon_names) },
};
#define NCHOICES (sizeof(choices) / sizeof(choices[0]))

/* The columns of the review, and what they stand for. */
static const struct {
	const char *name;
	const char *meaning;
} named_designs[] = {
	{ "head", "hashed/rwlock+chunks=global" },
	{ "superpage", "sparse/rwlock+chunks=global" },
};
#define NNAMED (sizeof(named_designs) / sizeof(named_designs[0]))

const char *
pv_layout_name(enum pv_layout pl)
{
	return (layout_names[pl]);
}

static int say(char *err, size_t errsize, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
say(char *err, size_t errsize, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err, errsize, fmt, ap);
	va_end(ap);
	return (EINVAL);
}

const char *
pmap_version_name(enum pmap_version pv)
{
	return (version_names[pv]);
}

static const struct pv_lock_ops *
find_lock(const char *name, const struct pv_lock_ops *const *foreign)
{
	for (; foreign != NULL && *foreign != NULL; foreign++) {
		if (strcmp((*foreign)->plo_name, name) == 0)
			return (*foreign);
	}
	return (pv_lock_ops_lookup(name));
}

/* "expected one of a, b, c" for an unknown lock. */
static int
unknown_lock(const char *name, const struct pv_lock_ops *const *foreign,
    char *err, size_t errsize)
{
	const struct pv_lock_ops *const *p;
	char list[256] = "";
	size_t n = 0;

	if (pv_lock_is_real_only(name))
		return (say(err, errsize, "lock \"%s\": real mode only", name));
	for (p = pv_lock_ops_list(); *p != NULL && n < sizeof(list); p++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
		    n == 0 ? "" : ", ", (*p)->plo_name);
	for (; foreign != NULL && *foreign != NULL && n < sizeof(list);
	     foreign++)
		n += (size_t)snprintf(
		    list + n, sizeof(list) - n, ", %s", (*foreign)->plo_name);
	return (say(err, errsize, "unknown lock \"%s\": expected one of %s",
	    name, list));
}

/* The word "name=value"'s value if the option is name, else NULL. */
static const char *
option_value(const char *word, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) == 0 && word[n] == '=')
		return (word + n + 1);
	return (NULL);
}

/* Choice number i has been made: the word-th. */
static void
set_choice(struct design *d, size_t i, size_t word)
{
	switch (i) {
	case 0:
		d->d_pmap = (enum pmap_version)word;
		break;
	case 1:
		d->d_di = (enum pmap_di_kind)word;
		break;
	case 2:
		d->d_tlb = (enum pmap_tlb_kind)word;
		break;
	case 3:
		d->d_no_superpages = word != 0;
		break;
	case 4:
		d->d_no_reserv = word != 0;
		break;
	case 5:
		d->d_no_pcid = word != 0;
		break;
	case 6:
		d->d_ipi = (enum pmap_ipi_kind)word;
		break;
	default:
		d->d_erratum383 = word != 0;
		break;
	}
}

/* Returns 0, EINVAL, or -1 if the word is no such option. */
static int
parse_choice(const char *word, struct design *d, char *err, size_t errsize)
{
	char list[64] = "";
	const char *v = NULL;
	size_t i, j, n = 0;

	for (i = 0; i < NCHOICES; i++) {
		v = option_value(word, choices[i].name);
		if (v != NULL)
			break;
	}
	if (v == NULL)
		return (-1);
	for (j = 0; j < choices[i].nwords; j++) {
		if (strcmp(v, choices[i].words[j]) == 0) {
			set_choice(d, i, j);
			return (0);
		}
	}
	for (j = 0; j < choices[i].nwords && n < sizeof(list); j++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
		    j == 0 ? "" : "|", choices[i].words[j]);
	return (say(err, errsize, "option \"%s\": expected %s=%s", word,
	    choices[i].name, list));
}

/* More than one may be switched on. */
static int
parse_bug(const char *name, struct design *d, char *err, size_t errsize)
{
	enum bug b = bug_lookup(name);

	if (b == NBUGS)
		return (say(err, errsize, "unknown bug \"%s\"", name));
	d->d_bugs |= UINT64_C(1) << b;
	return (0);
}

static int
parse_option(const char *word, struct design *d, char *err, size_t errsize)
{
	const char *v;
	char *end;
	unsigned long n;
	int error;

	error = parse_choice(word, d, err, errsize);
	if (error >= 0)
		return (error);
	v = option_value(word, "bug");
	if (INVARIANTS_ENABLED && v != NULL)
		return (parse_bug(v, d, err, errsize));
	if (strcmp(word, "batch") == 0) {
		d->d_batch = true;
		return (0);
	}
	if ((v = option_value(word, "chunks")) != NULL) {
		if (strcmp(v, "global") != 0 && strcmp(v, "domain") != 0)
			return (say(err, errsize,
			    "option \"%s\": expected "
			    "chunks=domain or chunks=global",
			    word));
		d->d_chunks_global = v[0] == 'g';
		return (0);
	}
	if (strcmp(word, "pad") == 0 && d->d_layout == PVL_HASHED) {
		d->d_pad = true;
		return (0);
	}
	if ((v = option_value(word, "locks")) != NULL &&
	    d->d_layout == PVL_HASHED) {
		errno = 0;
		n = strtoul(v, &end, 10);
		if (v[0] < '0' || v[0] > '9' || *end != '\0' || errno != 0 ||
		    n < 1 || n > NLOCKS_MAX)
			return (say(err, errsize,
			    "option \"%s\": expected "
			    "locks=N, N from 1 to %u",
			    word, NLOCKS_MAX));
		d->d_nlocks = (unsigned)n;
		return (0);
	}
	if ((v = option_value(word, "wart")) != NULL &&
	    d->d_layout == PVL_PTRARRAY) {
		if (strcmp(v, "alloc") != 0 && strcmp(v, "tight") != 0)
			return (say(err, errsize,
			    "option \"%s\": expected "
			    "wart=tight or wart=alloc",
			    word));
		d->d_wart_alloc = v[0] == 'a';
		return (0);
	}
	if ((v = option_value(word, "gaps")) != NULL &&
	    d->d_layout == PVL_SPARSE) {
		if (strcmp(v, "backed") != 0 && strcmp(v, "trap") != 0)
			return (say(err, errsize,
			    "option \"%s\": expected "
			    "gaps=backed or gaps=trap",
			    word));
		d->d_gaps_trap = v[0] == 't';
		return (0);
	}
	return (say(err, errsize,
	    "unknown option \"%s\" of layout %s: expected batch, "
	    "chunks=domain|global, pmap, superpages, reserv, di, tlb, pcid, "
	    "ipi, erratum383%s",
	    word, pv_layout_name(d->d_layout),
	    d->d_layout == PVL_HASHED         ? ", locks=N, pad"
		: d->d_layout == PVL_PTRARRAY ? ", wart=tight|alloc"
		: d->d_layout == PVL_SPARSE   ? ", gaps=backed|trap"
					      : ""));
}

/* base: LAYOUT/LOCK[+OPTION]... without names; words are cut in place. */
static int
parse_words(char *base, const struct pv_lock_ops *const *foreign,
    struct design *d, char *err, size_t errsize)
{
	char *lock, *word, *next;
	int error;
	unsigned pl;

	next = strchr(base, '+');
	if (next != NULL)
		*next++ = '\0';
	lock = strchr(base, '/');
	if (lock == NULL)
		return (say(err, errsize,
		    "\"%s\" is no design: expected "
		    "LAYOUT/LOCK[+OPTION]..., head or superpage",
		    base));
	*lock++ = '\0';

	for (pl = 0; pl < PVL_COUNT; pl++) {
		if (strcmp(base, layout_names[pl]) == 0)
			break;
	}
	if (pl == PVL_COUNT)
		return (say(err, errsize,
		    "unknown layout \"%s\": expected one "
		    "of hashed, ptrarray, sparse, segment",
		    base));
	d->d_layout = (enum pv_layout)pl;
	d->d_nlocks = d->d_layout == PVL_HASHED ? NLOCKS_DEFAULT : 0;
	d->d_lock = find_lock(lock, foreign);
	if (d->d_lock == NULL)
		return (unknown_lock(lock, foreign, err, errsize));

	while ((word = next) != NULL) {
		next = strchr(word, '+');
		if (next != NULL)
			*next++ = '\0';
		error = parse_option(word, d, err, errsize);
		if (error != 0)
			return (error);
	}
	return (0);
}

int
design_parse(const char *text, const struct pv_lock_ops *const *foreign,
    struct design *d, char *err, size_t errsize)
{
	struct design new = { .d_layout = PVL_SPARSE };
	char buf[2 * sizeof(new.d_text)];
	size_t i, n;
	int error;

	if (strlen(text) >= sizeof(new.d_text))
		return (say(err, errsize, "a design has at most %zu characters",
		    sizeof(new.d_text) - 1));
	(void)snprintf(new.d_text, sizeof(new.d_text), "%s", text);

	(void)snprintf(buf, sizeof(buf), "%s", text);
	n = strcspn(text, "+");
	for (i = 0; i < NNAMED; i++) {
		if (strlen(named_designs[i].name) == n &&
		    strncmp(text, named_designs[i].name, n) == 0)
			(void)snprintf(buf, sizeof(buf), "%s%s",
			    named_designs[i].meaning, text + n);
	}
	error = parse_words(buf, foreign, &new, err, errsize);
	if (error == 0)
		*d = new;
	return (error);
}
