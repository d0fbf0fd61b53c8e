//! Spill files have no name, count against the session and the worker, and are gone with their last holder.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;
use futures::TryStreamExt;

use super::spill::{SessionSpill, WorkerSpill};

fn names(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn manager(spill: &Arc<SessionSpill>) -> DiskManager {
    spill.disk_manager().build().unwrap()
}

fn file(spill: &Arc<SessionSpill>) -> Arc<dyn SpillFile> {
    Arc::new(manager(spill)).create_tmp_file("test").unwrap()
}

async fn content(file: &Arc<dyn SpillFile>) -> Vec<u8> {
    let chunks: Vec<bytes::Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn what_is_written_is_read_and_counted_and_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerSpill::new(Some(folder.path().to_path_buf()), 10_000_000).unwrap();
    let spill = SessionSpill::new(&worker, 5_000_000);
    let file = file(&spill);
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let mut writer = file.open_writer().unwrap();
    for part in bytes.chunks(77_777) {
        writer.write_all(part).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    assert_eq!(names(folder.path()), 0, "a kill would leave it");
    assert_eq!(
        (spill.used(), worker.used(), spill.written()),
        (1_000_000, 1_000_000, 1_000_000)
    );
    assert_eq!(file.size(), Some(1_000_000));
    // Twice, and at once.
    let (first, second) = tokio::join!(content(&file), content(&file));
    assert!(first == bytes && second == bytes);
    let reading = file.read_stream().unwrap();
    drop(file);
    assert_eq!(spill.used(), 1_000_000, "a reader still holds it");
    drop(reading);
    assert_eq!((spill.used(), worker.used(), spill.written()), (0, 0, 1_000_000));
    assert!(!spill.exceeded());
}

#[tokio::test]
async fn a_session_has_its_quota_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerSpill::new(Some(folder.path().to_path_buf()), 10_000).unwrap();
    let spill = SessionSpill::new(&worker, 1_000);
    let file = file(&spill);
    let mut writer = file.open_writer().unwrap();
    writer.write_all(&[1; 1_000]).unwrap();
    assert_eq!(
        writer.write_all(&[1]).unwrap_err().kind(),
        std::io::ErrorKind::QuotaExceeded
    );
    assert!(spill.exceeded());
    assert_eq!((spill.used(), worker.used(), spill.written()), (1_000, 1_000, 1_000));
    drop((file, writer));
    assert_eq!((spill.used(), worker.used()), (0, 0));
}

#[tokio::test]
async fn all_sessions_share_the_workers_quota() {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerSpill::new(Some(folder.path().to_path_buf()), 1_000).unwrap();
    let (first, second) = (SessionSpill::new(&worker, 900), SessionSpill::new(&worker, 900));
    let (mine, theirs) = (file(&first), file(&second));
    mine.open_writer().unwrap().write_all(&[1; 800]).unwrap();
    let mut writer = theirs.open_writer().unwrap();
    assert!(writer.write_all(&[1; 300]).is_err());
    assert!(second.exceeded() && !first.exceeded());
    assert_eq!((first.used(), second.used(), worker.used()), (800, 0, 800));
    writer.write_all(&[1; 200]).unwrap();
    drop(mine);
    writer.write_all(&[1; 300]).unwrap();
    assert_eq!(worker.used(), 500);
}

#[tokio::test]
async fn many_writers_never_pass_the_quota() {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerSpill::new(Some(folder.path().to_path_buf()), 50_000).unwrap();
    let spill = SessionSpill::new(&worker, 100_000);
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let file = file(&spill);
            std::thread::spawn(move || {
                let mut writer = file.open_writer().unwrap();
                let written = (0..100).filter(|_| writer.write_all(&[7; 100]).is_ok()).count();
                (file, written as u64 * 100)
            })
        })
        .collect();
    let done: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let written: u64 = done.iter().map(|(_, written)| written).sum();
    assert!(written <= 50_000);
    assert_eq!(
        (worker.used(), spill.used(), spill.written()),
        (written, written, written)
    );
    drop(done);
    assert_eq!((worker.used(), spill.used()), (0, 0));
}

#[test]
fn no_quota_or_no_folder_turns_spilling_off() {
    let folder = tempfile::tempdir().unwrap();
    let with = WorkerSpill::new(Some(folder.path().to_path_buf()), 1_000).unwrap();
    let without = WorkerSpill::new(None, 1_000).unwrap();
    for spill in [SessionSpill::new(&with, 0), SessionSpill::new(&without, 1_000)] {
        let manager = Arc::new(manager(&spill));
        assert!(!manager.tmp_files_enabled());
        assert!(manager.create_tmp_file("test").is_err());
    }
}

#[test]
fn a_spill_folder_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("spill");
    let worker = WorkerSpill::new(Some(folder.clone()), 1_000).unwrap();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0);
    drop(worker);
}
