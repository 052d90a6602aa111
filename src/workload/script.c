/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The interpreter of scripts: which function carries out an operation, and what
 * is true before and after each.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "workload/script_var.h"

int
script_error(struct script_out *out, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	script_out_printf(out, "error: %s", text);
	return (EINVAL);
}

struct script *
script_create(const struct script_config *sc)
{
	struct script *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->s_conf = *sc;
	return (s);
}

static struct script_map *
find_map(struct script *s, const char *name)
{
	struct script_map *sm;

	for (sm = s->s_maps; sm != NULL; sm = sm->sm_next) {
		if (strcmp(sm->sm_name, name) == 0)
			return (sm);
	}
	return (NULL);
}

static void
drop_map(struct script *s, struct script_map *sm)
{
	struct script_map **p;

	for (p = &s->s_maps; *p != sm;)
		p = &(*p)->sm_next;
	*p = sm->sm_next;
	free(sm);
}

static int
do_pmap(struct script *s, const struct script_op *op, struct script_out *out)
{
	struct script_map *sm;

	if (find_map(s, op->so_map) != NULL)
		return (script_error(
		    out, "map %s exists, expected a new name", op->so_map));
	sm = calloc(1, sizeof(*sm));
	if (sm == NULL)
		goto nomem;
	sm->sm_pmap = pmap_alloc(s->s_ma);
	if (sm->sm_pmap == NULL)
		goto nomem;
	if (pmap_pinit(sm->sm_pmap) != KERN_SUCCESS) {
		pmap_free(sm->sm_pmap);
		goto nomem;
	}
	memcpy(sm->sm_name, op->so_map, sizeof(sm->sm_name));
	sm->sm_next = s->s_maps;
	s->s_maps = sm;
	script_out_printf(out, "ok");
	return (0);

nomem:
	free(sm);
	s->s_nomem = true;
	return (script_error(out, "no memory for another map"));
}

static int
do_release(struct script *s, struct script_map *sm, struct script_out *out)
{
	if (!script_map_empty(sm->sm_pmap))
		return (script_error(out,
		    "map %s has mappings, expected an empty one", sm->sm_name));
	pmap_release(sm->sm_pmap);
	pmap_free(sm->sm_pmap);
	drop_map(s, sm);
	script_out_printf(out, "ok");
	return (0);
}

static int
dispatch(struct script *s, const struct script_op *op, struct script_out *out)
{
	struct script_map *src = NULL, *sm = NULL;

	if (op->so_map[0] != '\0' && op->so_code != SCRIPT_PMAP) {
		sm = find_map(s, op->so_map);
		if (sm == NULL)
			return (script_error(out,
			    "no map %s, expected one made by pmap",
			    op->so_map));
	}
	switch (op->so_code) {
	case SCRIPT_RESERV:
		return (script_do_reserv(s, op, out));
	case SCRIPT_SHORTAGE:
		pmap_limit(s->s_ma, op->so_pt, op->so_pv);
		script_out_printf(out, "ok");
		return (0);
	case SCRIPT_PMAP:
		return (do_pmap(s, op, out));
	case SCRIPT_RELEASE:
		return (do_release(s, sm, out));
	case SCRIPT_COPY:
		src = find_map(s, op->so_src);
		if (src == NULL)
			return (script_error(out,
			    "no map %s, expected one made by pmap",
			    op->so_src));
		return (script_do_copy(sm->sm_pmap, src->sm_pmap, op, out));
	case SCRIPT_ENTER:
	case SCRIPT_ENTER_RANGE:
	case SCRIPT_ENTER_QUICK:
	case SCRIPT_ENTER_OBJECT:
	case SCRIPT_REMOVE:
	case SCRIPT_REMOVE_PAGES:
	case SCRIPT_PROTECT:
	case SCRIPT_UNWIRE:
	case SCRIPT_ADVISE:
	case SCRIPT_TOUCH:
	case SCRIPT_TOUCH_RANGE:
		return (script_do_map(s, sm->sm_pmap, op, out));
	case SCRIPT_EXTRACT:
	case SCRIPT_EXTRACT_HOLD:
	case SCRIPT_MINCORE:
	case SCRIPT_IS_PREFAULTABLE:
	case SCRIPT_DUMP:
	case SCRIPT_DIGEST:
	case SCRIPT_STAT:
	case SCRIPT_PAGES:
	case SCRIPT_PAGES_DIGEST:
		return (
		    script_do_ask(s, sm != NULL ? sm->sm_pmap : NULL, op, out));
	default:
		return (script_do_frame(
		    s, sm != NULL ? sm->sm_pmap : NULL, op, out));
	}
}

int
script_exec(
    struct script *s, const struct script_op *op, struct script_out *out)
{
	unsigned n;
	int error;

	s->s_nomem = false;
	if (op->so_code == SCRIPT_MACHINE) {
		error = script_do_machine(s, op, out);
	} else if (s->s_ma == NULL) {
		error = script_error(
		    out, "no machine yet, expected machine seg=START-END");
	} else {
		machine_thread_use(s->s_td);
		error = dispatch(s, op, out);
	}
	if (out->so_failed || s->s_nomem)
		return (ENOMEM);
	if (error != 0 || !s->s_conf.sc_check)
		return (error);
	n = machine_check(s->s_ma, s->s_conf.sc_diag);
	s->s_violations += n;
	return (n == 0 ? 0 : EFAULT);
}

int
script_line(struct script *s, unsigned lineno, const char *line,
    struct script_out *out, char *err, size_t errsize)
{
	struct script_out result = { .so_buf = NULL };
	struct script_op op;
	int error;

	error = script_parse(line, &op, err, errsize);
	if (error == 0 && op.so_code == SCRIPT_NONE)
		return (0);
	if (error != 0) {
		script_out_printf(&result, "error: %s", err);
	} else {
		error = script_exec(s, &op, &result);
		if (error == EINVAL)
			(void)snprintf(err, errsize, "%s",
			    result.so_buf + strlen("error: "));
	}
	if (result.so_failed)
		error = ENOMEM;
	else
		script_print(out, lineno, line, result.so_buf);
	script_out_free(&result);
	return (out->so_failed ? ENOMEM : error);
}

unsigned
script_violations(const struct script *s)
{
	return (s->s_violations);
}

struct machine *
script_machine(const struct script *s)
{
	return (s->s_ma);
}

void
script_abandon(struct script *s)
{
	struct script_device *sd;

	while (s->s_maps != NULL)
		drop_map(s, s->s_maps);
	for (unsigned i = 0; i < SCRIPT_DEVICE_HASH; i++) {
		while ((sd = s->s_devices[i]) != NULL) {
			s->s_devices[i] = sd->sd_next;
			free(sd);
		}
	}
	for (unsigned i = 0; i < SCRIPT_SEG_MAX; i++) {
		free(s->s_mem[i].sm_runs);
		free(s->s_mem[i].sm_frames);
	}
	script_out_free(&s->s_lines);
	free(s);
}

uint64_t
script_destroy(struct script *s)
{
	uint64_t leaked = 0;

	if (s == NULL)
		return (0);
	if (s->s_ma != NULL) {
		machine_thread_use(s->s_td);
		pmap_limit(s->s_ma, -1, -1);
		for (struct script_map *sm = s->s_maps; sm != NULL;
		     sm = sm->sm_next) {
			pmap_remove(sm->sm_pmap, 0, VM_MAXUSER_ADDRESS);
			pmap_release(sm->sm_pmap);
			pmap_free(sm->sm_pmap);
		}
		machine_thread_detach(s->s_ma);
		leaked = machine_destroy(s->s_ma, s->s_conf.sc_diag);
	}
	script_abandon(s);
	return (leaked);
}
