//! DataFusion's functions: what there is, in which group, and the sets that sessions are built from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use ambit_protocol::{FunctionEntry, FunctionKind, Leakproof};
use datafusion::common::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, Documentation, HigherOrderUDF, ScalarUDF, Volatility, WindowUDF};

use crate::leakproof::functions::LEAKPROOF;

/// Functions by every name they answer to. Built once for each template: a session shares it and can change nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct FunctionSet {
    pub scalar: HashMap<String, Arc<ScalarUDF>>,
    /// They take a lambda.
    pub higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    pub aggregate: HashMap<String, Arc<AggregateUDF>>,
    pub window: HashMap<String, Arc<WindowUDF>>,
}

/// Every function of DataFusion that has a canonical name.
struct Everything {
    scalar: Vec<Arc<ScalarUDF>>,
    higher_order: Vec<Arc<HigherOrderUDF>>,
    aggregate: Vec<Arc<AggregateUDF>>,
    window: Vec<Arc<WindowUDF>>,
}

/// Functions that no contract can allow: they tell names of files and positions of rows, hidden ones counted.
const NEVER: [&str; 2] = ["file_row_index", "input_file_name"];

static EVERYTHING: LazyLock<Everything> = LazyLock::new(|| Everything {
    scalar: SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|function| !NEVER.contains(&function.name()))
        .collect(),
    higher_order: SessionStateDefaults::default_higher_order_functions(),
    aggregate: SessionStateDefaults::default_aggregate_functions(),
    window: SessionStateDefaults::default_window_functions(),
});

static PLANNERS: LazyLock<Vec<Arc<dyn ExprPlanner>>> = LazyLock::new(SessionStateDefaults::default_expr_planners);

/// DataFusion's expression planners. They inject functions without asking anybody, which is why plans are walked.
pub(crate) fn planners() -> &'static [Arc<dyn ExprPlanner>] {
    &PLANNERS
}

impl FunctionSet {
    /// The functions with these canonical names, their aliases included, bound to `options` (`now()` reads the time
    /// zone there). `None`: all of them.
    pub(crate) fn new(names: Option<&[String]>, options: &ConfigOptions) -> Self {
        let wanted = |name: &str| names.is_none_or(|names| names.iter().any(|allowed| allowed == name));
        let mut set = Self::default();
        for function in EVERYTHING.scalar.iter().filter(|function| wanted(function.name())) {
            let bound = function
                .inner()
                .with_updated_config(options)
                .map_or_else(|| Arc::clone(function), Arc::new);
            for name in answers_to(bound.name(), bound.aliases()) {
                set.scalar.insert(name.to_string(), Arc::clone(&bound));
            }
        }
        for function in EVERYTHING
            .higher_order
            .iter()
            .filter(|function| wanted(function.name()))
        {
            for name in answers_to(function.name(), function.aliases()) {
                set.higher_order.insert(name.to_string(), Arc::clone(function));
            }
        }
        for function in EVERYTHING.aggregate.iter().filter(|function| wanted(function.name())) {
            for name in answers_to(function.name(), function.aliases()) {
                set.aggregate.insert(name.to_string(), Arc::clone(function));
            }
        }
        for function in EVERYTHING.window.iter().filter(|function| wanted(function.name())) {
            for name in answers_to(function.name(), function.aliases()) {
                set.window.insert(name.to_string(), Arc::clone(function));
            }
        }
        set
    }

    /// Whether a function answers to the name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.scalar.contains_key(name)
            || self.higher_order.contains_key(name)
            || self.aggregate.contains_key(name)
            || self.window.contains_key(name)
    }

    /// Every name that a function answers to.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self
            .scalar
            .keys()
            .chain(self.higher_order.keys())
            .chain(self.aggregate.keys())
            .chain(self.window.keys());
        names.map(String::as_str).collect()
    }

    /// Canonical names of all functions here.
    pub(crate) fn canonical_names(&self) -> Vec<String> {
        let scalar = self.scalar.values().map(|function| function.name().to_string());
        let higher_order = self.higher_order.values().map(|function| function.name().to_string());
        let aggregate = self.aggregate.values().map(|function| function.name().to_string());
        let window = self.window.values().map(|function| function.name().to_string());
        scalar.chain(higher_order).chain(aggregate).chain(window).collect()
    }

    /// Registers what optimizer rules look up by name. Rules of DataFusion 55 look up aggregates alone.
    pub(crate) fn register(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        let first_value = self.aggregate.get("first_value").cloned().into_iter().collect();
        builder.with_aggregate_functions(first_value)
    }
}

/// Every name of a function.
fn answers_to<'a>(name: &'a str, aliases: &'a [String]) -> impl Iterator<Item = &'a str> {
    std::iter::once(name).chain(aliases.iter().map(String::as_str))
}

/// All functions, sorted by name. A name that is an aggregate and a window function is listed for each.
pub(crate) fn entries() -> Vec<FunctionEntry> {
    let mut entries = BTreeMap::new();
    for function in &EVERYTHING.scalar {
        let entry = entry(
            function.name(),
            function.aliases(),
            FunctionKind::Scalar,
            function.signature().volatility,
            function.documentation(),
        );
        entries.insert((entry.name.clone(), 0), entry);
    }
    for function in &EVERYTHING.higher_order {
        let entry = entry(
            function.name(),
            function.aliases(),
            FunctionKind::Scalar,
            function.signature().volatility,
            function.documentation(),
        );
        entries.insert((entry.name.clone(), 0), entry);
    }
    for function in &EVERYTHING.aggregate {
        let volatility = function.signature().volatility;
        let entry = entry(
            function.name(),
            function.aliases(),
            FunctionKind::Aggregate,
            volatility,
            function.documentation(),
        );
        entries.insert((entry.name.clone(), 1), entry);
    }
    for function in &EVERYTHING.window {
        let volatility = function.signature().volatility;
        let entry = entry(
            function.name(),
            function.aliases(),
            FunctionKind::Window,
            volatility,
            function.documentation(),
        );
        entries.insert((entry.name.clone(), 2), entry);
    }
    entries.into_values().collect()
}

fn entry(
    name: &str,
    aliases: &[String],
    kind: FunctionKind,
    volatility: Volatility,
    documentation: Option<&Documentation>,
) -> FunctionEntry {
    let mut aliases = aliases.to_vec();
    aliases.sort();
    FunctionEntry {
        name: name.to_string(),
        aliases,
        kind,
        group: group(kind, documentation).to_string(),
        volatility: match volatility {
            Volatility::Immutable => "immutable",
            Volatility::Stable => "stable",
            Volatility::Volatile => "volatile",
        }
        .to_string(),
        description: documentation
            .map(|text| first_sentence(&text.description))
            .unwrap_or_default(),
        leakproof: match kind {
            FunctionKind::Scalar => LEAKPROOF
                .iter()
                .find(|known| known.name == name)
                .map(|known| Leakproof {
                    arguments: known.arguments.to_vec(),
                    reason: known.reason.to_string(),
                }),
            FunctionKind::Aggregate | FunctionKind::Window => None,
        },
    }
}

/// A contract's word for DataFusion's documentation section.
fn group(kind: FunctionKind, documentation: Option<&Documentation>) -> &'static str {
    match kind {
        FunctionKind::Aggregate => "aggregate",
        FunctionKind::Window => "window",
        FunctionKind::Scalar => match documentation.map_or("", |text| text.doc_section.label) {
            "Math Functions" => "math",
            "Conditional Functions" => "conditional",
            "String Functions" => "string",
            "Binary String Functions" => "encoding",
            "Regular Expression Functions" => "regex",
            "Time and Date Functions" => "datetime",
            "Array Functions" | "Map Functions" => "nested",
            "Struct Functions" => "struct",
            "Hashing Functions" => "crypto",
            "Union Functions" => "struct",
            _ => "other",
        },
    }
}

fn first_sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.split_inclusive(". ").next().unwrap_or_default().trim().to_string()
}
