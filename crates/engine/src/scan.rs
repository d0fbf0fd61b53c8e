//! Scans of files, as DataFusion plans them.

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;

/// What is read, if the step reads files.
pub(crate) fn file_scan(plan: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    source.data_source().downcast_ref::<FileScanConfig>()
}

/// Whether the step will read a file that holds something.
pub(crate) fn reads_bytes(plan: &dyn ExecutionPlan) -> bool {
    let groups = file_scan(plan).into_iter().flat_map(|scan| &scan.file_groups);
    let mut files = groups.flat_map(|group| group.iter());
    files.any(|file| file.object_meta.size > 0)
}

/// The files that the step will read.
pub(crate) fn files_of(plan: &dyn ExecutionPlan) -> Vec<Path> {
    let groups = file_scan(plan).into_iter().flat_map(|scan| &scan.file_groups);
    let files = groups.flat_map(|group| group.iter());
    files.map(|file| file.object_meta.location.clone()).collect()
}
