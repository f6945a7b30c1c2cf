/*
 * pareto_fit.h: the parts of the kernel of Pareto/NBD (pareto_fit.c says what
 * they compute).  Plain C.
 */
#ifndef CVM_MODELS_PARETO_FIT_H
#define CVM_MODELS_PARETO_FIT_H

#include "models/pareto.h"

#define FIRST 5					/* value and first derivatives */
#define ALL 16					/* and second ones (and one left empty, for speed) */
#define NODES 16

enum
{
	R, ALPHA, S, BETA, N_PARAMS
};

/* The customers of one x. */
typedef struct cvm_pareto
{
	const double *theta;
	double		x;
	double		log_scale;		/* x ln alpha */
	double		least;			/* min(alpha, beta) */
	cvm_race	race;			/* for the width of panels */
} cvm_pareto;

/* What the derivatives of ln D at an instant y are made of. */
typedef struct cvm_instant
{
	double		log_alpha;		/* ln(1 + y / alpha) */
	double		log_beta;
	double		share_alpha;	/* alpha / (alpha + y) */
	double		share_beta;
} cvm_instant;

extern cvm_pareto cvm_pareto_of(const double *theta, double x);
extern cvm_instant cvm_pareto_instant(const double *theta, double y);

static inline double
log_d(const cvm_pareto *p, const cvm_instant *at)
{
	return -p->race.r * at->log_alpha - p->race.s * at->log_beta - p->log_scale;
}

/* v = ln(1 + y / least) of an instant */
static inline double
v_of(const cvm_pareto *p, const cvm_instant *at)
{
	return p->race.alpha <= p->race.beta ? at->log_alpha : at->log_beta;
}

/*
 * d with its derivatives by the logarithms of the parameters: D itself (leaving
 * = 0), or f (leaving = 1).  Order: value; r, alpha, s, beta; rr, r alpha, rs,
 * r beta, alpha alpha, alpha s, alpha beta, ss, s beta, beta beta.
 */
extern void cvm_pareto_derive(const cvm_pareto *p, const cvm_instant *at, int leaving, double d, double *out);

/* f dy / dv over e^reference, with its derivatives, at v; returns D over the same */
extern double cvm_pareto_density(const cvm_pareto *p, double v, double reference, double *out);

/* A stretch of v in which F / D and its derivatives are tabulated. */
typedef struct cvm_panel
{
	double		from,
				to;				/* in v */
	double		coefficient[NODES][ALL];	/* of Chebyshev polynomials */
	double		weight[NODES];	/* of the polynomials, summed over customers */
} cvm_panel;

/* The table of one x. */
typedef struct cvm_tails
{
	cvm_panel  *panels;			/* room for CVM_PANELS */
	int			n_panels;
	cvm_panel  *latest;			/* asked for */
	bool		ready;			/* the nodes and the two matrices are filled */
	double		node[NODES];	/* cos(pi k / 15): from right to left */
	double		to_end[NODES][NODES];	/* [j][k]: int_(u_k)^1 of the j-th Lagrange polynomial */
	double		transform[NODES][NODES];	/* [k][m]: values to coefficients */
} cvm_tails;

#define CVM_PANELS 128

/* Where a span or an age lies in the table. */
typedef struct cvm_spot
{
	cvm_panel  *panel;
	double		polynomial[NODES];	/* Chebyshev polynomials there */
} cvm_spot;

/* Tabulate from v = from to the end, where F = 0; false, and nothing done, if that does not pay for so many rows. */
extern bool cvm_tails_build(cvm_tails *t, const cvm_pareto *p, double from, double to, size_t rows);

extern void cvm_tails_locate(cvm_tails *t, double v, cvm_spot *at);

/* F / D and its first derivatives */
extern void cvm_tails_read(const cvm_spot *at, double *tail);

/* So much of the second derivatives of F / D is wanted there ... */
extern void cvm_tails_demand(const cvm_spot *at, double weight);

/* ... and what all that was demanded comes to. */
extern void cvm_tails_collect(const cvm_tails *t, double *second);

#endif
