//! Sources as tables: files of the declared schema. Nothing is inferred; what does not fit is an error, not a guess.

use std::collections::HashMap;
use std::sync::Arc;

use ambit_protocol::{Source, SourceFormat};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::ipc::convert::fb_to_schema;
use datafusion::arrow::ipc::reader::read_footer_length;
use datafusion::arrow::ipc::root_as_footer;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::cache::cache_manager::{CacheManager, CacheManagerConfig};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{Column as PhysicalColumn, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use futures::TryStreamExt;
use object_store::path::{Path, PathPart};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::csv_header::csv_header;
use crate::csv_layout::{Layout, by_name};
use crate::declared::{AsDeclared, hold, unlike};
use crate::partitions::{hold_place, parted};
use crate::ranges::without_float_ranges;
use crate::scan::{files_of, reads_bytes};

/// Under it lie all stores of a session.
pub(crate) const STORES_URL: &str = "ambit://stores/";
/// Footers kept for all sessions of a worker, in bytes.
const FOOTERS_BYTES: usize = 64 * 1024 * 1024;
/// What footers say of columns, kept for all sessions of a worker, in bytes.
const STATISTICS_BYTES: usize = 16 * 1024 * 1024;

/// Caches that sessions share: Parquet footers and their statistics alone, since their keys begin with the mount and they
/// are checked against size and time of change. No listings.
pub(crate) fn shared_caches() -> CacheManagerConfig {
    let config = CacheManagerConfig::default()
        .with_list_files_cache_limit(0)
        .with_file_statistics_cache_limit(STATISTICS_BYTES)
        .with_metadata_cache_limit(FOOTERS_BYTES);
    let shared = CacheManager::try_new(&config).ok();
    let footers = shared.as_ref().map(|manager| manager.get_file_metadata_cache());
    let statistics = shared.and_then(|manager| manager.get_file_statistic_cache());
    config
        .with_file_metadata_cache(footers)
        .with_file_statistics_cache(statistics)
}

/// The source, ungoverned.
pub(crate) fn raw_table(source: &Source, mount: &str, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
    let url = url_of(mount, &source.path)?;
    let parted_files = !source.partitions.is_empty();
    let check = match &source.format {
        SourceFormat::Arrow if parted_files => return Err(unlike("Arrow files have no partitions".into())),
        SourceFormat::Arrow => return Ok(Arc::new(ArrowFiles { url, schema })),
        SourceFormat::Parquet => Check::Content,
        SourceFormat::Csv {
            header: true,
            delimiter,
        } => Check::Header(byte_of(delimiter)),
        // No line is no row.
        SourceFormat::Csv { header: false, .. } | SourceFormat::Json { .. } if !parted_files => {
            return Ok(Arc::new(listing(&source.format, &url, schema, vec![])?));
        }
        SourceFormat::Csv { header: false, .. } | SourceFormat::Json { .. } => Check::Place,
    };
    let (files, folders) = parted(&schema, &source.partitions)?;
    let files = Arc::new(files);
    Ok(Arc::new(CheckedFiles {
        table: listing(&source.format, &url, Arc::clone(&files), folders)?,
        extension: format_of(&source.format).1,
        url,
        files,
        partitions: source.partitions.clone(),
        check,
    }))
}

/// The path beneath its mount. A URL parser would take `..`, `%2e`, `?` and `#` for more than names, and leave the mount.
pub(crate) fn url_of(mount: &str, path: &str) -> Result<Url> {
    let mut url = Url::parse(STORES_URL).map_err(|error| internal_datafusion_err!("{error}"))?;
    let names: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let plain = |name: &&str| !name.contains(['%', '\\']) && !name.is_empty() && PathPart::parse(name).is_ok();
    if !names.iter().all(plain) {
        return Err(unlike("the source's path is not a path of plain names".into()));
    }
    url.path_segments_mut()
        .map_err(|()| internal_datafusion_err!("a stores URL has segments"))?
        .pop_if_empty()
        .push(mount)
        .extend(names)
        .extend(path.ends_with('/').then_some(""));
    Ok(url)
}

fn listing(
    format: &SourceFormat,
    url: &Url,
    schema: SchemaRef,
    folders: Vec<(String, DataType)>,
) -> Result<ListingTable> {
    let (format, extension) = format_of(format);
    let extension = if url.path().ends_with('/') { extension } else { "" };
    let options = ListingOptions::new(format)
        .with_file_extension(extension)
        .with_table_partition_cols(folders);
    let config = ListingTableConfig::new(ListingTableUrl::try_new(url.clone(), None)?)
        .with_listing_options(options)
        .with_schema(schema)
        .with_expr_adapter_factory(Arc::new(AsDeclared));
    ListingTable::try_new(config)
}

/// The objects of a table, as DataFusion lists them: one file, or those of a folder, with those of its folders if it is `deep`.
pub(crate) async fn objects(
    state: &dyn Session,
    url: &Url,
    extension: &str,
    deep: bool,
) -> Result<(Arc<dyn ObjectStore>, Vec<ObjectMeta>)> {
    let store = state.runtime_env().object_store_registry.get_store(url)?;
    let path = Path::from_url_path(url.path())?;
    if !url.path().ends_with('/') {
        let meta = store.head(&path).await?;
        return Ok((store, vec![meta]));
    }
    let flat = state.config_options().execution.listing_table_ignore_subdirectory && !deep;
    let depth = path.parts().count() + 1;
    let listed: Vec<ObjectMeta> = store.list(Some(&path)).try_collect().await?;
    let within = |meta: &ObjectMeta| {
        meta.location.as_ref().ends_with(extension) && (!flat || meta.location.parts().count() == depth)
    };
    Ok((store, listed.into_iter().filter(within).collect()))
}

pub(crate) fn format_of(format: &SourceFormat) -> (Arc<dyn FileFormat>, &'static str) {
    match format {
        SourceFormat::Parquet => (
            Arc::new(ParquetFormat::new().with_options(TableParquetOptions::default())),
            ".parquet",
        ),
        SourceFormat::Csv { header, delimiter } => (Arc::new(csv_format(*header, byte_of(delimiter))), ".csv"),
        SourceFormat::Json { array } => (Arc::new(JsonFormat::default().with_newline_delimited(!array)), ".json"),
        SourceFormat::Arrow => (Arc::new(ArrowFormat), ".arrow"),
    }
}

fn csv_format(header: bool, delimiter: u8) -> CsvFormat {
    CsvFormat::default()
        .with_has_header(header)
        .with_delimiter(delimiter)
        // Else a large file is cut into parts, and one may begin inside a quoted value.
        .with_newlines_in_values(true)
}

/// What stands between the values of a CSV file.
pub(crate) fn byte_of(delimiter: &str) -> u8 {
    delimiter.bytes().next().unwrap_or(b',')
}

/// Files that are looked at before DataFusion reads them, for what it would not notice.
#[derive(Debug)]
struct CheckedFiles {
    table: ListingTable,
    url: Url,
    extension: &'static str,
    /// Columns of the files.
    files: SchemaRef,
    /// Columns of the names of their folders.
    partitions: Vec<String>,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// A file without a byte is not a file of this format; DataFusion skips it.
    Content,
    /// The first line says where the declared columns are: DataFusion takes them by their place, whatever it says.
    Header(u8),
    /// No line is no row: that files lie in their folders is all.
    Place,
}

impl CheckedFiles {
    async fn check(&self, state: &dyn Session) -> Result<()> {
        let folder = Path::from_url_path(self.url.path())?;
        let deep = !self.partitions.is_empty();
        let (_, objects) = objects(state, &self.url, self.extension, deep).await?;
        for object in objects {
            if object.size == 0 && !matches!(self.check, Check::Place) {
                return Err(unlike("a file is empty".into()));
            }
            if deep {
                hold_place(&folder, &object.location, &self.partitions)?;
            }
        }
        Ok(())
    }

    /// Each file that is read, by its own header. What a partition leaves out is not opened.
    async fn by_header(
        &self,
        state: &dyn Session,
        scan: Arc<dyn ExecutionPlan>,
        delimiter: u8,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let store = state.runtime_env().object_store_registry.get_store(&self.url)?;
        let mut layouts = HashMap::new();
        for file in files_of(scan.as_ref()) {
            let names = csv_header(store.as_ref(), &file, &self.files, delimiter).await?;
            layouts.insert(file, Layout::of(&names, &self.files)?);
        }
        Ok(by_name(scan, layouts, csv_format(true, delimiter).options()))
    }
}

pub(crate) async fn part(store: &dyn ObjectStore, object: &Path, range: GetRange) -> Result<Bytes> {
    let options = GetOptions {
        range: Some(range),
        ..GetOptions::default()
    };
    Ok(store.get_opts(object, options).await?.bytes().await?)
}

#[async_trait]
impl TableProvider for CheckedFiles {
    /// Columns of the files, then those of their folders.
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.table.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let folder = self.url.path().ends_with('/');
        if folder {
            self.check(state).await?;
        }
        let statistics = state.runtime_env().cache_manager.get_file_statistic_cache();
        let table = self.table.clone().with_cache(statistics);
        let scan = table.scan(state, projection, filters, limit).await;
        // A single file is looked at once: that it is in the scan says that it holds something.
        if !folder && !scan.as_ref().is_ok_and(|scan| reads_bytes(scan.as_ref())) {
            self.check(state).await?;
        }
        let scan = scan?;
        let scan = match self.check {
            Check::Header(delimiter) => self.by_header(state, scan, delimiter).await?,
            Check::Content | Check::Place => scan,
        };
        Ok(without_float_ranges(scan, &self.schema()))
    }
}

/// Arrow files, read with the types that they have and shown with those declared: DataFusion's reader does not cast,
/// and takes columns by their position in the first file.
#[derive(Debug)]
struct ArrowFiles {
    url: Url,
    schema: SchemaRef,
}

impl ArrowFiles {
    /// What all files have. DataFusion looks for the schema at a file's start, where arrow-rs writes 64 bytes of padding
    /// and it expects 8.
    async fn found(&self, state: &dyn Session) -> Result<SchemaRef> {
        let (store, objects) = objects(state, &self.url, ".arrow", false).await?;
        let mut common: Option<Schema> = None;
        // The projection refuses a NULL where none is declared.
        let declared = |field: &FieldRef| match self.schema.field_with_name(field.name()) {
            Ok(declared) => Arc::new(field.as_ref().clone().with_nullable(declared.is_nullable())),
            Err(_) => Arc::clone(field),
        };
        for object in objects {
            let found = arrow_schema(store.as_ref(), &object).await?;
            hold(&self.schema, &found)?;
            if common.as_ref().is_some_and(|common| *common != found) {
                return Err(unlike("the files of a folder differ in their columns".into()));
            }
            common = Some(found);
        }
        let Some(common) = common else {
            return Ok(Arc::clone(&self.schema));
        };
        Ok(Arc::new(Schema::new(
            common.fields().iter().map(declared).collect::<Vec<_>>(),
        )))
    }
}

/// The schema in a file's footer, without metadata.
pub(crate) async fn arrow_schema(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<Schema> {
    /// Length of the footer, and the magic word.
    const TAIL_BYTES: usize = 10;
    let broken = || unlike("a file is not an Arrow file".into());
    let tail = part(store, &object.location, GetRange::Suffix(TAIL_BYTES as u64)).await?;
    let tail: [u8; TAIL_BYTES] = tail.as_ref().try_into().map_err(|_| broken())?;
    let length = read_footer_length(tail).map_err(|_| broken())?;
    let reach = (length + TAIL_BYTES) as u64;
    if reach > object.size {
        return Err(broken());
    }
    let footer = part(store, &object.location, GetRange::Suffix(reach)).await?;
    let footer = root_as_footer(footer.get(..length).ok_or_else(broken)?).map_err(|_| broken())?;
    let schema = fb_to_schema(footer.schema().ok_or_else(broken)?);
    let plain = |field: &FieldRef| Field::new(field.name(), field.data_type().clone(), field.is_nullable());
    Ok(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for ArrowFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.found(state).await?;
        let shown = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => self.schema(),
        };
        let indices: Result<Vec<usize>> = shown
            .fields()
            .iter()
            .map(|field| Ok(files.index_of(field.name())?))
            .collect();
        let table = listing(&SourceFormat::Arrow, &self.url, files, vec![])?;
        let scan = table.scan(state, Some(&indices?), &[], limit).await?;
        let mut columns = Vec::with_capacity(shown.fields().len());
        for (index, field) in shown.fields().iter().enumerate() {
            let column = Arc::new(PhysicalColumn::new(field.name(), index));
            columns.push((
                cast(column, &scan.schema(), field.data_type().clone())?,
                field.name().clone(),
            ));
        }
        Ok(Arc::new(ProjectionExec::try_new(columns, scan)?))
    }
}
