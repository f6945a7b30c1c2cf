/*
 * kmeans.h: k-means clustering.  Plain C.
 */
#ifndef CVM_MATH_KMEANS_H
#define CVM_MATH_KMEANS_H

#include <stdbool.h>
#include <stdint.h>

#include "math/random.h"

typedef struct cvm_kmeans
{
	const double *points;		/* n x d */
	int			n;
	int			d;
	int			k;
	int		   *cluster;		/* n: the result, 0 .. k - 1 */
	double	   *centres;		/* k x d: the result */
	double	   *distance;		/* n: squared distance to the own centre */
	double	   *sums;			/* k x d scratch */
	int		   *counts;			/* k scratch */
	bool		(*cancelled) (void *context);	/* may be NULL */
	void	   *context;
} cvm_kmeans;

typedef enum cvm_kmeans_status
{
	CVM_KMEANS_OK,
	CVM_KMEANS_TOO_FEW,			/* fewer distinct points than clusters */
	CVM_KMEANS_CANCELLED
} cvm_kmeans_status;

/* One run from a random start, down to assignments that do not change; the sum of squares within clusters. */
extern cvm_kmeans_status cvm_kmeans_run(cvm_kmeans *run, cvm_rng *rng, double *within);

#endif
