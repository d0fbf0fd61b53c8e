//! Files beneath a folder, reached one plain name at a time and without a symbolic link.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use chrono::DateTime;
use object_store::path::{Path, PathPart};
use object_store::{Error, ObjectMeta, Result};

/// What errors of a store are of.
pub(crate) const STORE: &str = "local store";

/// Opens a store's root, the only ambient act: everything else walks beneath it.
pub(crate) fn open_root(path: &FsPath) -> io::Result<Arc<Dir>> {
    Ok(Arc::new(Dir::open_ambient_dir(path, cap_std::ambient_authority())?))
}

/// Splits a key into plain names and opens them one beneath the other.
pub(crate) fn walk(root: &Dir, key: &str) -> io::Result<std::fs::File> {
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let folder = open_folder(root, folder)?;
    let mut options = OpenOptions::new();
    // Without it, opening a FIFO waits for a writer.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = folder.open_with(plain(name)?, &options)?.into_std();
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

pub(crate) fn open_folder(root: &Dir, path: &str) -> io::Result<Dir> {
    let mut folder = root.try_clone()?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        folder = folder.open_dir_nofollow(plain(name)?)?;
    }
    Ok(folder)
}

/// A name that means nothing but itself.
pub(crate) fn plain(name: &str) -> io::Result<&str> {
    let special = name.contains(['\\', '%']) || name.is_empty() || PathPart::parse(name).is_err();
    if special {
        Err(io::Error::from(io::ErrorKind::InvalidInput))
    } else {
        Ok(name)
    }
}

/// The time of change is the later of content and inode: a file that was put in another's place with its size and time
/// is another, also for DataFusion's footer cache, which looks at size and time alone.
pub(crate) fn describe(file: &std::fs::File, location: &Path) -> io::Result<ObjectMeta> {
    let metadata = cap_std::fs::Metadata::from_file(file)?;
    let modified = (metadata.mtime(), metadata.mtime_nsec()).max((metadata.ctime(), metadata.ctime_nsec()));
    Ok(ObjectMeta {
        location: location.clone(),
        last_modified: DateTime::from_timestamp(modified.0, u32::try_from(modified.1).unwrap_or_default())
            .unwrap_or_default(),
        size: metadata.len(),
        e_tag: Some(format!(
            "{:x}-{:x}.{:x}-{:x}",
            metadata.ino(),
            modified.0,
            modified.1,
            metadata.len()
        )),
        version: None,
    })
}

/// Reads the ranges of one version: a file that changes meanwhile gives no bytes.
pub(crate) fn read_all(file: &std::fs::File, meta: &ObjectMeta, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let broken = |error: io::Error| failed(&meta.location, error);
    let mut read = Vec::with_capacity(ranges.len());
    for range in ranges {
        if range.start > range.end || range.end > meta.size {
            return Err(broken(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        let length = usize::try_from(range.end - range.start).map_err(|error| broken(io::Error::other(error)))?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start).map_err(broken)?;
        read.push(bytes.into());
    }
    if describe(file, &meta.location).map_err(broken)?.e_tag == meta.e_tag {
        Ok(read)
    } else {
        Err(changed(&meta.location))
    }
}

/// Never the path on the host, and never the system's words about it.
pub(crate) fn failed(location: &Path, error: io::Error) -> Error {
    let path = location.to_string();
    if matches!(error.kind(), io::ErrorKind::NotFound) {
        Error::NotFound {
            path,
            source: "no such object".into(),
        }
    } else {
        Error::Generic {
            store: STORE,
            source: format!("`{path}` cannot be read: {}", error.kind()).into(),
        }
    }
}

pub(crate) fn changed(location: &Path) -> Error {
    Error::Precondition {
        path: location.to_string(),
        source: "the object changed while the session read it".into(),
    }
}
