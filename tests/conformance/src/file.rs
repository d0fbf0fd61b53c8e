//! One test file: its statements in turn.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::TableType;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::Fault;
use crate::declared::Declared;
use crate::governed::Product;
use crate::plain::{self, Kind};
use crate::reasons::Difference;
use crate::report::{Report, Verdict};
use crate::run::{Bench, shown};
use crate::{script, world};

/// Partitions that DataFusion is asked with again, where an answer may depend on them.
const PARTITIONS: [usize; 4] = [4, 1, 2, 7];

struct File<'a> {
    bench: &'a Bench,
    name: String,
    context: SessionContext,
    product: Product,
}

pub(crate) async fn run(bench: &Bench, number: usize, path: &Path) -> Result<Report, Fault> {
    let folder = bench.root.join(format!("store-{number}"));
    std::fs::create_dir(&folder)?;
    world::scratch(path)?;
    let mut file = File {
        bench,
        name: shown(&bench.texts, path),
        context: plain::context(),
        product: Product::new(Arc::clone(&bench.engine), Arc::clone(&bench.catalog), folder),
    };
    let mut report = Report {
        files: 1,
        ..Report::default()
    };
    for step in script::read(path)? {
        let statement = plain::parse(&file.context, &step.sql);
        match plain::kind(statement.as_ref()) {
            Kind::About => report.about += 1,
            Kind::SetUp => {
                report.set_up += 1;
                plain::ask(&file.context, &step.sql).await;
                file.product.forget();
            }
            Kind::Read { ordered } => {
                let verdict = file.compare(statement.as_ref(), &step.sql, ordered).await?;
                report.count(&format!("{}:{}", file.name, step.line), &step.sql, verdict);
            }
            Kind::Broken => {
                let verdict = file.compare(None, &step.sql, false).await?;
                report.count(&format!("{}:{}", file.name, step.line), &step.sql, verdict);
            }
        }
    }
    Ok(report)
}

impl File<'_> {
    async fn compare(&mut self, statement: Option<&Statement>, sql: &str, ordered: bool) -> Result<Verdict, Fault> {
        let plain = plain::ask(&self.context, sql).await;
        let mut facts = match statement {
            Some(statement) => self.show(statement).await?,
            None => vec![],
        };
        let fixed = self.product.fixed(&self.context);
        let governed = self.product.ask(&self.context, sql).await?;
        let Some(told) = plain.unlike(&governed, ordered) else {
            return Ok(if plain.failed() {
                Verdict::BothFail
            } else {
                Verdict::Equal
            });
        };
        let over = plain::over(&self.context, self.product.declared()?, &self.product.views, &fixed).await;
        let (mut open, mut held) = (false, true);
        for partitions in PARTITIONS {
            let declared = plain::ask(&plain::varied(&over, partitions), sql).await;
            held = !declared.failed();
            if governed.failed() {
                break;
            }
            let again = plain::ask(&plain::varied(&self.context, partitions), sql).await;
            if !plain.failed() && again.unlike(&governed, ordered).is_none() {
                return Ok(Verdict::Equal);
            }
            open |= !plain.failed() && plain.unlike(&again, ordered).is_some();
            if declared.unlike(&governed, ordered).is_none() {
                return Ok(Verdict::AsHeld);
            }
        }
        if open {
            return Ok(Verdict::Open);
        }
        facts.extend(
            fixed
                .iter()
                .map(|setting| format!("setting {} = {}", setting.key, setting.value)),
        );
        let difference = Difference {
            told: &told,
            sql,
            file: &self.name,
            facts: &facts,
        };
        Ok(match self.bench.reasons.of(&difference) {
            Some(_) if plain.failed() => Verdict::BothFail,
            Some(reason) => Verdict::Listed(reason.into(), held),
            None => Verdict::Unlike(format!("{told} {facts:?}")),
        })
    }

    /// Gives the product what the statement names. Says what it cannot give.
    async fn show(&mut self, statement: &Statement) -> Result<Vec<String>, Fault> {
        let mut facts = Vec::new();
        let mut wanted = named(statement);
        while let Some(name) = wanted.pop() {
            let mine = |part: Option<&str>, own: &str| part.is_none_or(|part| part == own);
            if !mine(name.catalog(), "datafusion") || !mine(name.schema(), "public") || name.catalog().is_some() {
                facts.push(format!("name {name}"));
                continue;
            }
            let table = name.table().to_string();
            if !self.product.has(&table) {
                match self.give(&name, &table).await {
                    Ok(more) => wanted.extend(more),
                    Err(fault) => facts.push(format!("table {name}: {fault}")),
                }
            }
            facts.extend(self.product.left_out(&table));
        }
        Ok(facts)
    }

    /// A view is a view, over what it names; the rest are rows.
    async fn give(&mut self, name: &TableReference, table: &str) -> Result<Vec<TableReference>, Fault> {
        let Ok(provider) = self.context.table_provider(name.clone()).await else {
            return Ok(vec![]);
        };
        if provider.table_type() == TableType::View
            && let Some(view) = provider.get_table_definition().and_then(view)
        {
            let (query, names) = view;
            self.product.views.insert(table.into(), query);
            return Ok(names);
        }
        let frame = self.context.read_table(provider)?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let rows = tokio::time::timeout(std::time::Duration::from_secs(10), tokio::spawn(frame.collect())).await???;
        self.product.put(table, Declared::new(&schema, &rows)?)?;
        Ok(vec![])
    }
}

fn named(statement: &Statement) -> Vec<TableReference> {
    resolve_table_references(statement, true)
        .map(|(tables, _)| tables)
        .unwrap_or_default()
}

/// A view's query and what it names, if that is all there is to it.
fn view(definition: &str) -> Option<(String, Vec<TableReference>)> {
    let statement = DFParser::parse_sql(definition).ok()?.pop_front()?;
    let Statement::Statement(inner) = &statement else {
        return None;
    };
    match inner.as_ref() {
        SqlStatement::CreateView(view) if view.columns.is_empty() => Some((view.query.to_string(), named(&statement))),
        _ => None,
    }
}
