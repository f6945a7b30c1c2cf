-- review: ratings ranked fairly where some have few reviews, and their trend (src/metric/review.c)
--
-- Sorting by the plain mean puts one review of five stars first.  What helps is to add
-- reviews that everything starts from.

CREATE FUNCTION cvm.bayesian_average(total float8, n float8, prior_mean float8, prior_n float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cvm.argument('prior_n', prior_n, 0) * cvm.argument('prior_mean', prior_mean) + cvm.argument('total', total))
       / nullif(prior_n + cvm.argument('n', n, 0), 0);
COMMENT ON FUNCTION cvm.bayesian_average(float8, float8, float8, float8) IS
'Mean of n ratings that sum to total, with prior_n ratings of prior_mean added: (prior_n x prior_mean + total) / (prior_n + n). Usual are the mean of all ratings and the median number of reviews; both are choices. NULL for n = prior_n = 0 or a NULL argument; 22023 for negative numbers of ratings.';

CREATE FUNCTION cvm.bayesian_average(answers cvm.answers, prior_mean float8, prior_n float8) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN cvm.bayesian_average(coalesce(cvm.mean(answers), 0) * cvm.effective_n(answers), cvm.effective_n(answers),
                            cvm.argument('prior_mean', prior_mean, cvm.lowest(answers), cvm.highest(answers)), prior_n);
COMMENT ON FUNCTION cvm.bayesian_average(cvm.answers, float8, float8) IS
'Mean answer with prior_n answers of prior_mean added; that is prior_mean where there are no answers. 22023 for a prior_mean off the scale or a negative prior_n.';

CREATE FUNCTION cvm.rating_posterior(
    answers cvm.answers, prior float8 DEFAULT 1, confidence float8 DEFAULT 0.95,
    OUT mean float8, OUT standard_deviation float8, OUT low float8
) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rating_posterior';
COMMENT ON FUNCTION cvm.rating_posterior(cvm.answers, float8, float8) IS
'What the mean rating is believed to be when prior reviews of each answer are added to the counts (Dirichlet distribution; Gelman et al. 2013, section 3.4): mean, standard deviation, and low, above which it is with this confidence (one-sided, normal, not below the scale). Ranking by low puts the well-reviewed before the merely lucky. 22023 for a prior that is not positive or a confidence outside (0, 1).';

CREATE FUNCTION cvm.share_posterior(
    positive float8, negative float8, prior_positive float8 DEFAULT 1, prior_negative float8 DEFAULT 1, confidence float8 DEFAULT 0.95,
    OUT mean float8, OUT low float8
) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_share_posterior';
COMMENT ON FUNCTION cvm.share_posterior(float8, float8, float8, float8, float8) IS
'What the share of positive reviews is believed to be when prior ones are added (beta distribution; Gelman et al. 2013, section 2.4): its mean, and low, above which it is with this confidence (one-sided). 22023 for negative counts, priors that are not positive or a confidence outside (0, 1).';

CREATE FUNCTION cvm.trend_accum(state float8[], rating float8, at timestamptz) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_trend_accum';
COMMENT ON FUNCTION cvm.trend_accum(float8[], float8, timestamptz) IS 'Transition function of cvm.trend and cvm.trend_error.';
CREATE FUNCTION cvm.trend_error_final(float8[]) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_trend_error_final';
COMMENT ON FUNCTION cvm.trend_error_final(float8[]) IS 'Final function of cvm.trend_error.';

CREATE AGGREGATE cvm.trend(rating float8, at timestamptz) (
    SFUNC = cvm.trend_accum, STYPE = float8[], INITCOND = '{0,0,0,0,0,0}',
    COMBINEFUNC = pg_catalog.float8_regr_combine, FINALFUNC = pg_catalog.float8_regr_slope, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.trend(float8, timestamptz) IS
'Trend of ratings: slope of the least-squares line in rating points per year of 365.25 days; rows with a NULL are left out. A line through all ratings: who reviews may have changed, not what they think. NULL for fewer than two times; 22003 for what is not finite. Read it beside cvm.trend_error.';
CREATE AGGREGATE cvm.trend_error(rating float8, at timestamptz) (
    SFUNC = cvm.trend_accum, STYPE = float8[], INITCOND = '{0,0,0,0,0,0}',
    COMBINEFUNC = pg_catalog.float8_regr_combine, FINALFUNC = cvm.trend_error_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.trend_error(float8, timestamptz) IS
'Standard error of cvm.trend, ratings taken as independent with a common variance: a trend within two of them may be chance. NULL for fewer than three ratings or one time only.';
