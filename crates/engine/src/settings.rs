//! Every `datafusion.*` setting: DataFusion's default, what Ambit sets instead, and which of them a contract may set.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ambit_protocol::SettingEntry;
use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

/// Settings of the runtime are not options of a session: each is decided by a limit or by the worker.
const RUNTIME_PREFIX: &str = "datafusion.runtime.";

/// What `runtime` settings say in a boundary, by key.
const RUNTIME_VALUES: [(&str, &str); 8] = [
    ("datafusion.runtime.file_statistics_cache_limit", "worker"),
    ("datafusion.runtime.list_files_cache_limit", "0"),
    ("datafusion.runtime.list_files_cache_ttl", ""),
    ("datafusion.runtime.max_spill_merge_fan_in", "0"),
    ("datafusion.runtime.max_temp_directory_size", "limits.spill"),
    ("datafusion.runtime.memory_limit", "limits.memory"),
    ("datafusion.runtime.metadata_cache_limit", "worker"),
    ("datafusion.runtime.temp_directory", "worker"),
];

/// Ambit's own values. Those that hold up a boundary are listed in [`settable`] too.
const AMBIT_VALUES: [(&str, &str); 11] = [
    ("datafusion.catalog.create_default_catalog_and_schema", "false"),
    ("datafusion.catalog.default_catalog", "ambit"),
    ("datafusion.catalog.default_schema", "public"),
    ("datafusion.catalog.information_schema", "false"),
    // DataFusion's defaults follow the number of cores: a boundary must not differ between two machines.
    ("datafusion.execution.planning_concurrency", "2"),
    ("datafusion.execution.target_partitions", "2"),
    // The prefix of this rule's aliases can be forged in SQL; the barrier holds without it, this is the second lock.
    ("datafusion.optimizer.enable_leaf_expression_pushdown", "false"),
    ("datafusion.optimizer.skip_failed_rules", "false"),
    ("datafusion.execution.parquet.reorder_filters", "false"),
    ("datafusion.sql_parser.recursion_limit", "50"),
    ("datafusion.execution.listing_table_factory_infer_partitions", "false"),
];

/// Groups whose settings a boundary rests on: names, parsing, what EXPLAIN prints, formats of writers and factories.
const FIXED_PREFIXES: [&str; 5] = [
    "datafusion.catalog.",
    "datafusion.sql_parser.",
    "datafusion.explain.",
    "datafusion.format.",
    RUNTIME_PREFIX,
];

/// Single settings that a boundary rests on.
const FIXED_KEYS: [&str; 7] = [
    "datafusion.execution.listing_table_factory_infer_partitions",
    "datafusion.execution.parquet.reorder_filters",
    "datafusion.execution.parquet.schema_force_view_types",
    "datafusion.optimizer.enable_leaf_expression_pushdown",
    "datafusion.optimizer.max_passes",
    "datafusion.optimizer.skip_failed_rules",
    "datafusion.optimizer.expand_views_at_output",
];

/// Settings of a fixed group that change what SQL means and nothing that it can reach.
const FREE_KEYS: [&str; 3] = [
    "datafusion.sql_parser.default_null_ordering",
    "datafusion.sql_parser.dialect",
    "datafusion.sql_parser.parse_float_as_decimal",
];

/// All settings, by key. Listing them takes longer than planning a query.
static KNOWN: LazyLock<BTreeMap<String, SettingEntry>> = LazyLock::new(|| {
    let entries = entries().into_iter();
    entries.map(|entry| (entry.key.clone(), entry)).collect()
});

/// Whether a contract or an environment may set `key`.
pub(crate) fn settable(key: &str) -> bool {
    FREE_KEYS.contains(&key)
        || !FIXED_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) && !FIXED_KEYS.contains(&key)
}

/// All settings, sorted by key.
pub(crate) fn entries() -> Vec<SettingEntry> {
    let ambit = BTreeMap::from(AMBIT_VALUES);
    let runtime = BTreeMap::from(RUNTIME_VALUES);
    let mut options = ConfigOptions::new();
    // The only two defaults that DataFusion takes from the machine.
    options.execution.target_partitions = 0;
    options.execution.planning_concurrency = 0;
    let mut entries: Vec<SettingEntry> = options
        .entries()
        .into_iter()
        .chain(RuntimeEnvBuilder::new().entries())
        .map(|entry| {
            let default = entry.value.unwrap_or_default();
            let own = ambit.get(entry.key.as_str()).or(runtime.get(entry.key.as_str()));
            SettingEntry {
                settable: settable(&entry.key),
                ambit: own.map(ToString::to_string).filter(|own| *own != default),
                default,
                description: entry.description.split_whitespace().collect::<Vec<_>>().join(" "),
                key: entry.key,
            }
        })
        .collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

/// Options with exactly these values. Every key must be a setting, and one that is not settable must have Ambit's value:
/// the control plane has checked this, the engine does not rely on it.
pub(crate) fn options(values: &BTreeMap<String, String>) -> Result<ConfigOptions> {
    let (options, mut refused) = accepted(values)?;
    match refused.pop_first() {
        Some((_, error)) => Err(error),
        None => Ok(options),
    }
}

/// Options with those of the values that are values of their settings, and what is wrong with the others.
pub(crate) fn accepted(
    values: &BTreeMap<String, String>,
) -> Result<(ConfigOptions, BTreeMap<String, DataFusionError>)> {
    let mut options = ConfigOptions::new();
    for (key, value) in AMBIT_VALUES {
        options.set(key, value)?;
    }
    let mut refused = BTreeMap::new();
    for (key, value) in values {
        if let Err(error) = set(&mut options, key, value) {
            refused.insert(key.clone(), error);
        }
    }
    Ok((options, refused))
}

fn set(options: &mut ConfigOptions, key: &str, value: &str) -> Result<()> {
    let entry = KNOWN
        .get(key)
        .ok_or_else(|| DataFusionError::Configuration(format!("unknown setting `{key}`")))?;
    let fixed = entry.ambit.as_deref().unwrap_or(&entry.default);
    if !entry.settable && value != fixed {
        return Err(DataFusionError::Configuration(format!(
            "setting `{key}` is fixed to `{fixed}`"
        )));
    }
    // An empty value is "none" in DataFusion's own listing, and cannot be set.
    if key.starts_with(RUNTIME_PREFIX) || value.is_empty() {
        return Ok(());
    }
    options.set(key, value)?;
    // A policy could not say `$claims.x`.
    if matches!(options.sql_parser.dialect, Dialect::MySQL | Dialect::Hive) {
        options.sql_parser.dialect = Dialect::default();
        return Err(DataFusionError::Configuration(format!(
            "`$name` is no parameter in dialect `{value}`"
        )));
    }
    Ok(())
}
