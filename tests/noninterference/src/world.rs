//! Data and policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::kinds::Kind;
use crate::policies;
use crate::tables::{Column, Format, Layout, Table};
use crate::twins;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    pub tables: Vec<Table>,
    /// By name.
    pub views: BTreeMap<String, String>,
    /// What differs from Ambit's values.
    pub settings: BTreeMap<String, String>,
}

const SETTINGS: [(&str, &[&str]); 9] = [
    ("datafusion.execution.batch_size", &["8192", "2", "7", "64"]),
    ("datafusion.execution.parquet.pushdown_filters", &["false", "true"]),
    ("datafusion.execution.collect_statistics", &["true", "false"]),
    ("datafusion.optimizer.prefer_hash_join", &["true", "false"]),
    ("datafusion.optimizer.repartition_joins", &["true", "false"]),
    ("datafusion.execution.coalesce_batches", &["true", "false"]),
    ("datafusion.optimizer.enable_topk_aggregation", &["true", "false"]),
    (
        "datafusion.optimizer.enable_dynamic_filter_pushdown",
        &["true", "true", "false"],
    ),
    ("datafusion.optimizer.filter_null_join_keys", &["false", "true"]),
];

impl World {
    /// Draws a world, its twin too.
    pub async fn draw(draw: &mut Draw) -> Self {
        let tables = draw.between(1, 3);
        let mut tables: Vec<Table> = (0..tables)
            .map(|index| Table::draw(draw, &format!("t{index}")))
            .collect();
        tables.push(mapping(draw));
        let mut settings = BTreeMap::from([("datafusion.execution.target_partitions".into(), "1".into())]);
        for (key, values) in SETTINGS {
            settings.insert(key.to_string(), draw.pick(values).to_string());
        }
        // Lambdas over lists have a syntax there.
        let lists = |table: &Table| table.shown().any(|column| column.kind == Kind::List);
        if tables.iter().any(lists) {
            settings.insert("datafusion.sql_parser.dialect".into(), "duckdb".into());
        }
        let views = views(&tables);
        let mut world = Self {
            tables,
            views,
            settings,
        };
        twins::add(draw, &mut world).await;
        world
    }

    pub fn granted(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|table| table.granted)
    }

    /// All that may be said of what the world holds: for finding planted words.
    pub fn mapping(&self) -> Option<&Table> {
        self.tables.iter().find(|table| !table.granted)
    }
}

fn views(tables: &[Table]) -> BTreeMap<String, String> {
    let Some(table) = tables.first() else {
        return BTreeMap::new();
    };
    let names: Vec<String> = table.shown().map(|column| format!("\"{}\"", column.name)).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE id IS DISTINCT FROM 3",
        names.join(", "),
        table.name
    );
    BTreeMap::from([("v0".to_string(), sql)])
}

fn mapping(draw: &mut Draw) -> Table {
    let column = |name: &str| Column {
        name: name.into(),
        kind: Kind::Text,
        layout: Layout::Plain,
        shown: false,
        masks: vec![],
    };
    let rows = policies::mapping(draw);
    Table {
        name: "map".into(),
        format: Format::Parquet,
        chunk: 1024,
        columns: vec![column("who"), column("t")],
        filters: vec![],
        twin: rows.clone(),
        rows,
        granted: false,
    }
}
