//! TPC-H, TPC-DS and questions about the flights: under a policy that permits everything a governed session answers as
//! plain DataFusion does, and under row filters and masks as plain DataFusion does over what the policy shows.

mod flights;
mod tpcds;
mod tpch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ambit_engine::Engine;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::error::ArrowError;
use datafusion::datasource::MemTable;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::answer::Answer;
use crate::declared::Declared;
use crate::governed::{Policy, Product};
use crate::plain::{ask, context, kind, parse, varied};
use crate::run::engine;
use crate::{Fault, plain, texts};

/// Small, so that most tables have several.
const ROW_GROUP_ROWS: usize = 16 * 1024;

/// Tables, what is asked of them, and a policy that narrows them. Its SQL reads the same in a mask, in a row filter and
/// over the raw tables by hand.
struct Suite {
    name: &'static str,
    tables: BTreeMap<String, Declared>,
    /// By name.
    queries: Vec<(String, String)>,
    policies: &'static [(&'static str, Policy)],
}

/// How a suite's queries were answered.
#[derive(Default)]
pub struct Compared {
    /// The suite.
    pub name: &'static str,
    /// How many there are.
    pub queries: usize,
    /// Whose answer has rows, without policies and with them.
    pub filled: [usize; 2],
    /// Whose answer policies changed.
    pub narrowed: usize,
    /// Answered otherwise than they must be.
    pub unlike: Vec<String>,
}

impl fmt::Display for Compared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [all, narrow] = self.filled;
        writeln!(
            out,
            "{}: {} queries, {} unlike; {all} answered with rows, {narrow} with rows under policies, which changed {} answers",
            self.name,
            self.queries,
            self.unlike.len(),
            self.narrowed
        )?;
        self.unlike.iter().try_for_each(|text| writeln!(out, "  {text}"))
    }
}

/// Runs every suite.
pub fn suites() -> Result<Vec<Compared>, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut compared = Vec::new();
        for suite in [tpch::suite()?, tpcds::suite()?, flights::suite().await?] {
            compared.push(compare(suite).await?);
        }
        Ok(compared)
    })
}

async fn compare(suite: Suite) -> Result<Compared, Fault> {
    let folder = tempfile::tempdir()?;
    let engine = engine(folder.path())?;
    let catalog = Arc::new(Engine::catalog());
    let product = || Product::new(Arc::clone(&engine), Arc::clone(&catalog), folder.path().to_path_buf());
    let (mut open, mut narrow) = (product(), product());
    for (name, table) in &suite.tables {
        write(&folder.path().join(format!("{name}.parquet")), &table.rows)?;
        open.hold(name, table.clone(), Policy::default());
        narrow.hold(name, table.clone(), policy(&suite, name).unwrap_or_default());
    }
    let raw = over_files(&suite, folder.path()).await?;
    let shown = over_shown(&suite, &raw).await?;
    let mut compared = Compared {
        name: suite.name,
        queries: suite.queries.len(),
        ..Compared::default()
    };
    for (name, sql) in &suite.queries {
        let ordered = matches!(kind(parse(&raw, sql).as_ref()), plain::Kind::Read { ordered: true });
        let all = held(&mut compared, (name, sql, ordered), &raw, &open).await?;
        // Masks make values equal by which rows are ordered: their order is open.
        let narrowed = format!("{name} under policies");
        let some = held(&mut compared, (&narrowed, sql, false), &shown, &narrow).await?;
        compared.filled[0] += usize::from(all.filled());
        compared.filled[1] += usize::from(some.filled());
        compared.narrowed += usize::from(all.unlike(&some, false).is_some());
    }
    Ok(compared)
}

/// Asks both, and notes how they differ. What plain DataFusion answers now so, now so, is left open by the query.
async fn held(
    compared: &mut Compared,
    (name, sql, ordered): (&str, &str, bool),
    plain: &SessionContext,
    product: &Product,
) -> Result<Answer, Fault> {
    let governed = product.ask(plain, sql).await?;
    let mut unlike = None;
    for partitions in [2, 1, 4] {
        let wanted = ask(&varied(plain, partitions), sql).await;
        if let Answer::Failed(told) = &wanted {
            return Err(format!("{name}: plain DataFusion does not answer: {told}").into());
        }
        let found = wanted.unlike(&governed, ordered);
        if found.is_none() {
            return Ok(governed);
        }
        unlike = unlike.or(found);
    }
    compared.unlike.extend(unlike.map(|text| format!("{name}: {text}")));
    Ok(governed)
}

fn write(path: &Path, rows: &RecordBatch) -> Result<(), Fault> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(())
}

fn policy(suite: &Suite, table: &str) -> Option<Policy> {
    let found = suite.policies.iter().find(|(name, _)| *name == table);
    found.map(|(_, policy)| *policy)
}

/// Plain DataFusion over the same files.
async fn over_files(suite: &Suite, folder: &Path) -> Result<SessionContext, Fault> {
    let raw = context();
    for name in suite.tables.keys() {
        let path = folder.join(format!("{name}.parquet")).display().to_string();
        raw.register_parquet(name, path, ParquetReadOptions::default()).await?;
    }
    Ok(raw)
}

/// Plain DataFusion over what the policies show, computed table by table.
async fn over_shown(suite: &Suite, raw: &SessionContext) -> Result<SessionContext, Fault> {
    let shown = context();
    for (name, table) in &suite.tables {
        let policy = policy(suite, name).unwrap_or_default();
        let schema = table.rows.schema();
        let columns = schema.fields().iter().map(|field| {
            let mask = policy.masks.iter().find(|(column, _)| column == field.name());
            mask.map_or_else(|| field.name().clone(), |(_, sql)| format!("{sql} AS {}", field.name()))
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        let filter = policy.rows.map(|sql| format!(" WHERE {sql}")).unwrap_or_default();
        let frame = raw.sql(&format!("SELECT {columns} FROM {name}{filter}")).await?;
        let mut batches = Vec::new();
        for batch in frame.collect().await? {
            let arrays = batch.columns().iter().zip(schema.fields());
            let arrays: Result<Vec<ArrayRef>, _> =
                arrays.map(|(array, field)| cast(array, field.data_type())).collect();
            let fields = schema
                .fields()
                .iter()
                .map(|field| field.as_ref().clone().with_nullable(true));
            let schema = datafusion::arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
            batches.push(RecordBatch::try_new(Arc::new(schema), arrays?)?);
        }
        let schema = batches.first().map_or_else(|| Arc::clone(&schema), RecordBatch::schema);
        shown.register_table(name.as_str(), Arc::new(MemTable::try_new(schema, vec![batches])?))?;
    }
    Ok(shown)
}

/// A table of generated batches.
fn declared(batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>) -> Result<Declared, Fault> {
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let schema = batches.first().ok_or("a table without rows")?.schema();
    Declared::new(&schema, &batches)
}

/// The statements of a suite that a crate carries, by the numbers of their files.
fn queries(suite: &str) -> Result<Vec<(String, String)>, Fault> {
    let folder = texts::folder(texts::BENCHMARKS)?
        .join("testdata")
        .join(suite)
        .join("queries");
    let mut queries = Vec::new();
    for number in 1.. {
        let path = folder.join(format!("q{number}.sql"));
        if !path.exists() {
            break;
        }
        queries.push((format!("q{number}"), one(&std::fs::read_to_string(path)?)));
    }
    Ok(queries)
}

/// A view that is made for one query, as a WITH of it.
fn one(text: &str) -> String {
    let made = text
        .split_once("create view ")
        .and_then(|(_, rest)| rest.split_once(';'));
    let parts = made.and_then(|(view, rest)| Some((view.split_once(" as")?, rest.split(';').next()?)));
    match parts {
        Some(((name, body), query)) => format!("WITH {name} AS ({body}) {query}"),
        None => text.to_string(),
    }
}
