//! A store is its root and nothing else: no link, no device, no odd name leads out, nothing is written, and what was
//! asked is in the record.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::SourceAccess;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use tempfile::TempDir;
use url::Url;

use super::access::AccessLog;
use super::beneath::open_root;
use super::local_store::LocalStore;
use super::store::{SessionStore, SessionStores};

pub(crate) const URL: &str = "ambit://stores/";

pub(crate) struct Place {
    outside: TempDir,
    pub(crate) root: PathBuf,
    log: Arc<AccessLog>,
    stores: SessionStores,
}

/// A root with a file and a folder, and a secret beside it.
pub(crate) fn place() -> Place {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("root");
    fs::create_dir_all(root.join("folder/deep")).unwrap();
    fs::write(root.join("plain.csv"), "0123456789").unwrap();
    fs::write(root.join("folder/one.csv"), "one").unwrap();
    fs::write(root.join("folder/deep/two.csv"), "two").unwrap();
    fs::write(outside.path().join("secret.csv"), "secret").unwrap();
    fs::create_dir(outside.path().join("other")).unwrap();
    fs::write(outside.path().join("other/secret.csv"), "secret").unwrap();
    let (stores, log) = mounted(&root);
    Place {
        outside,
        root,
        log,
        stores,
    }
}

pub(crate) fn mounted(root: &FsPath) -> (SessionStores, Arc<AccessLog>) {
    let log = Arc::new(AccessLog::default());
    let store = LocalStore::new(open_root(root).unwrap(), "m1", log.clone(), "lake");
    (SessionStores::new(URL, vec![SessionStore::Local(Arc::new(store))]), log)
}

impl Place {
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.stores.get_store(&Url::parse(URL).unwrap()).unwrap()
    }

    pub(crate) async fn read(&self, key: &str) -> Result<String, String> {
        let path = Path::parse(key).map_err(|error| error.to_string())?;
        let read = async { self.store().get_opts(&path, GetOptions::default()).await?.bytes().await };
        // A FIFO must not hold a session.
        let bytes = tokio::time::timeout(Duration::from_secs(5), read).await.expect("hangs");
        bytes
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .map_err(|error| error.to_string())
    }

    async fn refused(&self, key: &str) {
        let error = self.read(key).await.expect_err(key);
        assert!(
            !error.contains(self.outside.path().to_str().unwrap()),
            "`{error}` names a path of the host"
        );
        assert!(!error.contains("secret\n"), "{error}");
    }

    async fn listed(&self, prefix: &str) -> Result<Vec<String>, object_store::Error> {
        let listed: Vec<_> = self.store().list(Some(&Path::from(prefix))).try_collect().await?;
        Ok(listed.into_iter().map(|meta| meta.location.to_string()).collect())
    }

    fn access(&self, object: &str) -> SourceAccess {
        let accesses = self.log.accesses();
        let found = accesses.iter().find(|access| access.object == object);
        found
            .unwrap_or_else(|| panic!("no record of `{object}` in {accesses:?}"))
            .clone()
    }
}

fn fifo(path: &FsPath) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn files_beneath_the_root_are_read() {
    let place = place();
    assert_eq!(place.read("m1/plain.csv").await.unwrap(), "0123456789");
    assert_eq!(place.read("m1/folder/deep/two.csv").await.unwrap(), "two");
    let path = Path::from("m1/plain.csv");
    let ranges = place
        .store()
        .get_ranges(&path, &[2..4, 0..1, 9..10, 3..3])
        .await
        .unwrap();
    assert_eq!(ranges.concat(), b"2309");
    let suffix = GetOptions {
        range: Some(GetRange::Suffix(3)),
        ..GetOptions::default()
    };
    assert_eq!(
        place
            .store()
            .get_opts(&path, suffix)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        "789"
    );
    assert_eq!(place.store().head(&path).await.unwrap().size, 10);
}

#[tokio::test]
async fn large_files_are_read_whole() {
    let place = place();
    let text: String = (0..700_000).map(|line| format!("{line:05}")).collect();
    fs::write(place.root.join("large"), &text).unwrap();
    assert!(place.read("m1/large").await.unwrap() == text);
    fs::write(place.root.join("empty"), "").unwrap();
    assert_eq!(place.read("m1/empty").await.unwrap(), "");
}

#[tokio::test]
async fn no_link_is_followed() {
    let place = place();
    symlink("../secret.csv", place.root.join("file-link")).unwrap();
    symlink(
        place.outside.path().join("secret.csv"),
        place.root.join("absolute-link"),
    )
    .unwrap();
    symlink("../other", place.root.join("folder-link")).unwrap();
    // Not even within the root: what a name means must not depend on who wrote a link last.
    symlink("plain.csv", place.root.join("inner-link")).unwrap();
    symlink("folder", place.root.join("inner-folder")).unwrap();
    symlink("/proc/self", place.root.join("proc")).unwrap();
    symlink("loop", place.root.join("loop")).unwrap();
    for key in [
        "m1/file-link",
        "m1/absolute-link",
        "m1/folder-link/secret.csv",
        "m1/inner-link",
        "m1/inner-folder/one.csv",
        "m1/proc/environ",
        "m1/proc/root/etc/passwd",
        "m1/proc/fd/0",
        "m1/loop",
    ] {
        place.refused(key).await;
    }
    assert_eq!(
        place.listed("m1").await.unwrap(),
        ["m1/folder/deep/two.csv", "m1/folder/one.csv", "m1/plain.csv"]
    );
    assert!(place.listed("m1/folder-link").await.is_err());
    assert!(place.listed("m1/inner-folder").await.is_err());
}

#[tokio::test]
async fn a_file_swapped_for_a_link_is_not_followed() {
    let place = place();
    assert_eq!(place.listed("m1/folder").await.unwrap().len(), 2);
    fs::remove_file(place.root.join("folder/one.csv")).unwrap();
    symlink("../../secret.csv", place.root.join("folder/one.csv")).unwrap();
    place.refused("m1/folder/one.csv").await;
    fs::remove_dir_all(place.root.join("folder/deep")).unwrap();
    symlink("../../other", place.root.join("folder/deep")).unwrap();
    place.refused("m1/folder/deep/secret.csv").await;
}

#[tokio::test]
async fn only_regular_files_exist() {
    let place = place();
    fifo(&place.root.join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(place.root.join("socket")).unwrap();
    for key in [
        "m1/fifo",
        "m1/socket",
        "m1/folder",
        "m1/",
        "m1",
        "m1/absent",
        "m1/plain.csv/x",
    ] {
        place.refused(key).await;
    }
    assert_eq!(place.listed("m1").await.unwrap().len(), 3);
    // Both were met, and neither was shown.
    assert_eq!(place.access("/").failures, 2);
}

#[tokio::test]
async fn names_mean_nothing_but_themselves() {
    let place = place();
    fs::write(place.root.join("a%2e"), "literal").unwrap();
    for key in [
        "m1/../secret.csv",
        "m1/folder/../../secret.csv",
        "m1/./plain.csv",
        "m1//plain.csv",
        "m1/%2e%2e/secret.csv",
        "m1/..%2fsecret.csv",
        "m1/folder%2fone.csv",
        "m1/plain.csv\0",
        "m1/%00",
        "m1/..\\secret.csv",
        "/etc/passwd",
        "m1//etc/passwd",
        "../m1/plain.csv",
    ] {
        place.refused(key).await;
    }
    // `Path::from` encodes what `Path::parse` refuses.
    for key in [
        "m1/../secret.csv",
        "m1/%2e%2e/secret.csv",
        "m1/folder/.%2e/..%2f../secret.csv",
    ] {
        assert!(place.store().get(&Path::from(key)).await.is_err(), "{key}");
        assert!(
            place
                .store()
                .get(&Path::from_url_path(key).unwrap_or_default())
                .await
                .is_err(),
            "{key}"
        );
        assert!(place.listed(key).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn another_mount_is_not_there() {
    let place = place();
    for key in ["m2/plain.csv", "plain.csv", "", "M1/plain.csv", "m1x/plain.csv"] {
        place.refused(key).await;
    }
    assert!(place.listed("m2").await.is_err());
    assert!(place.store().list(None).try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn nothing_can_be_written() {
    let place = place();
    let store = place.store();
    let (from, to) = (Path::from("m1/plain.csv"), Path::from("m1/new.csv"));
    assert!(store.put(&to, PutPayload::from_static(b"x")).await.is_err());
    assert!(store.put_multipart(&to).await.is_err());
    assert!(store.delete(&from).await.is_err());
    assert!(store.copy(&from, &to).await.is_err());
    assert!(store.copy_if_not_exists(&from, &to).await.is_err());
    assert!(store.rename(&from, &to).await.is_err());
    assert_eq!(fs::read_to_string(place.root.join("plain.csv")).unwrap(), "0123456789");
    assert!(!place.root.join("new.csv").exists());
}

#[tokio::test]
async fn ranges_outside_the_file_fail_and_are_recorded_as_failed() {
    let place = place();
    let path = Path::from("m1/plain.csv");
    #[expect(clippy::reversed_empty_ranges, reason = "a broken footer could ask for it")]
    let odd = [0..11, 10..12, 7..3, u64::MAX - 1..u64::MAX, 0..u64::MAX];
    for range in odd {
        assert!(
            place
                .store()
                .get_ranges(&path, std::slice::from_ref(&range))
                .await
                .is_err(),
            "{range:?}"
        );
    }
    let access = place.access("plain.csv");
    assert_eq!((access.requests, access.failures, access.bytes), (5, 5, 0));
    assert!(access.ranges.is_empty());
}

#[tokio::test]
async fn every_request_is_recorded() {
    let place = place();
    let path = Path::from("m1/plain.csv");
    place.store().head(&path).await.unwrap();
    place.store().get_ranges(&path, &[4..6, 0..2, 1..3]).await.unwrap();
    place.store().get_range(&path, 8..10).await.unwrap();
    place.refused("m1/absent").await;
    place.listed("m1/folder").await.unwrap();
    assert!(place.listed("m1/nowhere").await.is_err());
    let access = place.access("plain.csv");
    assert_eq!(access.store, "lake");
    assert_eq!(access.credential, None);
    assert_eq!((access.requests, access.failures), (3, 0));
    assert_eq!(access.bytes, 8);
    assert_eq!(access.ranges, [(0, 3), (4, 6), (8, 10)]);
    assert_eq!(access.size, Some(10));
    assert_eq!(access.version, place.store().head(&path).await.unwrap().e_tag);
    assert_eq!(place.access("absent").failures, 1);
    assert_eq!(
        (place.access("folder/").requests, place.access("folder/").failures),
        (1, 0)
    );
    assert_eq!(
        (place.access("nowhere/").requests, place.access("nowhere/").failures),
        (1, 1)
    );
}

/// Bytes that were never read are no evidence of anything.
#[tokio::test]
async fn a_read_that_is_abandoned_counts_what_it_read() {
    let place = place();
    fs::write(place.root.join("large"), vec![b'a'; 8 << 20]).unwrap();
    let mut stream = place.store().get(&Path::from("m1/large")).await.unwrap().into_stream();
    let first = stream.try_next().await.unwrap().unwrap().len() as u64;
    drop(stream);
    let access = place.access("large");
    assert!(
        access.bytes >= first && access.bytes < 8 << 20,
        "{} bytes",
        access.bytes
    );
    assert_eq!(access.ranges, [(0, access.bytes)]);
}

#[tokio::test]
async fn the_registry_is_frozen() {
    let place = place();
    let other: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    for url in ["file:///", "ambit://stores/", "s3://bucket/", "ambit://elsewhere/"] {
        place.stores.register_store(&Url::parse(url).unwrap(), other.clone());
    }
    for url in [
        "file:///etc/passwd",
        "s3://bucket/",
        "http://localhost/",
        "ambit://elsewhere/",
        "ambit://stores.evil/",
    ] {
        assert!(place.stores.get_store(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
    let _ = place.stores.deregister_store(&Url::parse(URL).unwrap());
    assert_eq!(place.read("m1/plain.csv").await.unwrap(), "0123456789");
}
