/* SPDX-License-Identifier: BSD-2-Clause */

/* What the witness says, in words. */

#include <stdarg.h>
#include <stdio.h>

#include "kern/kassert.h"
#include "lock/witness.h"

/* A report of WITNESS_STEPS_MAX steps whose paths are not absurdly long. */
#define REPORT_TEXT_MAX 4096

/* Text that is cut where the room ends, and counted to the end. */
struct text {
	char *t_text;
	size_t t_size;
	size_t t_len;
};

static void
add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
	size_t room = t->t_len < t->t_size ? t->t_size - t->t_len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? t->t_text + t->t_len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->t_len += (size_t)n;
}

static void
add_place(struct text *t, const char *what, const struct witness_place *wp)
{
	add(t, "  %-6s %s", what, wp->wp_name);
	if (wp->wp_file == NULL) {
		add(t, "\n");
		return;
	}
	if (wp->wp_class < NLOCK_CLASSES)
		add(t, " (%s) %p", lock_class_name(wp->wp_class), wp->wp_key);
	add(t, " at %s:%d\n", wp->wp_file, wp->wp_line);
}

static void
add_step(struct text *t, const struct witness_step *ws)
{
	add(t,
	    ws->ws_outer.wp_file == NULL ? " the order given\n"
					 : " the order seen first\n");
	add_place(t, "held", &ws->ws_outer);
	add_place(t, "wanted", &ws->ws_inner);
}

int
witness_format(const struct witness_report *wr, char *buf, size_t size)
{
	static const char *const titles[NWITNESS_KINDS] = {
		[WITNESS_REVERSAL] = "lock order reversal",
		[WITNESS_DUPLICATE] = "two locks of a class",
		[WITNESS_SELF] = "waits for a lock that it holds",
		[WITNESS_LEAF] = "lock under a leaf",
		[WITNESS_SLEEP] = "sleeps with a lock that others block on",
		[WITNESS_LIMIT] = "a table of the witness is full",
	};
	struct text t = { .t_text = buf, .t_size = size };

	add(&t, "witness: thread %u: %s\n", wr->wr_thread, titles[wr->wr_kind]);
	add_place(&t, wr->wr_kind == WITNESS_LIMIT ? "too many" : "held",
	    &wr->wr_held);
	add_place(&t, "wanted", &wr->wr_wanted);
	for (unsigned i = 0; i < wr->wr_nsteps && i < WITNESS_STEPS_MAX; i++)
		add_step(&t, &wr->wr_steps[i]);
	if (wr->wr_nsteps > WITNESS_STEPS_MAX)
		add(&t, " and %u more\n", wr->wr_nsteps - WITNESS_STEPS_MAX);
	return ((int)t.t_len);
}

void
witness_print(void *arg, const struct witness_report *wr)
{
	char text[REPORT_TEXT_MAX];

	(void)arg;
	(void)witness_format(wr, text, sizeof(text));
	/* In one piece: reports of two threads do not mix. */
	(void)fputs(text, stderr);
}

void
witness_panic(void *arg, const struct witness_report *wr)
{
	char text[REPORT_TEXT_MAX];

	(void)arg;
	(void)witness_format(wr, text, sizeof(text));
	panic("%s", text);
}
