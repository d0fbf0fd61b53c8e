//! Sources held against what their contract declares, from headers and footers alone: no row is read.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ambit_protocol::{Drift, DriftKind, InspectReport, InspectRequest, Source, SourceFormat, SourceState, Store};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::access::AccessLog;
use crate::csv_header::{Names, csv_header};
use crate::declared::keeps_values;
use crate::engine::Engine;
use crate::partitions::{hold_place, parted};
use crate::remote_store::is_unreachable;
use crate::resources::mount;
use crate::scope::mount_of;
use crate::source::{arrow_schema, format_of, objects, url_of};
use crate::types;

/// Files of a folder that are looked at.
const FILES_MAX: usize = 1_000;
/// Names in a CSV header beyond those that are declared.
const NAMES_MORE_MAX: usize = 1_000;
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
    unread(kind, object, &error.to_string())
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
        let mut drift = BTreeSet::new();
        let skipped = found.len().saturating_sub(FILES_MAX);
        for object in found.iter().skip(skipped) {
            let place = object.location.as_ref().strip_prefix(&mount).unwrap_or_default();
            let place = place.trim_start_matches('/');
            let placed = if parted_files {
                hold_place(&folder, &object.location, &source.partitions)
            } else {
                Ok(())
            };
            let columns = match placed {
                Ok(()) => self.columns(&state, &store, format.as_ref(), object, &files).await,
                Err(error) => Err(error),
            };
            match columns {
                Ok(Columns::Typed(found)) => drift.extend(compare(&files, &found, place)),
                Ok(Columns::Named(names)) => drift.extend(compare_names(&files, &names, place)),
                Ok(Columns::Untold) => {}
                Err(error) => drift.extend(failed(place, &error).drift),
            }
        }
        Ok(SourceState {
            files: (found.len() - skipped) as u64,
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

    async fn columns(
        &self,
        state: &SessionState,
        store: &Arc<dyn ObjectStore>,
        format: &dyn FileFormat,
        object: &ObjectMeta,
        declared: &Schema,
    ) -> Result<Columns> {
        Ok(match &self.source.format {
            SourceFormat::Parquet => {
                let found = format.infer_schema(state, store, std::slice::from_ref(object)).await?;
                Columns::Typed(found.as_ref().clone())
            }
            SourceFormat::Arrow => Columns::Typed(arrow_schema(store.as_ref(), object).await?),
            SourceFormat::Csv {
                header: true,
                delimiter,
            } => {
                let delimiter = delimiter.bytes().next().unwrap_or(b',');
                let most = Names::UpTo(declared.fields().len() + NAMES_MORE_MAX);
                Columns::Named(csv_header(store.as_ref(), &object.location, delimiter, most).await?)
            }
            SourceFormat::Csv { header: false, .. } | SourceFormat::Json { .. } => Columns::Untold,
        })
    }
}

/// What a file tells of its columns before a row is read.
enum Columns {
    Typed(Schema),
    Named(Vec<String>),
    Untold,
}

fn compare(declared: &Schema, found: &Schema, object: &str) -> Vec<Drift> {
    let mut drift = Vec::new();
    let mut say = |kind, column: &str, declared: Option<&DataType>, found: Option<&DataType>| {
        drift.push(Drift {
            kind,
            column: Some(told(column)),
            declared: declared.map(ToString::to_string),
            found: found.map(|found| told(&found.to_string())),
            object: object.to_string(),
        });
    };
    for field in declared.fields() {
        match found.field_with_name(field.name()) {
            Err(_) => say(DriftKind::Vanished, field.name(), Some(field.data_type()), None),
            Ok(column) if !keeps_values(column.data_type(), field.data_type()) => say(
                DriftKind::Retyped,
                field.name(),
                Some(field.data_type()),
                Some(column.data_type()),
            ),
            Ok(_) => {}
        }
    }
    for column in found.fields() {
        if declared.field_with_name(column.name()).is_err() {
            say(DriftKind::Appeared, column.name(), None, Some(column.data_type()));
        }
    }
    drift
}

fn compare_names(declared: &Schema, found: &[String], object: &str) -> Option<Drift> {
    let names: Vec<&str> = declared.fields().iter().map(|field| field.name().as_str()).collect();
    (names != found).then(|| Drift {
        kind: DriftKind::Header,
        column: None,
        declared: Some(told(&names.join(", "))),
        found: Some(told(&found.join(", "))),
        object: object.to_string(),
    })
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
