//! Rows, filters and masks by chance, the same ones every time.

use ambit_protocol::Column;
use datafusion::scalar::ScalarValue;

/// Numbers by chance.
pub struct Draw(u64);

/// How many pairs a run asks about, and by which seed: more of them by `AMBIT_DRAWN_PAIRS` and `AMBIT_DRAWN_SEED`.
pub fn asked(pairs: usize, seed: u64) -> (usize, u64) {
    let given = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    (
        given("AMBIT_DRAWN_PAIRS").map_or(pairs, |given: u64| usize::try_from(given).unwrap()),
        given("AMBIT_DRAWN_SEED").unwrap_or(seed),
    )
}

impl Draw {
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    pub fn of<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        values.get(self.below(values.len())).unwrap()
    }
}

pub fn columns() -> Vec<Column> {
    let column = |(name, data_type, nullable): (&str, &str, bool)| Column {
        name: name.into(),
        data_type: data_type.into(),
        nullable,
    };
    [
        ("n", "bigint", true),
        ("k", "int", false),
        ("s", "string", true),
        ("b", "boolean", true),
        ("d", "date", true),
        ("x", "double", true),
        ("t", "timestamp", true),
        ("p", "decimal(9, 2)", true),
    ]
    .into_iter()
    .map(column)
    .collect()
}

const DAY: i64 = 86_400_000_000;

/// Values where answers change: about the constants of filters, at the ends of types, before 1970.
pub fn rows(draw: &mut Draw, count: usize) -> Vec<Vec<ScalarValue>> {
    let numbers = [-9, -1, 0, 1, 3, 4, 5, 6, 7, 14, 15, 29, 30, 60, i64::MAX, i64::MIN];
    let small = [-7, -1, 0, 1, 2, 4, 5, 6, 10, i32::MAX, i32::MIN];
    let texts = [
        "", "a", "ab", "abc", "abd", "aB", "b", "ac", "a%", "CA", "NV", "ä", "äb", "zab\n", "a ", "a_b", "\\", "12",
        "p",
    ];
    let floats = [
        f64::NAN,
        -0.0,
        0.0,
        1.5,
        1.6,
        -1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        -f64::NAN,
        4.0,
    ];
    let prices = [0, 1, -1, 99, 100, 149, 150, 151, 400, 500, 999_999_999, -999_999_999];
    let instants = [
        0,
        1,
        -1,
        DAY,
        DAY - 1,
        31 * DAY,
        366 * DAY,
        -DAY,
        59_999_999,
        3_600_000_000,
        -31 * DAY - 7,
    ];
    macro_rules! column {
        ($variant:ident, $values:expr $(, $more:expr)*) => {
            (0..count)
                .map(|_| {
                    let null = draw.below(6) == 0;
                    ScalarValue::$variant((!null).then(|| (*draw.of(&$values)).into()) $(, $more)*)
                })
                .collect()
        };
    }
    let filled = |value: ScalarValue| {
        if value.is_null() {
            ScalarValue::Int32(Some(3))
        } else {
            value
        }
    };
    let k: Vec<ScalarValue> = column!(Int32, small);
    vec![
        column!(Int64, numbers),
        k.into_iter().map(filled).collect(),
        column!(Utf8View, texts),
        column!(Boolean, [true, false]),
        column!(Date32, [-1, 0, 1, 10, 31, 365, 11_000, -719_162]),
        column!(Float64, floats),
        column!(TimestampMicrosecond, instants, None),
        column!(Decimal128, prices, 9, 2),
    ]
}

const COMPARED: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];
const NUMBERS: [&str; 5] = ["0", "1", "4", "5", "6"];
const TEXTS: [&str; 6] = ["'a'", "'ab'", "'abc'", "'b'", "'CA'", "''"];
const DAYS: [&str; 3] = ["DATE '1970-01-01'", "DATE '1970-01-11'", "DATE '1970-02-01'"];
const INSTANTS: [&str; 3] = [
    "TIMESTAMP '1970-01-01 00:00:00'",
    "TIMESTAMP '1970-01-02 00:00:00'",
    "TIMESTAMP '1969-12-31 12:00:00'",
];
const FIXED: [&str; 53] = [
    "x IN (CAST(n AS DOUBLE), 1.5)",
    "CAST(p AS DECIMAL(9, 1)) = 1.5",
    "s NOT IN ('a', NULL)",
    "s = NULL",
    "n IS DISTINCT FROM NULL",
    "s IS NOT DISTINCT FROM 'a'",
    "s IN ($claims.state, 'p', 'b', 'NV')",
    "s IN ('CA', 'a', 'abc', 'zz')",
    "s NOT IN ($claims.state, 'p', 'b', 'NV')",
    "s NOT IN ('CA', 'a', 'abc', 'zz')",
    "left(s, 1) IN ('a', $claims.state)",
    "n NOT IN (k, 5)",
    "n IN (1, 4, 5, 6, $claims.level)",
    "n BETWEEN 5 AND 1",
    "k BETWEEN $claims.level AND 5",
    "d = $claims.day",
    "d < $claims.day AND d > DATE '1970-01-01'",
    "CAST(t AS DATE) = DATE '1970-01-01'",
    "CAST(n AS INT) > 4",
    "t >= d",
    "s LIKE 'a\\_%'",
    "s LIKE ''",
    "CASE s WHEN 'a' THEN b WHEN $claims.state THEN n > 4 END",
    "CASE x WHEN 0.0 THEN TRUE WHEN 1.5 THEN b END",
    "CASE WHEN k <> 0 THEN 10 / k = 2 ELSE FALSE END",
    "p + 1.5 > 3",
    "date_part('year', t) = 1970",
    "b",
    "NOT b",
    "b IS TRUE",
    "b IS NOT FALSE",
    "b IS UNKNOWN",
    "n IS NULL",
    "n IS NOT NULL",
    "s IS NOT NULL",
    "s LIKE 'a%'",
    "s LIKE 'ab%'",
    "s LIKE '%b%'",
    "s NOT LIKE 'a%'",
    "s LIKE 'a_'",
    "s ILIKE 'AB%'",
    "starts_with(s, 'a')",
    "s = $claims.state",
    "s IN ($claims.state, 'NV')",
    "n < $claims.level",
    "n = $claims.level",
    "k < $claims.level",
    "s = $tenant",
    "CASE WHEN b THEN n > 1 ELSE k < 5 END",
    "10 / k = 2",
    "CAST(s AS BIGINT) > 1",
    "x IN (0.0, 1.5)",
    "CAST(NULL AS BOOLEAN)",
];

/// A condition.
fn atom(draw: &mut Draw) -> String {
    let (op, number, other) = (*draw.of(&COMPARED), *draw.of(&NUMBERS), *draw.of(&NUMBERS));
    let (text, day, instant) = (*draw.of(&TEXTS), *draw.of(&DAYS), *draw.of(&INSTANTS));
    let (not, level) = (*draw.of(&["", "NOT "]), *draw.of(&[number, "$claims.level"]));
    match draw.below(42) {
        0..=3 => format!("n {op} {number}"),
        4 => format!("n IN ({number}, {other})"),
        5 => format!("n NOT IN ({number}, {other}, 14)"),
        6 => format!("n BETWEEN {number} AND {other}"),
        7 => format!("k {op} {number}"),
        8 => format!("n {op} k"),
        9 => format!("k * 2 {op} {number}"),
        10 => format!("n + 1 {op} {number}"),
        11 => format!("s {op} {text}"),
        12 => format!("s IN ({text}, 'abd', 'NV')"),
        13 => format!("left(s, 1) {op} {text}"),
        14 => format!("d {op} {day}"),
        15 => format!("t {op} {instant}"),
        16 => format!("date_trunc('day', t) {op} {instant}"),
        17 => format!("x {op} {}", draw.of(&["0.0", "1.5", "-1.5"])),
        18 => format!("n IS DISTINCT FROM {number}"),
        19 => "n IS NOT DISTINCT FROM k".into(),
        20 => format!("coalesce(n, 0) {op} {number}"),
        21 => format!("n % 2 {op} 0"),
        22 => format!("s {op} $claims.state"),
        23 => format!("n IN ({number}, NULL)"),
        24 => format!("p {op} {}", draw.of(&["1.5", "1.505", "0", "4", "9999999.99"])),
        25 => format!("p IN ({number}, 1.50)"),
        26 => format!("date_trunc('month', t) {op} {instant}"),
        27 => format!("n {op} $claims.level"),
        28 => format!("CAST(k AS BIGINT) - n {op} {number}"),
        29 => format!("CAST(k AS DOUBLE) {op} {number}"),
        30 => format!("10 / k {op} {number}"),
        31 => format!("s {not}IN ($claims.state, {text}, 'p', 'NV')"),
        32 => format!("s {not}IN ({text}, 'CA', 'a', 'zz')"),
        33 => format!("CAST(p AS BIGINT) {op} {level}"),
        _ => (*draw.of(&FIXED)).to_string(),
    }
}

/// A filter of so many levels.
pub fn filter(draw: &mut Draw, levels: usize) -> String {
    if levels == 0 {
        return atom(draw);
    }
    let (one, other) = (filter(draw, levels - 1), filter(draw, 0));
    match draw.below(9) {
        0..=3 => format!("({one}) AND ({other})"),
        4..=6 => format!("({one}) OR ({other})"),
        7 => format!("NOT ({one})"),
        _ => format!(
            "({one}) {}",
            draw.of(&["IS TRUE", "IS NOT FALSE", "IS NOT TRUE", "IS NOT UNKNOWN"])
        ),
    }
}

/// Filters, some of them made of others, and some next to others: with another constant or another comparison.
pub fn filters(draw: &mut Draw, count: usize) -> Vec<String> {
    let mut all: Vec<String> = vec!["TRUE".into(), "FALSE".into()];
    while all.len() < count {
        let levels = draw.below(3);
        let one = filter(draw, levels);
        let old = draw.of(&all).clone();
        // What is made of what was made does not grow without end.
        let old = if old.len() > LONGEST { one.clone() } else { old };
        all.push(match draw.below(8) {
            0 => format!("({old}) AND ({one})"),
            1 => format!("({one}) OR ({old})"),
            2 => format!("NOT (NOT ({old}) OR ({one}))"),
            3 => old.replacen("n < ", "n <= ", 1).replacen("'ab'", "'abc'", 1),
            4 => old.replacen('5', "6", 1).replacen(") AND (", ") OR (", 1),
            _ => one,
        });
    }
    all
}

/// Letters of a filter that another is made of.
const LONGEST: usize = 240;

/// Masks of a column, `value` written as that column. All are of its type.
pub fn masks(draw: &mut Draw, atoms: &[&str], over: &[&str], count: usize) -> Vec<String> {
    let mut all: Vec<String> = atoms.iter().map(|atom| (*atom).to_string()).collect();
    while all.len() < count {
        let (one, other) = (draw.of(&all).clone(), draw.of(&all).clone());
        if one.len() + other.len() < LONGEST {
            all.push(draw.of(over).replace("{1}", &one).replace("{2}", &other));
        }
    }
    all
}
