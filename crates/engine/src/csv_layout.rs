//! Where a CSV file has the declared columns. DataFusion takes them by their place, and refuses a file that has more: one whose
//! header names them elsewhere, or others between them, is read by a source of its own columns, which gives those that are
//! declared. Of a column that is not declared no value is made.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::CsvOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    CsvSource, FileOpenFuture, FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::declared::unlike;
use crate::scan::file_scan;

/// Places of the declared columns in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    /// By declared column.
    places: Vec<usize>,
    /// Columns of the file.
    width: usize,
}

impl Layout {
    /// From the names in a file's header. Each declared column has to be there, and no name may be there twice.
    pub(crate) fn of(names: &[String], declared: &Schema) -> Result<Self> {
        let twice = repeated(names);
        let place = |field: &Arc<Field>| {
            let name = field.name();
            if twice.contains(name.as_str()) {
                return Err(unlike(format!(
                    "the header of a CSV file names column `{name}` more than once"
                )));
            }
            let found = names.iter().position(|found| found == name);
            found.ok_or_else(|| unlike(format!("the header of a CSV file has no column `{name}`")))
        };
        let places = declared.fields().iter().map(place).collect::<Result<_>>()?;
        if !twice.is_empty() {
            return Err(unlike("the header of a CSV file has one name more than once".into()));
        }
        Ok(Self {
            places,
            width: names.len(),
        })
    }

    /// Whether the file has the declared columns alone, in their order.
    fn is_declared(&self) -> bool {
        self.width == self.places.len() && self.places.is_sorted()
    }

    /// The file's own columns. They are found by their place: those that are not declared need no name.
    fn columns(&self, declared: &TableSchema) -> TableSchema {
        let unnamed = Arc::new(Field::new("", DataType::Utf8, true));
        let mut fields = vec![unnamed; self.width];
        for (place, field) in self.places.iter().zip(declared.file_schema().fields()) {
            if let Some(slot) = fields.get_mut(*place) {
                *slot = Arc::clone(field);
            }
        }
        TableSchema::builder(Arc::new(Schema::new(fields)))
            .with_table_partition_cols(declared.table_partition_cols().clone())
            .build()
    }

    /// What is asked of the declared columns, and of those of the folders after them, asked of the file's.
    fn projection(&self, asked: &ProjectionExprs) -> Result<ProjectionExprs> {
        let moved = |part: Arc<dyn PhysicalExpr>| {
            let Some(column) = part.downcast_ref::<Column>() else {
                return Ok(Transformed::no(part));
            };
            let index = column.index();
            let place = match self.places.get(index) {
                Some(place) => *place,
                None => index - self.places.len() + self.width,
            };
            Ok(Transformed::yes(
                Arc::new(Column::new(column.name(), place)) as Arc<dyn PhysicalExpr>
            ))
        };
        asked.clone().try_map_exprs(|asked| asked.transform(moved).data())
    }
}

/// Names that stand more than once. A column without a name has none.
pub(crate) fn repeated(names: &[String]) -> HashSet<&str> {
    let mut seen = HashSet::new();
    let named = names.iter().map(String::as_str).filter(|name| !name.is_empty());
    named.filter(|name| !seen.insert(*name)).collect()
}

/// The scan of CSV files that have these layouts. As it was where all have the declared columns alone, in their order.
pub(crate) fn by_name(
    scan: Arc<dyn ExecutionPlan>,
    layouts: HashMap<Path, Layout>,
    options: &CsvOptions,
) -> Arc<dyn ExecutionPlan> {
    if layouts.values().all(Layout::is_declared) {
        return scan;
    }
    let Some(config) = file_scan(scan.as_ref()) else {
        return scan;
    };
    let source = ByName {
        declared: Arc::clone(&config.file_source),
        batch_size: None,
        options: options.clone(),
        layouts: Arc::new(layouts),
    };
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(source))
        .build();
    DataSourceExec::from_data_source(config)
}

/// CSV files, each read by its layout.
#[derive(Clone)]
struct ByName {
    /// For files that have the declared columns alone, in their order; knows what is asked.
    declared: Arc<dyn FileSource>,
    batch_size: Option<usize>,
    options: CsvOptions,
    /// Of every file of the scan.
    layouts: Arc<HashMap<Path, Layout>>,
}

impl ByName {
    fn with_declared(&self, declared: Arc<dyn FileSource>) -> Self {
        Self {
            declared,
            ..self.clone()
        }
    }

    /// The source of files with this layout.
    fn source(&self, layout: &Layout) -> Result<Arc<dyn FileSource>> {
        if layout.is_declared() {
            return Ok(Arc::clone(&self.declared));
        }
        let columns = layout.columns(self.declared.table_schema());
        let source = CsvSource::new(columns).with_csv_options(self.options.clone());
        let source: Arc<dyn FileSource> = match self.batch_size {
            Some(rows) => source.with_batch_size(rows),
            None => Arc::new(source),
        };
        let Some(asked) = self.declared.projection() else {
            return Ok(source);
        };
        let asked = layout.projection(asked)?;
        source
            .try_pushdown_projection(&asked)?
            .ok_or_else(|| internal_datafusion_err!("a CSV source takes every projection"))
    }
}

impl FileSource for ByName {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let mut openers = HashMap::new();
        for layout in self.layouts.values() {
            if !openers.contains_key(layout) {
                let source = self.source(layout)?;
                let opener = source.create_file_opener(Arc::clone(&store), config, partition)?;
                openers.insert(layout.clone(), opener);
            }
        }
        Ok(Arc::new(Openers {
            layouts: Arc::clone(&self.layouts),
            openers,
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.declared.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_size: Some(batch_size),
            ..self.with_declared(self.declared.with_batch_size(batch_size))
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.declared.projection()
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let declared = self.declared.try_pushdown_projection(projection)?;
        Ok(declared.map(|declared| Arc::new(self.with_declared(declared)) as _))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.declared.metrics()
    }

    fn file_type(&self) -> &str {
        self.declared.file_type()
    }

    fn supports_repartitioning(&self) -> bool {
        self.declared.supports_repartitioning()
    }

    fn fmt_extra(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.declared.fmt_extra(format, formatter)
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.declared.apply_expressions(visit)
    }
}

struct Openers {
    layouts: Arc<HashMap<Path, Layout>>,
    openers: HashMap<Layout, Arc<dyn FileOpener>>,
}

impl FileOpener for Openers {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let layout = self.layouts.get(&file.object_meta.location);
        let opener = layout.and_then(|layout| self.openers.get(layout));
        opener
            .ok_or_else(|| internal_datafusion_err!("a file is opened whose header was not looked at"))?
            .open(file)
    }
}
