/*
 * fit.h: what a climb of the likelihood knows, for the files of the fit alone
 * (fit.c climbs, ladder.c says from what rung to what rung).
 */
#ifndef CVM_MODELS_FIT_H
#define CVM_MODELS_FIT_H

#include "math/optimise.h"
#include "models/table.h"

#define CVM_RUNAWAY 1e6			/* scaled parameters beyond this, or below its inverse, have no maximum */
#define CVM_MAX_STARTS 10

typedef struct cvm_climb
{
	const cvm_family *family;
	const cvm_table *table;
	const cvm_env *env;
	int			n;				/* parameters that are climbed */
	int			climbed[CVM_MAX_PARAMS];	/* ... their numbers, ascending */
	double		held[CVM_MAX_PARAMS];	/* the others; held[0] is the searched one, where there is one */
	double		scale[CVM_MAX_PARAMS];	/* of climbed parameters: natural = scaled * scale */
	double		precision;		/* of the normal prior of ln scaled parameters; 0 for none */
	double		centre[CVM_MAX_PARAMS]; /* its mean */
} cvm_climb;

/*
 * Climbs those parameters that `held` (one for each of the family; NULL: all but
 * a searched one) has 0 for.
 */
extern void cvm_climb_begin(cvm_climb *p, const cvm_family *family, const cvm_table *table,
							const cvm_env *env, const double *held);

/* Starting points, as logarithms of scaled parameters. */
extern int	cvm_climb_starts(const cvm_climb *p, double starts[][CVM_MAX_PARAMS]);

/* The best of the climbs from several starts; *best stays at -INFINITY if none succeeds. */
extern cvm_status cvm_climb_from(cvm_climb *p, double starts[][CVM_MAX_PARAMS], int n_starts, cvm_maximum *best);

/* The best of the whole table and of all values of the searched parameter, by way of a sample where it is big. */
extern cvm_status cvm_climb_table(cvm_climb *p, cvm_maximum *best);

/* About `wanted` rows of the table, standing for all of it if `scaled` (and where few have come back, all of whom it has). */
extern cvm_status cvm_climb_sample(const cvm_climb *p, size_t wanted, bool scaled, cvm_table **out);

/* An interior maximum: nothing ran away, and the Hessian is negative definite. */
extern bool cvm_climb_is_interior(const cvm_climb *p, const cvm_maximum *found);

/* Where to begin again from a point that ran away. */
extern void cvm_climb_turn_back(const cvm_climb *p, double *at);

/* Natural parameters, all of them, at a point; what the prior takes off there. */
extern void cvm_climb_natural(const cvm_climb *p, const double *at, double *theta);
extern double cvm_climb_penalty(const cvm_climb *p, const double *at);

#endif
