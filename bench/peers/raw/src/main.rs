//! DataFusion without Ambit, in process, and with it. Reads one measure as JSON from standard input, writes what it took
//! as JSON.

mod governing;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write, stdin};
use std::time::Instant;

use arrow::ipc::writer::StreamWriter;
use datafusion::config::ConfigOptions;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// Why a measure was not taken.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum Measure {
    /// The statement's rows in memory: in a context that is used again, and in one that is new each time.
    Latency(Question),
    /// The statement's rows as an Arrow stream, written to nowhere.
    Stream(Question),
    /// The same statements raw, over views, governed without policies and with them.
    Governing(governing::Comparison),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    /// Parquet files by table name.
    tables: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    sql: String,
    threads: usize,
    requests: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Took {
    Latency { warm: Vec<f64>, fresh: Vec<f64> },
    Stream { micros: f64, bytes: u64 },
    Governing(Vec<governing::Compared>),
}

fn main() -> Result<(), Failure> {
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    let measure: Measure = serde_json::from_str(&text)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(measure.threads())
        // As in a worker.
        .thread_stack_size(16 * 1024 * 1024)
        .enable_all()
        .build()?;
    // On a thread of its own, as a session is.
    let took = runtime.block_on(runtime.spawn(async move { take(&measure).await }))??;
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

async fn take(measure: &Measure) -> Result<Took, Failure> {
    match measure {
        Measure::Latency(question) => question.latency().await,
        Measure::Stream(question) => question.stream_once().await,
        Measure::Governing(comparison) => Ok(Took::Governing(governing::compare(comparison).await?)),
    }
}

impl Measure {
    fn threads(&self) -> usize {
        match self {
            Self::Latency(question) | Self::Stream(question) => question.threads,
            Self::Governing(comparison) => comparison.threads,
        }
    }
}

impl Question {
    async fn latency(&self) -> Result<Took, Failure> {
        let context = self.warm().await?;
        let mut warm = Vec::with_capacity(self.requests);
        let mut fresh = Vec::with_capacity(self.requests);
        for _ in 0..self.requests {
            let started = Instant::now();
            self.collect(&context).await?;
            warm.push(micros(started));
            let started = Instant::now();
            self.collect(&self.context().await?).await?;
            fresh.push(micros(started));
        }
        Ok(Took::Latency { warm, fresh })
    }

    async fn stream_once(&self) -> Result<Took, Failure> {
        let context = self.warm().await?;
        let started = Instant::now();
        let bytes = self.stream(&context).await?;
        Ok(Took::Stream {
            micros: micros(started),
            bytes,
        })
    }

    /// The first statement finds the file's footer.
    async fn warm(&self) -> Result<SessionContext, Failure> {
        let context = self.context().await?;
        self.collect(&context).await?;
        Ok(context)
    }

    async fn context(&self) -> Result<SessionContext, Failure> {
        context(&self.settings, "public", &self.tables).await
    }

    async fn collect(&self, context: &SessionContext) -> Result<(), Failure> {
        context.sql(&self.sql).await?.collect().await?;
        Ok(())
    }

    async fn stream(&self, context: &SessionContext) -> Result<u64, Failure> {
        let mut batches = context.sql(&self.sql).await?.execute_stream().await?;
        let mut writer = StreamWriter::try_new(Counted(0), &batches.schema())?;
        while let Some(batch) = batches.next().await {
            writer.write(&batch?)?;
        }
        writer.finish()?;
        Ok(writer.get_ref().0)
    }
}

/// A context with these settings, and Parquet files as tables of a schema.
async fn context(
    settings: &BTreeMap<String, String>,
    schema: &str,
    tables: &BTreeMap<String, String>,
) -> Result<SessionContext, Failure> {
    let mut options = ConfigOptions::new();
    for (key, value) in settings {
        options.set(key, value)?;
    }
    let context = SessionContext::new_with_config(SessionConfig::from(options));
    let make = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    context.sql(&make).await?.collect().await?;
    for (name, path) in tables {
        let table = format!("{schema}.{name}");
        context
            .register_parquet(table.as_str(), path, ParquetReadOptions::default())
            .await?;
    }
    Ok(context)
}

fn micros(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6
}

/// Counts what is written.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
