//! Sources held against what their contract declares, from headers and footers; of JSON, from its first objects.

mod columns;
mod json;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ambit_protocol::{Drift, DriftKind, InspectReport, InspectRequest, Source, SourceFormat, SourceState, Store};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{GetRange, ObjectMeta, ObjectStore};

use crate::access::AccessLog;
use crate::csv_header::csv_header;
use crate::declared::unlike;
use crate::engine::Engine;
use crate::error::Fault;
use crate::partitions::{hold_place, parted};
use crate::remote_store::is_unreachable;
use crate::resources::mount;
use crate::scope::mount_of;
use crate::source::{arrow_schema, byte_of, format_of, objects, part, url_of};
use crate::types;
use columns::{named, typed};
use json::Sample;

/// Files of a folder that are looked at.
const FILES_MAX: usize = 1_000;
/// Of a text that a file gave, in characters.
const TOLD_MAX: usize = 300;

/// Looks at each source. What cannot be looked at is drift, not a failure.
pub(crate) async fn inspect(engine: &Engine, request: &InspectRequest) -> InspectReport {
    let mut report = InspectReport {
        sources: BTreeMap::new(),
    };
    for (name, source) in &request.sources {
        let access = Arc::new(AccessLog::default());
        let looking = Looking {
            engine,
            request,
            source,
            access: Arc::clone(&access),
        };
        // A file can be made so that a reader of its footer panics.
        let looked = AssertUnwindSafe(looking.look()).catch_unwind().await;
        let mut state = match looked {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => failed(&source.path, &error),
            Err(_) => unread(DriftKind::Unreadable, &source.path, "its reader panicked"),
        };
        state.accesses = AccessLog::accesses(&access);
        report.sources.insert(name.clone(), state);
    }
    report
}

fn failed(object: &str, error: &DataFusionError) -> SourceState {
    let kind = if is_unreachable(error) {
        DriftKind::Unreachable
    } else {
        DriftKind::Unreadable
    };
    unread(kind, object, &reason(error))
}

fn unread(kind: DriftKind, object: &str, why: &str) -> SourceState {
    let drift = Drift {
        kind,
        column: None,
        declared: None,
        found: Some(told(why)),
        object: object.to_string(),
    };
    SourceState {
        drift: vec![drift],
        ..SourceState::default()
    }
}

/// Of what is Ambit's own word, what it is in particular.
fn reason(error: &DataFusionError) -> String {
    let fault = match error {
        DataFusionError::External(inner) => inner.downcast_ref::<Fault>(),
        _ => None,
    };
    let detail = fault.and_then(|fault| fault.0.detail.clone());
    detail.unwrap_or_else(|| error.to_string())
}

fn told(text: &str) -> String {
    text.chars().take(TOLD_MAX).collect()
}

struct Looking<'a> {
    engine: &'a Engine,
    request: &'a InspectRequest,
    source: &'a Source,
    access: Arc<AccessLog>,
}

impl Looking<'_> {
    async fn look(&self) -> Result<SourceState> {
        let Self { request, source, .. } = self;
        let Some((name, store)) = request.stores.get_key_value(&source.store) else {
            return Err(internal_datafusion_err!("the source names no store of the request"));
        };
        let mount = mount_of(&request.boundary, name, store, &request.credentials);
        let state = self.state(name, store, &mount)?;
        let url = url_of(&mount, &source.path)?;
        let (format, extension) = format_of(&source.format);
        let parted_files = !source.partitions.is_empty();
        let (store, found) = objects(&state, &url, extension, parted_files).await?;
        let declared = types::schema_of(&source.columns).map_err(|error| internal_datafusion_err!("{error}"))?;
        let (files, _) = parted(&declared, &source.partitions)?;
        let folder = Path::from_url_path(url.path())?;
        let skipped = found.len().saturating_sub(FILES_MAX);
        let looked = found.get(skipped..).unwrap_or_default();
        let mut drift = BTreeSet::new();
        let mut sample = Sample::new(&files, looked.len());
        for object in looked {
            let place = object.location.as_ref().strip_prefix(&mount).unwrap_or_default();
            let place = place.trim_start_matches('/');
            let placed = if parted_files {
                hold_place(&folder, &object.location, &source.partitions)
            } else {
                Ok(())
            };
            let found = match placed {
                Ok(()) => {
                    let file = File {
                        object,
                        place,
                        declared: &files,
                    };
                    self.file(&state, &store, format.as_ref(), &file, &mut sample).await
                }
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => drift.extend(found),
                Err(error) => drift.extend(failed(place, &error).drift),
            }
        }
        drift.extend(sample.vanished(&source.path));
        Ok(SourceState {
            files: looked.len() as u64,
            files_total: found.len() as u64,
            drift: first_of_each(drift),
            accesses: vec![],
        })
    }

    /// A session of its own, with this source's store and nothing else.
    fn state(&self, name: &String, store: &Store, mounted: &str) -> Result<SessionState> {
        let store = std::iter::once((name, store, mounted));
        let stores = mount(self.engine, store, &self.request.credentials, &self.access)?;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&self.engine.memory))
            .with_cache_manager(self.engine.caches.clone())
            .with_object_store_registry(Arc::new(stores))
            .build_arc()?;
        Ok(SessionStateBuilder::new().with_runtime_env(runtime).build())
    }

    /// How one file differs.
    async fn file(
        &self,
        state: &SessionState,
        store: &Arc<dyn ObjectStore>,
        format: &dyn FileFormat,
        file: &File<'_>,
        sample: &mut Sample<'_>,
    ) -> Result<Vec<Drift>> {
        let File {
            object,
            place,
            declared,
        } = *file;
        match &self.source.format {
            // No line is no row.
            SourceFormat::Csv { header: false, .. } | SourceFormat::Json { .. } if object.size == 0 => Ok(vec![]),
            SourceFormat::Parquet => {
                let found = format.infer_schema(state, store, std::slice::from_ref(object)).await?;
                Ok(typed(declared, &found, place))
            }
            SourceFormat::Arrow => Ok(typed(declared, &arrow_schema(store.as_ref(), object).await?, place)),
            SourceFormat::Csv { header, delimiter } => {
                let first = csv_header(store.as_ref(), &object.location, declared, byte_of(delimiter)).await?;
                if *header {
                    return Ok(named(declared, &first, place));
                }
                let columns = declared.fields().len();
                if first.is_empty() || first.len() == columns {
                    return Ok(vec![]);
                }
                let values = first.len();
                Err(unlike(format!(
                    "its first line has {values} values, and the contract {columns} columns"
                )))
            }
            SourceFormat::Json { array } => {
                let range = GetRange::Bounded(0..sample.bytes());
                let head = part(store.as_ref(), &object.location, range).await?;
                let whole = head.len() as u64 == object.size;
                sample.file(&json::objects(&head, whole, *array)?, place)
            }
        }
    }
}

/// A file that is looked at.
struct File<'a> {
    object: &'a ObjectMeta,
    /// Its path in the store.
    place: &'a str,
    /// The columns that it is to have.
    declared: &'a Schema,
}

/// One for each kind, column and pair of types: a folder's files mostly differ alike.
fn first_of_each(drift: BTreeSet<Drift>) -> Vec<Drift> {
    let mut first: Vec<Drift> = Vec::new();
    for one in drift {
        let alike = first.last().is_some_and(|last| {
            (last.kind, &last.column, &last.declared, &last.found) == (one.kind, &one.column, &one.declared, &one.found)
        });
        if !alike {
            first.push(one);
        }
    }
    first
}
