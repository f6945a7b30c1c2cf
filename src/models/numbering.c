/*
 * numbering.c: numbers for distinct values (see numbering.h).
 */
#include "models/numbering.h"

#include <string.h>

#define FIRST_SLOTS 64
#define POLL_KEYS 65536		/* keys moved between two looks at whether the work is cancelled */

void *
cvm_allocate(const cvm_env *env, size_t count, size_t size)
{
	if (count > SIZE_MAX / size)
		return NULL;
	return env->alloc(env->context, count > 0 ? count * size : 1);
}

void
cvm_release(const cvm_env *env, void *pointer)
{
	if (pointer != NULL)
		env->release(env->context, pointer);
}

static uint64_t
bits_of(double value)
{
	uint64_t	bits;

	value += 0.0;				/* no negative zero */
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * Where a value is, or would be: Fibonacci hashing, linear probing.  The top
 * bits of the product are used, as small integers differ in their top bits only.
 */
static size_t
slot_of(const cvm_numbering *n, uint64_t bits)
{
	size_t		at = (size_t) ((bits * UINT64_C(0x9E3779B97F4A7C15)) >> n->shift);

	while (n->slot[at] != 0 && n->value[n->slot[at] - 1] != bits)
		at = (at + 1) & (n->slots - 1);
	return at;
}

static cvm_status
resize(cvm_numbering *n, size_t slots)
{
	cvm_numbering larger = {n->env, NULL, NULL, slots, 64, n->distinct};

	for (size_t s = slots; s > 1; s >>= 1)
		larger.shift--;
	larger.value = cvm_allocate(n->env, slots / 2 + 1, sizeof(uint64_t));
	larger.slot = cvm_allocate(n->env, slots, sizeof(uint32_t));
	if (larger.value == NULL || larger.slot == NULL)
	{
		cvm_numbering_free(&larger);
		return CVM_NO_MEMORY;
	}
	memset(larger.slot, 0, slots * sizeof(uint32_t));
	if (n->distinct > 0)
		memcpy(larger.value, n->value, n->distinct * sizeof(uint64_t));
	for (size_t i = 0; i < n->distinct; i++)
		larger.slot[slot_of(&larger, larger.value[i])] = (uint32_t) (i + 1);
	cvm_numbering_free(n);
	*n = larger;
	return CVM_OK;
}

uint32_t
cvm_number(cvm_numbering *n, double value)
{
	uint64_t	bits = bits_of(value);
	size_t		at;

	if (n->distinct >= n->slots / 2
		&& resize(n, n->slots == 0 ? FIRST_SLOTS : 4 * n->slots) != CVM_OK)
		return CVM_NO_NUMBER;
	at = slot_of(n, bits);
	if (n->slot[at] == 0)
	{
		n->value[n->distinct++] = bits;
		n->slot[at] = (uint32_t) n->distinct;
	}
	return n->slot[at] - 1;
}

double
cvm_numbering_value(const cvm_numbering *n, uint32_t number)
{
	double		value;

	memcpy(&value, &n->value[number], sizeof(value));
	return value;
}

/* The values of which these are the bits, in their place. */
static double *
as_doubles(uint64_t *bits, size_t n)
{
	double	   *values = (double *) (void *) bits;

	for (size_t i = 0; i < n; i++)
	{
		double		value;

		memcpy(&value, &bits[i], sizeof(value));
		memcpy(&values[i], &value, sizeof(value));
	}
	return values;
}

double *
cvm_numbering_sorted(const cvm_numbering *n, uint32_t *rank, cvm_status *status)
{
	uint32_t   *arrival = cvm_allocate(n->env, n->distinct, sizeof(uint32_t));
	uint64_t   *bits = cvm_allocate(n->env, n->distinct, sizeof(uint64_t));

	*status = arrival && bits ? CVM_OK : CVM_NO_MEMORY;
	for (size_t i = 0; *status == CVM_OK && i < n->distinct; i++)
	{
		arrival[i] = (uint32_t) i;
		bits[i] = n->value[i];
	}
	if (*status == CVM_OK)
		*status = cvm_radix_sort(n->env, bits, arrival, n->distinct, 64);
	for (size_t i = 0; *status == CVM_OK && i < n->distinct; i++)
		rank[arrival[i]] = (uint32_t) i;
	cvm_release(n->env, arrival);
	if (*status == CVM_OK)
		return as_doubles(bits, n->distinct);
	cvm_release(n->env, bits);
	return NULL;
}

void
cvm_numbering_free(cvm_numbering *n)
{
	cvm_release(n->env, n->value);
	cvm_release(n->env, n->slot);
	n->value = NULL;
	n->slot = NULL;
	n->slots = n->distinct = 0;
}

/* One pass over eight bits; false if all keys share them, or the work is cancelled in the middle. */
static bool
sort_digit(const cvm_env *env, int shift, const uint64_t *key, const uint32_t *payload, size_t n,
		   uint64_t *to_key, uint32_t *to_payload, cvm_status *status)
{
	size_t		start[257] = {0};

	for (size_t i = 0; i < n; i++)
		start[((key[i] >> shift) & 255) + 1]++;
	if (start[((key[0] >> shift) & 255) + 1] == n)
		return false;
	for (int digit = 0; digit < 256; digit++)
		start[digit + 1] += start[digit];
	for (size_t first = 0; first < n; first += POLL_KEYS)
	{
		size_t		end = n - first < POLL_KEYS ? n : first + POLL_KEYS;

		if (env->cancelled != NULL && env->cancelled(env->context))
		{
			*status = CVM_CANCELLED;
			return false;
		}
		for (size_t i = first; i < end; i++)
		{
			size_t		at = start[(key[i] >> shift) & 255]++;

			to_key[at] = key[i];
			if (payload != NULL)
				to_payload[at] = payload[i];
		}
	}
	return true;
}

cvm_status
cvm_radix_sort(const cvm_env *env, uint64_t *key, uint32_t *payload, size_t n, int bits)
{
	uint64_t   *keys[2] = {key, cvm_allocate(env, n, sizeof(uint64_t))};
	uint32_t   *payloads[2] = {payload, payload ? cvm_allocate(env, n, sizeof(uint32_t)) : NULL};
	cvm_status	status = keys[1] && (payloads[1] || !payload) ? CVM_OK : CVM_NO_MEMORY;
	int			from = 0;

	for (int shift = 0; status == CVM_OK && n > 0 && shift < bits; shift += 8)
		if (sort_digit(env, shift, keys[from], payloads[from], n, keys[1 - from], payloads[1 - from], &status))
			from = 1 - from;
	if (from == 1)
	{
		memcpy(key, keys[1], n * sizeof(uint64_t));
		if (payload != NULL)
			memcpy(payload, payloads[1], n * sizeof(uint32_t));
	}
	cvm_release(env, keys[1]);
	cvm_release(env, payloads[1]);
	return status;
}
