/* SPDX-License-Identifier: BSD-2-Clause */
#include "micro.h"

#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "table.h"

static const char *const micro_texts[NMICRO_OPS] = {
#define MICRO_TEXT(e, key, text) [e] = text,
	MICRO_LIST(MICRO_TEXT)
#undef MICRO_TEXT
};

struct stats
micro_stats(const struct micro_sample *samples, size_t n, enum micro_op op)
{
	double *v = bench_calloc(n, sizeof(v[0]));
	struct stats s;

	for (size_t i = 0; i < n; i++) {
		if (isnan(samples[i].ms_ns[op]))
			n = i;
		else
			v[i] = samples[i].ms_ns[op];
	}
	s = stats_of(v, n);
	free(v);
	return (s);
}

static void
print_host(const struct hostvm *hv, FILE *out)
{
	(void)fprintf(out,
	    "\nThe host's own kernel, one thread, %u pages, measured in the "
	    "same run\n(touch includes a trap and zeroing the page, which the "
	    "model does not do):\n",
	    HOSTVM_PAGES);
#define HOSTVM_PRINT(field, key, text)                                         \
	(void)fprintf(out, "  %-38s %7.0f   (%.0f to %.0f)\n", text,           \
	    hv->field.s_median, hv->field.s_min, hv->field.s_max);
	HOSTVM_LIST(HOSTVM_PRINT)
#undef HOSTVM_PRINT
}

/* As many designs as a table of this width has room for. */
#define TABLE_DESIGNS 5

static void
print_designs(char *const *designs, size_t ndesigns,
    const struct micro_sample *samples, size_t max, const size_t *nsamples,
    FILE *out)
{
	char buf[TABLE_NUMBER_MAX], range[TABLE_RANGE_MAX];
	struct table *t;
	char align[TABLE_DESIGNS + 2] = "l";

	for (size_t d = 0; d < ndesigns; d++)
		align[d + 1] = 'r';
	t = table_create(align);
	table_cell(t, "ns a page");
	for (size_t d = 0; d < ndesigns; d++) {
		char *name = table_break_name(designs[d], 12);

		table_cell(t, "%s", name);
		free(name);
	}
	table_rule(t);
	for (unsigned op = 0; op < NMICRO_OPS; op++) {
		table_cell(t, "%s", micro_texts[op]);
		for (size_t d = 0; d < ndesigns; d++) {
			struct stats s = micro_stats(
			    &samples[d * max], nsamples[d], (enum micro_op)op);

			table_cell(t, "%s",
			    table_number(buf, s.s_n > 0 ? s.s_median : -1));
		}
		table_cell(t, "  range");
		for (size_t d = 0; d < ndesigns; d++) {
			struct stats s = micro_stats(
			    &samples[d * max], nsamples[d], (enum micro_op)op);

			table_cell(t, "%s",
			    s.s_n > 0 ? table_range(range, s.s_min, s.s_max)
				      : "-");
		}
	}
	table_print(t, out);
	table_destroy(t);
}

void
micro_print(const struct micro_config *mc, char *const *designs,
    size_t ndesigns, const struct micro_sample *samples, size_t max,
    const size_t *nsamples, const struct hostvm *hv, FILE *out)
{
	(void)fprintf(out,
	    "Cost of one operation, one thread, warm caches, %u pages a round, "
	    "median of %zu\n\n",
	    mc->mc_pages, nsamples[0]);
	for (size_t d = 0; d < ndesigns; d += TABLE_DESIGNS) {
		size_t n = ndesigns - d;

		print_designs(&designs[d],
		    n < TABLE_DESIGNS ? n : TABLE_DESIGNS, &samples[d * max],
		    max, &nsamples[d], out);
	}
	if (hv != NULL)
		print_host(hv, out);
}
