//! DataFusion without Ambit, in process. Reads one measure as JSON from standard input, writes what it took as JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write, stdin};
use std::time::Instant;

use arrow::ipc::writer::StreamWriter;
use datafusion::config::ConfigOptions;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Measure {
    kind: Kind,
    /// Parquet files by table name.
    tables: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    sql: String,
    threads: usize,
    requests: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// The statement's rows in memory: in a context that is used again, and in one that is new each time.
    Latency,
    /// The statement's rows as an Arrow stream, written to nowhere.
    Stream,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Took {
    Latency { warm: Vec<f64>, fresh: Vec<f64> },
    Stream { micros: f64, bytes: u64 },
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    let measure: Measure = serde_json::from_str(&text)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(measure.threads)
        .enable_all()
        .build()?;
    let took = runtime.block_on(take(&measure))?;
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

async fn take(measure: &Measure) -> Result<Took, Box<dyn Error>> {
    let context = measure.context().await?;
    // The first finds the file's footer.
    measure.collect(&context).await?;
    match measure.kind {
        Kind::Latency => {
            let mut warm = Vec::with_capacity(measure.requests);
            let mut fresh = Vec::with_capacity(measure.requests);
            for _ in 0..measure.requests {
                let started = Instant::now();
                measure.collect(&context).await?;
                warm.push(micros(started));
                let started = Instant::now();
                measure.collect(&measure.context().await?).await?;
                fresh.push(micros(started));
            }
            Ok(Took::Latency { warm, fresh })
        }
        Kind::Stream => {
            let started = Instant::now();
            let bytes = measure.stream(&context).await?;
            Ok(Took::Stream {
                micros: micros(started),
                bytes,
            })
        }
    }
}

impl Measure {
    async fn context(&self) -> Result<SessionContext, Box<dyn Error>> {
        let mut options = ConfigOptions::new();
        for (key, value) in &self.settings {
            options.set(key, value)?;
        }
        let context = SessionContext::new_with_config(SessionConfig::from(options));
        for (name, path) in &self.tables {
            context
                .register_parquet(name, path, ParquetReadOptions::default())
                .await?;
        }
        Ok(context)
    }

    async fn collect(&self, context: &SessionContext) -> Result<(), Box<dyn Error>> {
        context.sql(&self.sql).await?.collect().await?;
        Ok(())
    }

    async fn stream(&self, context: &SessionContext) -> Result<u64, Box<dyn Error>> {
        let mut batches = context.sql(&self.sql).await?.execute_stream().await?;
        let mut writer = StreamWriter::try_new(Counted(0), &batches.schema())?;
        while let Some(batch) = batches.next().await {
            writer.write(&batch?)?;
        }
        writer.finish()?;
        Ok(writer.get_ref().0)
    }
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
