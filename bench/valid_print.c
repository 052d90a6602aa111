/* SPDX-License-Identifier: BSD-2-Clause */
#include "table.h"
#include "valid.h"

static const char *const verdicts[] = {
	[VALID_HOLDS] = "holds",
	[VALID_MISSED] = "MISSED",
	[VALID_ORDER] = "same order",
	[VALID_OTHER_ORDER] = "OTHER ORDER",
	[VALID_NO_ORDER] = "NO ORDER",
	[VALID_NO_BOUND] = "-",
};

static void
cell_number(struct table *t, double v)
{
	table_cell(t, v < 100 ? "%.2f" : "%.0f", v);
}

void
valid_print(const struct valid *v, FILE *out)
{
	struct table *t = table_create("llrrrlrrl");

	table_cell(t, " ");
	table_cell(t, "what");
	table_cell(t, "predicted");
	table_cell(t, "measured");
	table_cell(t, "range");
	table_cell(t, " ");
	table_cell(t, "error");
	table_cell(t, "bound");
	table_cell(t, "verdict");
	for (size_t i = 0; i < v->v_nrows; i++) {
		const struct valid_row *vw = &v->v_rows[i];
		char range[TABLE_RANGE_MAX];

		if (i == 0 || vw->vw_rung != v->v_rows[i - 1].vw_rung)
			table_rule(t);
		table_cell(t, "%s", vw->vw_rung);
		table_cell(t, "%s", vw->vw_what);
		cell_number(t, vw->vw_predicted);
		cell_number(t, vw->vw_measured);
		if (vw->vw_high > 0)
			table_cell(t, "%s",
			    table_range(range, vw->vw_low, vw->vw_high));
		else
			table_cell(t, "-");
		table_cell(t, "%s", vw->vw_unit);
		/* Beyond that a percentage says little. */
		if (vw->vw_error > 1 || vw->vw_error < -0.5)
			table_cell(t, "x %.2g", 1 + vw->vw_error);
		else
			table_cell(t, "%+.1f %%", 100 * vw->vw_error);
		if (vw->vw_bound < 0)
			table_cell(t, "-");
		else if (vw->vw_bound < 0.001)
			table_cell(t, "exact");
		else
			table_cell(t, "%.0f %%", 100 * vw->vw_bound);
		table_cell(t, "%s", verdicts[vw->vw_verdict]);
	}
	table_print(t, out);
	table_destroy(t);
}
