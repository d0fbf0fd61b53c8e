//! One session sees one version of a file: what changes meanwhile fails.

use std::fs;
use std::time::Duration;

use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use url::Url;

use super::stores::{URL, mounted, place};

#[tokio::test]
async fn a_session_sees_one_version_of_a_file() {
    let place = place();
    let file = place.root.join("plain.csv");
    let path = Path::from("m1/plain.csv");
    let before = place.store().head(&path).await.unwrap();
    fs::write(&file, "another").unwrap();
    assert!(place.read("m1/plain.csv").await.is_err(), "size changed");
    assert!(
        place
            .store()
            .get_ranges(&path, std::slice::from_ref(&(0..1)))
            .await
            .is_err()
    );
    let (stores, _) = mounted(&place.root);
    let fresh = stores.get_store(&Url::parse(URL).unwrap()).unwrap();
    let stale = GetOptions {
        if_match: before.e_tag,
        ..GetOptions::default()
    };
    assert!(
        fresh.get_opts(&path, stale).await.is_err(),
        "another session, an old entity tag"
    );
    assert_eq!(fresh.get(&path).await.unwrap().bytes().await.unwrap(), "another");
}

/// Same size, same time of change, as `rsync --times` and `touch --date` leave them. DataFusion's footer cache looks at
/// size and time alone.
#[tokio::test]
async fn a_replaced_file_is_another_version_whatever_its_times_say() {
    for in_place in [true, false] {
        let place = place();
        let file = place.root.join("plain.csv");
        let path = Path::from("m1/plain.csv");
        let before = place.store().head(&path).await.unwrap();
        let times = fs::metadata(&file).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let new = if in_place { file.clone() } else { place.root.join("new") };
        fs::write(&new, "9876543210").unwrap();
        fs::File::options()
            .write(true)
            .open(&new)
            .unwrap()
            .set_modified(times)
            .unwrap();
        fs::rename(&new, &file).unwrap();
        assert!(place.read("m1/plain.csv").await.is_err(), "in place: {in_place}");
        let (stores, _) = mounted(&place.root);
        let after = stores
            .get_store(&Url::parse(URL).unwrap())
            .unwrap()
            .head(&path)
            .await
            .unwrap();
        assert_ne!(after.e_tag, before.e_tag);
        assert_ne!(after.last_modified, before.last_modified, "in place: {in_place}");
    }
}

#[tokio::test]
async fn a_file_changed_while_it_is_read_fails_the_read() {
    let place = place();
    let file = place.root.join("large");
    fs::write(&file, vec![b'a'; 4 << 20]).unwrap();
    let store = place.store();
    let mut stream = store.get(&Path::from("m1/large")).await.unwrap().into_stream();
    assert!(stream.try_next().await.unwrap().is_some());
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&file, vec![b'b'; 4 << 20]).unwrap();
    let rest: Result<Vec<bytes::Bytes>, _> = stream.try_collect().await;
    assert!(rest.is_err(), "half of one version and half of another");
}
