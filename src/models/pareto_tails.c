/*
 * pareto_tails.c: the integrand of the Pareto/NBD likelihood with its derivatives,
 * and the table of its integrals (see pareto_fit.c for what they are).
 *
 * The table is Chebyshev interpolation on 16 points a panel.  Within one, D changes
 * by a factor of e^DROP at most, which leaves an error of (DROP / 4)^16 / 16! = 6e-15;
 * the singularities, pi away in v, leave less.
 */
#include "models/pareto_fit.h"

#include <math.h>
#include <string.h>

#define WIDEST 1.2
#define DROP 3.5
#define WORTH 4					/* rows for which a panel pays */

cvm_pareto
cvm_pareto_of(const double *theta, double x)
{
	return (cvm_pareto) {
		.theta = theta, .x = x, .log_scale = x * log(theta[ALPHA]), .least = fmin(theta[ALPHA], theta[BETA]),
		.race = {theta[R] + x, theta[ALPHA], theta[S], theta[BETA]}
	};
}

cvm_instant
cvm_pareto_instant(const double *theta, double y)
{
	return (cvm_instant) {
		log1p(y / theta[ALPHA]), log1p(y / theta[BETA]),
		theta[ALPHA] / (theta[ALPHA] + y), theta[BETA] / (theta[BETA] + y)
	};
}

void
cvm_pareto_derive(const cvm_pareto *p, const cvm_instant *at, int leaving, double d, double *out)
{
	double		r = p->theta[R];
	double		s = p->theta[S];
	double		a = at->share_alpha;
	double		b = at->share_beta;
	double		by_r = -r * at->log_alpha;
	double		by_alpha = r - (r + p->x) * a;
	double		by_s = leaving - s * at->log_beta;
	double		by_beta = s - (s + leaving) * b;

	out[0] = d;
	out[1 + R] = d * by_r;
	out[1 + ALPHA] = d * by_alpha;
	out[1 + S] = d * by_s;
	out[1 + BETA] = d * by_beta;
	out[5] = d * (by_r * by_r + by_r);
	out[6] = d * (by_r * by_alpha + r * (1 - a));
	out[7] = d * by_r * by_s;
	out[8] = d * by_r * by_beta;
	out[9] = d * (by_alpha * by_alpha - (r + p->x) * a * (1 - a));
	out[10] = d * by_alpha * by_s;
	out[11] = d * by_alpha * by_beta;
	out[12] = d * (by_s * by_s - s * at->log_beta);
	out[13] = d * (by_s * by_beta + s * (1 - b));
	out[14] = d * (by_beta * by_beta - (s + leaving) * b * (1 - b));
	out[15] = 0;
}

double
cvm_pareto_density(const cvm_pareto *p, double v, double reference, double *out)
{
	double		y = p->least * expm1(v);
	double		alpha = p->theta[ALPHA];
	double		beta = p->theta[BETA];
	cvm_instant at = {
		alpha <= beta ? v : log1p(y / alpha), alpha <= beta ? log1p(y / beta) : v,
		alpha / (alpha + y), beta / (beta + y)
	};
	double		d = exp(log_d(p, &at) - reference);

	cvm_pareto_derive(p, &at, 1, d * p->theta[S] * (p->least + y) / (beta + y), out);
	return d;
}

/*
 * With T_m the Chebyshev polynomials and u_k = cos(pi k / 15):
 * int T_m = T_(m+1) / (2 (m + 1)) - T_(m-1) / (2 (m - 1)).
 */
static void
prepare_matrices(cvm_tails *t)
{
	const int	last = NODES - 1;
	double		cosine[2 * (NODES - 1)];

	for (int i = 0; i < 2 * last; i++)
		cosine[i] = cos(M_PI * i / last);
	for (int k = 0; k < NODES; k++)
		for (int m = 0; m < NODES; m++)
			t->transform[k][m] = cosine[m * k % (2 * last)] * 2 / last
				* (m == 0 || m == last ? 0.5 : 1) * (k == 0 || k == last ? 0.5 : 1);
	for (int k = 0; k < NODES; k++)
	{
		double		integral[NODES];	/* int_(u_k)^1 T_m */

		t->node[k] = cosine[k];
		integral[0] = 1 - cosine[k];
		integral[1] = 0.5 * (1 - cosine[k] * cosine[k]);
		for (int m = 2; m < NODES; m++)
			integral[m] = (1 - cosine[(m + 1) * k % (2 * last)]) / (2 * (m + 1))
				- (1 - cosine[(m - 1) * k % (2 * last)]) / (2 * (m - 1));
		for (int j = 0; j < NODES; j++)
		{
			t->to_end[j][k] = 0;
			for (int m = 0; m < NODES; m++)
				t->to_end[j][k] += t->transform[j][m] * integral[m];
		}
	}
	t->ready = true;
}

/* out[k] = sum_j matrix[j][k] in[j], for all functions at once */
static void
apply(const double matrix[NODES][NODES], double in[NODES][ALL], double out[NODES][ALL])
{
	for (int k = 0; k < NODES; k++)
	{
		double		sum[ALL] = {0};

		for (int j = 0; j < NODES; j++)
			for (int c = 0; c < ALL; c++)
				sum[c] += matrix[j][k] * in[j][c];
		memcpy(out[k], sum, sizeof(sum));
	}
}

/* F / D on a panel; `tail` is that at its right end, and becomes that at its left. */
static void
fill_panel(const cvm_tails *t, const cvm_pareto *p, cvm_panel *panel, double *tail)
{
	double		half = 0.5 * (panel->to - panel->from);
	cvm_instant at = cvm_pareto_instant(p->theta, p->least * expm1(panel->from));
	double		reference = log_d(p, &at);
	double		d[NODES];
	double		density[NODES][ALL];
	double		value[NODES][ALL];

	for (int k = 0; k < NODES; k++)
		d[k] = cvm_pareto_density(p, panel->from + half * (1 + t->node[k]), reference, density[k]);
	apply(t->to_end, density, value);
	for (int k = 0; k < NODES; k++)
		for (int c = 0; c < ALL; c++)
			value[k][c] = (half * value[k][c] + tail[c] * d[0]) / d[k];
	memset(panel->weight, 0, sizeof(panel->weight));
	apply(t->transform, value, panel->coefficient);
	memcpy(tail, value[NODES - 1], sizeof(value[0]));
}

/* Divide [from, to] into panels, and fill them from the end backwards. */
bool
cvm_tails_build(cvm_tails *t, const cvm_pareto *p, double from, double to, size_t rows)
{
	double		tail[ALL] = {0};

	t->n_panels = 0;
	for (double v = from; v < to; v = t->panels[t->n_panels++].to)
	{
		double		width = cvm_race_panel(&p->race, v, WIDEST, DROP);

		if (t->n_panels == CVM_PANELS || (size_t) (t->n_panels + 1) * WORTH > rows)
			return false;
		t->panels[t->n_panels].from = v;
		t->panels[t->n_panels].to = v + width < to ? v + width : to;
	}
	if (t->n_panels == 0)
		return false;
	t->latest = t->panels;
	if (!t->ready)
		prepare_matrices(t);
	for (int i = t->n_panels; i-- > 0;)
		fill_panel(t, p, &t->panels[i], tail);
	return true;
}

/*
 * Spans and ages come nearly in order, so that the panel is the latest or next to
 * it.  T_(m + 4) = 2 T_4 T_m - T_|m - 4| makes four chains that do not wait for one
 * another.
 */
void
cvm_tails_locate(cvm_tails *t, double v, cvm_spot *at)
{
	double	   *q = at->polynomial;
	cvm_panel  *p = t->latest;

	while (v > p->to && p < t->panels + t->n_panels - 1)
		p++;
	while (v < p->from && p > t->panels)
		p--;
	at->panel = t->latest = p;
	q[0] = 1;
	q[1] = 2 * (v - p->from) / (p->to - p->from) - 1;
	q[2] = 2 * q[1] * q[1] - 1;
	q[3] = q[1] * (2 * q[2] - 1);
	q[4] = 2 * q[2] * q[2] - 1;
	for (int m = 5; m < NODES; m++)
		q[m] = 2 * q[4] * q[m - 4] - q[m < 8 ? 8 - m : m - 8];
}

void
cvm_tails_read(const cvm_spot *at, double *tail)
{
	const double (*by)[ALL] = (const double (*)[ALL]) at->panel->coefficient;
	const double *t = at->polynomial;
	double		sum0 = 0,
				sum1 = 0,
				sum2 = 0,
				sum3 = 0,
				sum4 = 0;

	for (int m = 0; m < NODES; m++)
	{
		sum0 += t[m] * by[m][0];
		sum1 += t[m] * by[m][1];
		sum2 += t[m] * by[m][2];
		sum3 += t[m] * by[m][3];
		sum4 += t[m] * by[m][4];
	}
	tail[0] = sum0;
	tail[1] = sum1;
	tail[2] = sum2;
	tail[3] = sum3;
	tail[4] = sum4;
}

void
cvm_tails_demand(const cvm_spot *at, double weight)
{
	for (int m = 0; m < NODES; m++)
		at->panel->weight[m] += weight * at->polynomial[m];
}

void
cvm_tails_collect(const cvm_tails *t, double *second)
{
	memset(second, 0, ALL * sizeof(double));
	for (int k = 0; k < t->n_panels; k++)
		for (int m = 0; m < NODES; m++)
			for (int c = 0; c < ALL; c++)
				second[c] += t->panels[k].weight[m] * t->panels[k].coefficient[m][c];
}
