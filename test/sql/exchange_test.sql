-- exchange: models in the names of lifetimes, CLVTools and PyMC-Marketing
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;

-- what each library calls the parameters of the CDNOW models (its own documentation)
SELECT style, cvm.export_model('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', style)
FROM unnest('{lifetimes,CLVTools,PyMC-Marketing}'::text[]) AS style;
SELECT style, cvm.export_model('gamma-gamma(p=6.25,q=3.74,gamma=15.44)', style)
FROM unnest('{lifetimes,CLVTools,PyMC-Marketing}'::text[]) AS style;
SELECT cvm.export_model('pareto/nbd(r=.5534,alpha=10.5802,s=.6061,beta=11.6562) unit=86400', 'CLVTools');

-- and back: values as they are printed in the libraries' own guides
SELECT cvm.import_model('{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}', 'lifetimes');
SELECT cvm.import_model('{"p": 6.25, "q": 3.74, "v": 15.44}', 'PyMC-Marketing');
SELECT cvm.import_model('{"r": 0.55, "alpha": 10.58, "s": 0.61, "beta": 11.67}', 'clvtools', '1 day');
SELECT cvm.import_model('{"model": "ModifiedBetaGeoFitter", "r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}', 'lifetimes');
SELECT cvm.import_model('{"alpha": 0.668, "beta": 3.806}', 'pymc-marketing');
-- CLVTools climbs logarithms
SELECT abs((cvm.parameters(cvm.import_model('{"log.r": -1.41469, "log.alpha": 1.48478, "log.a": -0.23193, "log.b": 0.88625}', 'CLVTools')) ->> 'alpha')::float8
           / exp(1.48478) - 1) < 1e-14 AS alpha_is_exp;
-- the numbers mean the same: lifetimes' own test has 6.2528722475745 purchases in 10 for (133, 200, 200)
SELECT abs(cvm.expected_purchases(cvm.import_model('{"r": 0.55, "alpha": 10.58, "s": 0.61, "beta": 11.67}', 'lifetimes'), 133, 200, 200, 10) - 6.2528722475745) < 1e-9 AS as_lifetimes;

-- round trips, to the last bit, of every family that a library has
WITH models(model) AS (VALUES
    ('bg/nbd(r=0.24259452243015711,alpha=4.413602019013507,a=0.79292201722559367,b=2.4259067768263156) unit=86400'::cvm.model),
    ('mbg/nbd(r=0.1,alpha=1e-5,a=3e100,b=0.3333333333333333) unit=3600'), ('pareto/nbd(r=0.5532770468531844,alpha=10.577683463302375,s=0.6062399891278164,beta=11.668735288854633)'),
    ('bg/bb(alpha=1.204,beta=0.750,gamma=0.657,delta=2.783) unit=31557600'), ('gamma-gamma(p=6.249572,q=3.744225,gamma=15.443521)'), ('sbg(alpha=0.668,beta=3.806)'))
SELECT n.style, count(*) AS families,
       count(*) FILTER (WHERE cvm.import_model(cvm.export_model(m.model, n.style), n.style) OPERATOR(cvm.<>) m.model) AS changed
FROM models m JOIN cvm.exchange_names() n ON n.family = cvm.family(m.model) GROUP BY n.style ORDER BY n.style;
-- without a time unit it is a week, but of opportunities nobody said how long they are
SELECT cvm.import_model(p, 'lifetimes') AS model, cvm.import_model(p, 'lifetimes', '7 days') AS with_unit, cvm.import_model(p || '{"time_unit": "1 day"}', 'lifetimes') AS named,
       cvm.import_model(cvm.export_model(cvm.import_model(p, 'lifetimes'), 'lifetimes'), 'lifetimes') AS there_and_back
FROM (VALUES ('{"r": 0.25, "alpha": 4.5, "a": 0.75, "b": 2.5}'::jsonb), ('{"alpha": 1.25, "beta": 0.75, "gamma": 0.5, "delta": 2.75}')) v(p);
-- names are listed in pairs, and their families exist
SELECT count(*) AS wrong FROM cvm.exchange_names() n
WHERE cardinality(n.ours) <> cardinality(n.theirs)
   OR NOT EXISTS (SELECT FROM cvm.families f WHERE f.family = n.family AND f.parameters = n.ours);

-- what is refused
SELECT cvm.import_model('{"alpha": 1.25, "beta": 0.75, "gamma": 0, "delta": 2.75}', 'lifetimes');
SELECT cvm.export_model('bg/nbd(r=1,alpha=1,a=1,b=1)', 'excel');
SELECT cvm.export_model('mbg/nbd(r=1,alpha=1,a=1,b=1)', 'CLVTools');
SELECT cvm.export_model('bdw(gamma=1,delta=1,c=1)', 'lifetimes');
SELECT cvm.import_model('{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": -2.426}', 'lifetimes');
SELECT cvm.import_model('{"r": 0, "alpha": 4.414, "a": 0.793, "b": 2.426}', 'lifetimes');
SELECT cvm.import_model('{"r": 1e400, "alpha": 4.414, "a": 0.793, "b": 2.426}', 'lifetimes');
SELECT cvm.import_model('{"log.r": 800, "log.alpha": 1, "log.a": 0, "log.b": 0}', 'CLVTools');
SELECT cvm.import_model('{"r": 0.243, "alpha": 4.414, "a": 0.793}', 'lifetimes');
SELECT cvm.import_model('{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": "2.426"}', 'lifetimes');
SELECT cvm.import_model('{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": null}', 'lifetimes');
SELECT cvm.import_model('{"model": "BetaGeoFitter", "r": 0.243, "alpha": 4.414, "a": 0.793, "b": 1, "c": 2}', 'lifetimes');
SELECT cvm.import_model('{"model": "LinearRegression", "r": 1}', 'lifetimes');
SELECT cvm.import_model('{"p": 6.25, "q": 3.74, "gamma": 15.44}', 'lifetimes');
SELECT cvm.import_model('{}', 'lifetimes');
SELECT cvm.import_model('[1, 2]', 'lifetimes');
SELECT cvm.import_model('{"r": 1, "alpha": 1, "a": 1, "b": 1}', 'excel');
SELECT cvm.import_model('{"r": 1, "alpha": 1, "a": 1, "b": 1, "time_unit": "soon"}', 'lifetimes');
SELECT cvm.import_model('{"r": 1, "alpha": 1, "a": 1, "b": 1}', 'lifetimes', '-1 day');
SELECT cvm.import_model('{"r": 1, "alpha": 1, "a": 1, "b": 1}', 'lifetimes', NULL) IS NULL AS no_unit, cvm.export_model(NULL, 'lifetimes') IS NULL AS no_model;
