//! What a boundary rests on cannot be set otherwise, whoever sends the template.

use ambit_engine::{Engine, TemplateError};
use sha2::{Digest, Sha256};

use crate::fixture::Fixture;

fn put(fixture: &Fixture) -> Result<(), TemplateError> {
    let body = serde_json::to_vec(&fixture.template).unwrap();
    let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    fixture.engine.put_template(&format!("sha256:{hash}"), &body)
}

/// Some of each kind: names, parsing, what is told, what is pushed, what a worker decides.
const FIXED: [&str; 8] = [
    "datafusion.catalog.information_schema",
    "datafusion.catalog.default_schema",
    "datafusion.sql_parser.enable_ident_normalization",
    "datafusion.explain.show_statistics",
    "datafusion.execution.parquet.reorder_filters",
    "datafusion.optimizer.enable_leaf_expression_pushdown",
    "datafusion.optimizer.skip_failed_rules",
    "datafusion.runtime.memory_limit",
];

#[test]
fn fixed_settings_have_one_value() {
    for entry in Engine::catalog().settings {
        let mut fixture = Fixture::new();
        let own = fixture.template.settings.get(&entry.key).unwrap().clone();
        let other = match own.as_str() {
            "true" => "false".into(),
            "false" => "true".into(),
            number if number.parse::<u64>().is_ok() => format!("{number}1"),
            text => format!("{text}x"),
        };
        fixture.template.settings.insert(entry.key.clone(), other);
        assert!(!entry.settable || !FIXED.contains(&entry.key.as_str()), "{}", entry.key);
        if !entry.settable {
            let refused = put(&fixture).expect_err(&entry.key).to_string();
            assert!(refused.contains("is fixed to"), "{}: {refused}", entry.key);
        }
    }
}

#[test]
fn a_setting_that_does_not_exist_is_refused() {
    let mut fixture = Fixture::new();
    let unknown = "datafusion.execution.batch_sise".to_string();
    fixture.template.settings.insert(unknown.clone(), "8192".into());
    assert!(put(&fixture).expect_err("unknown").to_string().contains(&unknown));
}

#[test]
fn a_dialect_without_named_parameters_is_refused() {
    for dialect in ["mysql", "hive"] {
        let mut fixture = Fixture::new();
        let key = "datafusion.sql_parser.dialect".to_string();
        fixture.template.settings.insert(key, dialect.into());
        assert!(put(&fixture).expect_err(dialect).to_string().contains(dialect));
    }
}
