/*
 * fingerprint.c: which data a model was fitted on, in 128 bits.
 *
 * The sum over customers of a hash of their sufficient statistics: equal for equal
 * customers in whatever order they come and however they are collapsed.  The
 * finaliser is that of splitmix64 (Steele, Lea & Flood 2014, OOPSLA).  What enters
 * are the bits of x, age and t_x (spend: x and the mean); log_intervals are sums
 * of logarithms of the same purchases and are left out.
 */
#include "models/table.h"

#include <string.h>

static uint64_t
mix(uint64_t h)
{
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return h ^ (h >> 31);
}

static uint64_t
absorb(uint64_t h, double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return mix((h + UINT64_C(0x9e3779b97f4a7c15)) ^ bits);
}

void
cvm_table_fingerprint(const cvm_table *table, uint64_t fingerprint[2])
{
	bool		spend = cvm_table_kind(table) == CVM_SPEND;

	for (int lane = 0; lane < 2; lane++)
	{
		fingerprint[lane] = 0;
		for (size_t i = 0; i < cvm_table_rows(table); i++)
		{
			const cvm_row row = cvm_table_row(table, i);
			uint64_t	h = absorb(mix((uint64_t) lane + 1), row.x);

			h = absorb(h, spend ? row.mean_spend : row.age);
			h = absorb(h, spend ? 0 : row.t_x);
			fingerprint[lane] += (uint64_t) row.weight * h;
		}
	}
}
