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

-- ---------- the reviews feed ----------

CREATE FUNCTION cvm.review_rows(portfolio text, from_on date, to_on date)
RETURNS TABLE (customer text, reviewed_on date, rating float8, review text, source text, lowest float8, highest float8, direction text)
LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    scale record;
    f record;
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    SELECT s.* INTO scale FROM cvm.question_scale(jsonb_build_object('*', coalesce((cvm.own_portfolio(portfolio)).options -> 'review_scale', '{"lowest": 1, "highest": 5, "direction": "high"}')), '*') s;
    SELECT m.relation, m.columns, m.time_zone INTO f FROM cvm.measured_feed(portfolio, 'reviews') m;
    RETURN QUERY EXECUTE format('
        SELECT r.customer, r.at, CASE WHEN r.rating BETWEEN $3 AND $4 AND r.rating = floor(r.rating) THEN r.rating::float8 ELSE cvm.refuse_answer(''reviews'', r.customer, ''rating'', r.rating::float8, $3, $4) END,
               r.text, r.source, $3, $4, $5
        FROM (%s) r WHERE r.at >= $1 AND r.at < $2', cvm.measure_source('reviews', f.relation, f.columns, '{at,rating}', f.time_zone))
        USING from_on, to_on, scale.lowest, scale.highest, scale.direction;
END $$;
COMMENT ON FUNCTION cvm.review_rows(text, date, date) IS
'Rows of a portfolio''s reviews feed, days from_on <= reviewed_on < to_on in its time zone, on the scale of the option review_scale (1 to 5 stars unless set). Rows without time or rating are left out. 22003 for a rating that is fractional or off the scale; 42704 without such a feed, 42703, 42804, 42501.';

CREATE TYPE cvm.review_row AS (
    source text, is_total boolean, n bigint, mean float8, share_positive float8, positive_low float8, positive_high float8,
    bayesian_average float8, lower_bound float8, trend float8, trend_error float8, last_on date, reason text);
COMMENT ON TYPE cvm.review_row IS 'Reviews of a source: row of cvm.review_summary.';
COMMENT ON COLUMN cvm.review_row.source IS 'where the reviews stand; all is the total, unknown what says nothing';
COMMENT ON COLUMN cvm.review_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.review_row.n IS 'reviews';
COMMENT ON COLUMN cvm.review_row.mean IS 'mean rating';
COMMENT ON COLUMN cvm.review_row.share_positive IS 'share of ratings in the upper third of the scale (4 and 5 stars), 0 to 1';
COMMENT ON COLUMN cvm.review_row.positive_low IS 'lower end of its 95 % interval (Wilson 1927)';
COMMENT ON COLUMN cvm.review_row.positive_high IS 'upper end of it';
COMMENT ON COLUMN cvm.review_row.bayesian_average IS 'mean of the source and of ten reviews at the mean of all sources: ranks fairly where there are few (cvm.bayesian_average)';
COMMENT ON COLUMN cvm.review_row.lower_bound IS 'mean rating that is exceeded with 95 % probability, with one review of each rating as prior (cvm.rating_posterior)';
COMMENT ON COLUMN cvm.review_row.trend IS 'least-squares slope, rating points a year';
COMMENT ON COLUMN cvm.review_row.trend_error IS 'its standard error';
COMMENT ON COLUMN cvm.review_row.last_on IS 'day of the last review';
COMMENT ON COLUMN cvm.review_row.reason IS 'why a value is NULL: two days needed for a trend, three reviews for its error';

CREATE FUNCTION cvm.review_summary(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.review_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH row AS MATERIALIZED (SELECT r.*, coalesce(r.source, ''unknown'') AS part FROM cvm.review_rows($1, $2, $3) r),
        whole AS (SELECT avg(r.rating) AS mean FROM row r),
        fact AS (
            SELECT coalesce(r.part, ''all'') AS source, grouping(r.part) = 1 AS is_total, cvm.answers(r.rating, r.lowest, r.highest, r.direction) AS answers, sum(r.rating) AS total, max(r.reviewed_on) AS last_on,
                   cvm.trend(r.rating, r.reviewed_on::timestamp AT TIME ZONE ''UTC'') AS trend, cvm.trend_error(r.rating, r.reviewed_on::timestamp AT TIME ZONE ''UTC'') AS trend_error
            FROM row r GROUP BY GROUPING SETS ((), (r.part))
        )
        SELECT f.source, f.is_total, cvm.n(f.answers), cvm.mean(f.answers), cvm.score(p.answers), i.low, i.high, cvm.bayesian_average(f.total, cvm.n(f.answers), w.mean, 10), q.low,
               f.trend, f.trend_error, f.last_on,
               nullif(concat_ws('', '', CASE WHEN f.trend IS NULL THEN ''two days needed for a trend'' END, CASE WHEN f.trend_error IS NULL THEN ''three reviews for its error'' END), '''')
        FROM fact f CROSS JOIN whole w
        CROSS JOIN LATERAL (SELECT cvm.with_measure(f.answers, ''top-'' || (cvm.highest(f.answers) - cvm.lowest(f.answers) - floor((cvm.highest(f.answers) - cvm.lowest(f.answers)) * 2 / 3.0))) AS answers) p
        LEFT JOIN LATERAL cvm.score_interval(p.answers) i ON true LEFT JOIN LATERAL cvm.rating_posterior(f.answers) q ON true
        WHERE f.answers IS NOT NULL ORDER BY f.is_total DESC, f.source COLLATE "C"' USING portfolio, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.review_summary(text, date, date) IS
'Reviews of a portfolio in a window, in all and by source: mean, share of positive ones with its interval, averages that rank fairly where there are few reviews, trend. No rows without reviews. Errors as cvm.review_rows.';

CREATE FUNCTION cvm.review_summary_report(portfolio text) RETURNS SETOF cvm.review_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'reviews', 12) w, LATERAL cvm.review_summary(portfolio, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.review_summary_report(text) IS 'Report review_summary: cvm.review_summary of the last 12 months and the one of the published as_of.';

CREATE FUNCTION cvm.review_language(options jsonb) RETURNS regconfig
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := cvm.option_text(options, 'review_language', 'simple');
    found oid := (SELECT min(c.oid::bigint)::oid FROM pg_ts_config c WHERE c.cfgname = wanted::name OR c.oid::regconfig::text = wanted);
BEGIN
    IF found IS NULL THEN
        PERFORM cvm.bad_option('review_language', to_jsonb(wanted), 'a text search configuration, such as "english" (\dF in psql lists them)');
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION cvm.review_language(jsonb) IS 'Text search configuration of the option review_language, simple where it is not set; 22023 unless there is one of that name.';

CREATE FUNCTION cvm.review_search(portfolio text, query text, from_on date DEFAULT '0001-01-01', to_on date DEFAULT '9999-12-31')
RETURNS TABLE (customer text, reviewed_on date, rating float8, source text, review text, relevance real)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE '
        SELECT r.customer, r.reviewed_on, r.rating, r.source, r.review, ts_rank(v.v, q.q)
        FROM cvm.review_rows($1, $3, $4) r, websearch_to_tsquery($5, $2) AS q(q), LATERAL to_tsvector($5, r.review) AS v(v)
        WHERE v.v @@ q.q ORDER BY ts_rank(v.v, q.q) DESC, r.reviewed_on DESC, r.customer'
        USING portfolio, query, from_on, to_on, cvm.review_language((cvm.own_portfolio(portfolio)).options);
END $$;
COMMENT ON FUNCTION cvm.review_search(text, text, date, date) IS
'Reviews whose text matches a query as typed into a search box (websearch_to_tsquery: words, "phrases", or, -not), best first, in the language of the option review_language. The column text must be mapped. Errors as cvm.review_rows.';

CREATE FUNCTION cvm.review_mentions(portfolio text, query text, from_on date DEFAULT '0001-01-01', to_on date DEFAULT '9999-12-31',
    OUT n bigint, OUT mentioning bigint, OUT share float8, OUT low float8, OUT high float8, OUT mean_mentioning float8, OUT mean_others float8,
    OUT difference float8, OUT difference_low float8, OUT difference_high float8, OUT reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    language regconfig := cvm.review_language((cvm.own_portfolio(portfolio)).options);
BEGIN
    -- what nobody can mention has no share: 0 would say that nobody did
    IF coalesce(numnode(websearch_to_tsquery(language, query)), 0) = 0 THEN
        SELECT count(*) INTO n FROM cvm.review_rows(portfolio, from_on, to_on) r WHERE r.review IS NOT NULL;
        reason := 'no word to look for';
        RETURN;
    END IF;
    EXECUTE '
        WITH row AS MATERIALIZED (
            SELECT r.rating, to_tsvector($5, r.review) @@ websearch_to_tsquery($5, $2) AS mentions FROM cvm.review_rows($1, $3, $4) r WHERE r.review IS NOT NULL)
        SELECT count(*), count(*) FILTER (WHERE r.mentions), avg(r.mentions::integer)::float8, (cvm.score_interval(cvm.with_measure(cvm.answers(r.mentions::integer, 0, 1, ''high''), ''top-1''))).*,
               avg(r.rating) FILTER (WHERE r.mentions), avg(r.rating) FILTER (WHERE NOT r.mentions), d.difference, d.low, d.high, CASE WHEN count(*) = 0 THEN ''no reviews with text'' ELSE d.reason END
        FROM row r CROSS JOIN (SELECT (cvm.difference_in_means(e.mentions, e.rating)).* FROM row e) d GROUP BY d.difference, d.low, d.high, d.reason'
        INTO n, mentioning, share, low, high, mean_mentioning, mean_others, difference, difference_low, difference_high, reason
        USING portfolio, query, from_on, to_on, language;
    IF n IS NULL THEN
        n := 0;
        mentioning := 0;
        reason := 'no reviews with text';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.review_mentions(text, text, date, date) IS
'Share of the reviews with text that match a query (cvm.review_search), with its 95 % interval (Wilson 1927), and the mean ratings of those and of the others with the interval of their difference (Welch 1947). All NULL for a query without a word, such as stop words alone. reason says why a value is NULL. Errors as cvm.review_rows.';
