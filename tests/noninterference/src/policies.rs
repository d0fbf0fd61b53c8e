//! Row filters and masks. Each is free of errors on every value, as policy must be.

use crate::draw::Draw;
use crate::kinds::Kind;
use crate::tables::{Column, Row};

/// Claims of every session: name, contract type, value, and the value as SQL.
pub const CLAIMS: [(&str, &str, &str, &str); 3] = [
    ("tenant", "string", "a", "'a'"),
    ("who", "string", "u1", "'u1'"),
    ("top", "bigint", "6", "CAST(6 AS BIGINT)"),
];
pub const TENANT: &str = "a";
pub const PURPOSE: &str = "analytics";

const FILTERS: [&str; 16] = [
    "tenant = $claims.tenant",
    "tenant LIKE 'a%'",
    "lower(tenant) = $tenant",
    "CASE WHEN tenant = 'b' THEN false WHEN tenant IS NULL THEN false ELSE tenant <> 'c' END",
    "tenant IN (SELECT t FROM raw_map WHERE who = $claims.who)",
    "tenant = $claims.tenant OR $claims.who = 'root'",
    "starts_with(tenant, $claims.tenant) AND $purpose = 'analytics'",
    "strpos(tenant, 'a') = 1",
    "EXISTS (SELECT 1 FROM raw_map WHERE raw_map.t = tenant AND who = $claims.who)",
    "coalesce(tenant, 'b') IN ('a', 'a1')",
    "regexp_like(tenant, '^a1?$')",
    "substr(tenant, 1, 1) = 'a'",
    "tenant = (SELECT max(t) FROM raw_map WHERE who = $claims.who AND t < 'a1')",
    "id % 2 = 0",
    "n < $claims.top OR n IS NULL",
    "NOT (tenant IN ('b', 'c')) AND id >= 0",
];

/// Filters of a table: one as a rule, none or two at times.
pub fn filters(draw: &mut Draw, columns: &[Column]) -> Vec<String> {
    let mut filters = vec![draw.pick(&FILTERS).to_string()];
    if draw.chance(15) {
        filters.push(draw.pick(&FILTERS).to_string());
    }
    if columns.iter().any(|column| column.name == "flag") && draw.chance(20) {
        filters.push("flag IS NOT FALSE".into());
    }
    if draw.chance(12) {
        filters.clear();
    }
    filters
}

/// Masks of a column: none as a rule, at times two.
pub fn masks(draw: &mut Draw, kind: Kind) -> Vec<String> {
    let known: &[&str] = match kind {
        Kind::Text | Kind::Code => &[
            "'***'",
            "NULL",
            "'7'",
            "md5(value)",
            "CASE WHEN tenant = 'a' THEN value ELSE '0' END",
            "left(value, 1)",
            "CAST(character_length(value) AS string)",
            "regexp_replace(value, '[a-z0-9]+', '1', 'g')",
        ],
        Kind::Bigint | Kind::Int | Kind::Smallint => &[
            "NULL",
            "1",
            "CASE WHEN value > 5 THEN 5 ELSE 1 END",
            "CASE WHEN tenant = 'a' THEN value ELSE 3 END",
            "value % 3 + 4",
        ],
        Kind::Double | Kind::Real => &["NULL", "1.5", "CASE WHEN isnan(value) THEN 0.5 ELSE 2.5 END"],
        Kind::Decimal => &["NULL", "1.25", "CASE WHEN value > 5 THEN 9.00 ELSE 1.00 END"],
        Kind::Boolean => &["NULL", "true", "value IS NULL"],
        Kind::Date => &[
            "NULL",
            "DATE '2020-01-01'",
            "CASE WHEN value > DATE '2020-05-01' THEN DATE '2021-01-01' END",
        ],
        Kind::Timestamp => &["NULL", "date_trunc('year', TIMESTAMP '2020-03-01 00:00:00')"],
        Kind::Binary => &["NULL", "sha256(value)"],
        Kind::List => &["NULL", "[1, 2]"],
        Kind::Struct | Kind::Time | Kind::Timestamptz => &["NULL"],
    };
    if !draw.chance(28) {
        return vec![];
    }
    let mut masks = vec![draw.pick(known).to_string()];
    if draw.chance(15) {
        masks.push(draw.pick(known).to_string());
    }
    masks
}

/// Policy SQL with its claims as SQL literals: how the other side reads it.
pub fn bound(sql: &str) -> String {
    let mut text = sql.replace("$tenant", &format!("'{TENANT}'"));
    text = text.replace("$purpose", &format!("'{PURPOSE}'"));
    for (name, _, _, literal) in CLAIMS {
        text = text.replace(&format!("$claims.{name}"), literal);
    }
    text
}

/// What the masks make of a column, in SQL over the raw table.
pub fn masked(column: &Column) -> String {
    let declared = arrow_type(column.kind);
    let mut value = format!("\"{}\"", column.name);
    for mask in &column.masks {
        value = format!(
            "arrow_cast({}, '{declared}')",
            replace_word(&bound(mask), "value", &value)
        );
    }
    value
}

/// `arrow_cast`'s name of a declared type.
fn arrow_type(kind: Kind) -> String {
    match kind {
        Kind::Timestamptz => "Timestamp(Microsecond, Some(\"UTC\"))".into(),
        Kind::Timestamp => "Timestamp(Microsecond, None)".into(),
        Kind::Time => "Time64(Microsecond)".into(),
        Kind::List => "List(Int64)".into(),
        Kind::Struct => "Struct(\"a\": Int64, \"b\": Utf8View)".into(),
        other => format!("{:?}", other.declared()),
    }
}

fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = rest.split_at(at);
        let tail = &after[word.len()..];
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let whole = !before.ends_with(letter) && !tail.starts_with(letter);
        out.push_str(before);
        out.push_str(if whole { by } else { word });
        rest = tail;
    }
    out + rest
}

/// The mapping: who may see which tenant.
pub fn mapping(draw: &mut Draw) -> Vec<Row> {
    let mut rows: Vec<Row> = [("u1", "a"), ("u1", "a1"), ("u2", "b"), ("u3", "c")]
        .iter()
        .map(|(who, tenant)| vec![(*who).into(), (*tenant).into()])
        .collect();
    for _ in 0..draw.below(4) {
        rows.push(vec!["u9".into(), "hush99999x".into()]);
    }
    rows
}
