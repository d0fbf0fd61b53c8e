// Questions about the flights, of the kinds that ClickBench asks of its one wide table: counts, distincts, tops, groups of
// few and of many, text, time.

/** @type {[string, string][]} */
export const flightsStatements = [
  ['count', 'SELECT count(*) FROM flights'],
  ['count-where', 'SELECT count(*) FROM flights WHERE delay <> 0'],
  ['sum-avg', 'SELECT sum(distance), count(*), avg(delay) FROM flights'],
  ['distinct', 'SELECT count(DISTINCT origin) FROM flights'],
  ['min-max', 'SELECT min(date), max(date) FROM flights'],
  ['group-few', 'SELECT origin, count(*) FROM flights GROUP BY origin ORDER BY count(*) DESC LIMIT 10'],
  [
    'group-pairs',
    'SELECT origin, destination, count(*) AS n, avg(delay) FROM flights GROUP BY origin, destination ORDER BY n DESC LIMIT 10',
  ],
  [
    'group-many',
    'SELECT distance, delay, count(*) AS n FROM flights GROUP BY distance, delay ORDER BY n DESC, distance, delay LIMIT 10',
  ],
  [
    'distinct-by',
    'SELECT origin, count(DISTINCT destination) AS u FROM flights GROUP BY origin ORDER BY u DESC LIMIT 10',
  ],
  ['point', "SELECT date, delay FROM flights WHERE origin = 'LAX' AND destination = 'HDN'"],
  ['like', "SELECT count(*) FROM flights WHERE destination LIKE 'L%'"],
  [
    'like-inside',
    "SELECT origin, min(destination), count(*) AS n FROM flights WHERE destination LIKE '%A%' GROUP BY origin ORDER BY n DESC LIMIT 10",
  ],
  ['top', 'SELECT origin, destination, distance FROM flights ORDER BY distance DESC, origin, destination LIMIT 10'],
  ['top-by-time', 'SELECT date, origin FROM flights ORDER BY date, origin LIMIT 10'],
  [
    'by-day',
    "SELECT date_trunc('day', date) AS day, count(*) FROM flights GROUP BY date_trunc('day', date) ORDER BY day",
  ],
  [
    'range',
    "SELECT origin, count(*) AS n FROM flights WHERE date >= TIMESTAMP '2001-02-01' AND date < TIMESTAMP '2001-02-15' GROUP BY origin ORDER BY n DESC LIMIT 10",
  ],
  [
    'having',
    'SELECT origin, avg(delay) AS late FROM flights GROUP BY origin HAVING count(*) > 10000 ORDER BY late DESC LIMIT 25',
  ],
  [
    'case',
    'SELECT CASE WHEN delay > 15 THEN 1 ELSE 0 END AS late, count(*) FROM flights GROUP BY CASE WHEN delay > 15 THEN 1 ELSE 0 END ORDER BY late',
  ],
  [
    'wide-sums',
    'SELECT sum(distance), sum(distance + 1), sum(distance + 2), sum(delay), sum(delay + 1), sum(delay + 2) FROM flights',
  ],
  [
    'offset',
    'SELECT origin, destination, count(*) AS n FROM flights WHERE delay > 60 GROUP BY origin, destination ORDER BY n DESC, origin, destination LIMIT 10 OFFSET 100',
  ],
];
