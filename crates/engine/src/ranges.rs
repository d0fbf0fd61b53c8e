//! What a file's statistics say of its floats is not used: a Parquet range leaves NaN out. DataFusion takes a column whose
//! least and greatest value are one for a constant, and would show this value in place of a NaN, hidden or not.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::file_scan;

/// The scan of files of this schema, whose float columns have no range.
pub(crate) fn without_float_ranges(scan: Arc<dyn ExecutionPlan>, schema: &Schema) -> Arc<dyn ExecutionPlan> {
    if !schema.fields().iter().any(|field| field.data_type().is_floating()) {
        return scan;
    }
    let Some(config) = file_scan(scan.as_ref()) else {
        return scan;
    };
    let group = |group: &FileGroup| FileGroup::new(group.iter().map(|file| rangeless(file, schema)).collect());
    let groups = config.file_groups.iter().map(group).collect();
    let config = FileScanConfigBuilder::from(config.clone())
        .with_file_groups(groups)
        .build();
    DataSourceExec::from_data_source(config)
}

fn rangeless(file: &PartitionedFile, schema: &Schema) -> PartitionedFile {
    let mut file = file.clone();
    file.statistics = file.statistics.map(|known| {
        let mut statistics: Statistics = Arc::unwrap_or_clone(known);
        let columns = statistics.column_statistics.iter_mut();
        for (column, field) in columns.zip(schema.fields()) {
            if field.data_type().is_floating() {
                *column = ColumnStatistics {
                    null_count: column.null_count,
                    byte_size: column.byte_size,
                    ..ColumnStatistics::new_unknown()
                };
            }
        }
        Arc::new(statistics)
    });
    file
}
