/*
 * registry.c: the list of families.  A new model is one file and one line here.
 *
 * Fallbacks are what the last rung of the ladder ends in (ladder.c): a model of
 * one is read and scored like any other, but nobody is offered to choose it.
 */
#include "models/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cvm_family *const families[] = {
	&cvm_bg_nbd,
	&cvm_mbg_nbd,
	&cvm_pareto_nbd,
	&cvm_bg_cnbd_k,
	&cvm_mbg_cnbd_k,
	&cvm_bg_bb,
	&cvm_gamma_gamma,
	&cvm_sbg,
	&cvm_bdw,
};

static const cvm_family *const fallbacks[] = {
	&cvm_shrunk_rate,
};

const char *const cvm_rung_names[CVM_N_RUNGS] = {"full", "penalised", "simpler", "shrunk"};

const cvm_family *
cvm_family_at(int i)
{
	if (i < 0 || i >= (int) (sizeof(families) / sizeof(families[0])))
		return NULL;
	return families[i];
}

const cvm_family *
cvm_family_find(const char *name)
{
	const cvm_family *family;

	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
		if (strcmp(family->name, name) == 0)
			return family;
	for (size_t i = 0; i < sizeof(fallbacks) / sizeof(fallbacks[0]); i++)
		if (strcmp(fallbacks[i]->name, name) == 0)
			return fallbacks[i];
	return NULL;
}

bool
cvm_in_domain(const cvm_family *family, const double *theta)
{
	for (int i = 0; i < family->n_params; i++)
		if (!(theta[i] > 0 && isfinite(theta[i])))
			return false;
	return family->searched == 0 || (theta[0] == floor(theta[0]) && theta[0] <= family->searched);
}

static void *
plain_alloc(void *context, size_t size)
{
	(void) context;
	return malloc(size);
}

static void
plain_release(void *context, void *pointer)
{
	(void) context;
	free(pointer);
}

const cvm_env cvm_plain_env = {plain_alloc, plain_release, NULL, NULL};
