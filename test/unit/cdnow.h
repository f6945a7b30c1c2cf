/*
 * cdnow.h: the purchases of CDNOW as tables of customers.  CVM_DATA names the
 * folder of the files (default ../shared/data).
 */
#ifndef CVM_TEST_CDNOW_H
#define CVM_TEST_CDNOW_H

#include "models/table.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *
open_data(const char *file)
{
	char		path[4096];
	const char *folder = getenv("CVM_DATA");

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/data", file);
	return fopen(path, "r");
}

/* Days since 1970-01-01 of yyyymmdd (Hinnant's civil calendar). */
static int
day_of(int date)
{
	int			y = date / 10000;
	int			m = date / 100 % 100;
	int			d = date % 100;
	int			era_year,
				day;

	y -= m <= 2;
	era_year = y % 400;
	day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return y / 400 * 146097 + era_year * 365 + era_year / 4 - era_year / 100 + day - 719468;
}

/* A customer's days, as they come (the file is sorted by customer and day). */
typedef struct customer
{
	int			id;
	int			first,
				last;
	int			repeats;
	double		repeat_total;
} customer;

static void
add_customer(const customer *c, int as_of, cvm_table *purchases, cvm_table *money)
{
	cvm_row		row = {.x = c->repeats, .t_x = (c->last - c->first) / 7.0, .age = (as_of - c->first) / 7.0, .weight = 1};

	if (c->id == 0)
		return;
	row.mean_spend = c->repeats > 0 ? c->repeat_total / c->repeats : 0;
	cvm_table_add(purchases, &row);
	if (row.mean_spend > 0)		/* a few paid nothing */
		cvm_table_add(money, &row);
}

/*
 * A raw file: days as periods, weeks as unit, as of 1997-09-30.  `format` finds
 * customer, date and dollars in a line.  False where there is no such file.
 */
static bool
read_cdnow(const char *name, const char *format, cvm_table *purchases, cvm_table *money)
{
	FILE	   *file = open_data(name);
	int			as_of = day_of(19970930);
	customer	c = {0};
	char		line[256];
	int			id,
				date;
	double		dollars;

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file))
	{
		if (sscanf(line, format, &id, &date, &dollars) != 3 || day_of(date) > as_of)
			continue;
		if (id != c.id)
		{
			add_customer(&c, as_of, purchases, money);
			c = (customer) {id, day_of(date), day_of(date), 0, 0};
		}
		if (day_of(date) > c.last)
		{
			c.last = day_of(date);
			c.repeats++;
		}
		if (c.repeats > 0)
			c.repeat_total += dollars;
	}
	fclose(file);
	add_customer(&c, as_of, purchases, money);
	cvm_table_finish(purchases);
	cvm_table_finish(money);
	return true;
}

#endif
