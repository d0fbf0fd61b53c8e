//! Syntax that DataFusion parses and then ignores: to answer another question than was asked is worse than to refuse.

use datafusion::sql::sqlparser::ast::{GroupByExpr, ObjectName, OrderBy, OrderByKind, Query, Select, TableFactor};

use crate::series::SERIES;

/// Why a query is not admitted.
pub(super) fn ignored_in_query(query: &Query) -> Option<String> {
    let ignored = [
        (!query.locks.is_empty(), "FOR UPDATE"),
        (query.for_clause.is_some(), "FOR"),
        (query.settings.is_some(), "SETTINGS"),
        (query.format_clause.is_some(), "FORMAT"),
        (query.order_by.as_ref().is_some_and(filled), "WITH FILL"),
    ];
    first(&ignored).map(|word| format!("`{word}` is not admitted"))
}

/// Rows that ORDER BY would add between the others.
fn filled(order: &OrderBy) -> bool {
    let filled = match &order.kind {
        OrderByKind::Expressions(keys) => keys.iter().any(|key| key.with_fill.is_some()),
        OrderByKind::All(_) => false,
    };
    filled || order.interpolate.is_some()
}

/// The same, of a SELECT. `INTO` is not ignored: it would make a table.
pub(super) fn ignored_in_select(select: &Select) -> Option<String> {
    let (GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers)) = &select.group_by;
    let ignored = [
        (select.into.is_some(), "INTO"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!modifiers.is_empty(), "GROUP BY ... WITH"),
        (select.value_table_mode.is_some(), "SELECT AS"),
        (select.select_modifiers.is_some(), "a modifier of SELECT"),
    ];
    first(&ignored).map(|word| format!("`{word}` is not admitted"))
}

/// The same, of what stands in FROM. A function there could read what no grant names, but for those that make their rows.
pub(super) fn ignored_in_factor(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table {
            name,
            args,
            with_hints,
            version,
            partitions,
            sample,
            index_hints,
            with_ordinality,
            json_path,
            ..
        } => {
            if args.is_some() && !makes_rows(name) {
                return Some(format!("table function `{name}` is not admitted"));
            }
            let ignored = [
                (!with_hints.is_empty() || !index_hints.is_empty(), "a table hint"),
                (version.is_some(), "a table version"),
                (!partitions.is_empty(), "PARTITION"),
                (sample.is_some(), "TABLESAMPLE"),
                (*with_ordinality, "WITH ORDINALITY"),
                (json_path.is_some(), "a JSON path on a table"),
            ];
            first(&ignored).map(|word| format!("{word} is not admitted"))
        }
        TableFactor::Function {
            name,
            with_ordinality: false,
            ..
        } if makes_rows(name) => None,
        TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => None,
        other => Some(format!("`{other}` is not admitted in FROM")),
    }
}

fn makes_rows(name: &ObjectName) -> bool {
    matches!(name.0.as_slice(), [part] if part.as_ident().is_some_and(|name| SERIES.contains(&name.value.as_str())))
}

fn first(ignored: &[(bool, &'static str)]) -> Option<&'static str> {
    ignored.iter().find(|(there, _)| *there).map(|(_, word)| *word)
}
