//! What is known of files: kinds, sizes, times, and hashes that tell them apart.

use crate::{
    Case, cases,
    folder::{FOLLOW, NOFOLLOW, root},
    refused,
};
use wasip3::{
    clocks::system_clock::Instant,
    filesystem::types::{DescriptorStat, DescriptorType, MetadataHashValue, NewTimestamp},
};

pub(crate) const CASES: &[Case] = cases![
    files,
    folders,
    missing,
    below_a_file,
    times,
    times_of_the_granted_folder,
    times_one,
    times_now,
    times_of_a_link,
    times_refused,
    hashes,
];

const ACCESSED: Instant = Instant { seconds: 42, nanoseconds: 1 };
const MODIFIED: Instant = Instant { seconds: 69, nanoseconds: 2 };

fn new() -> (NewTimestamp, NewTimestamp) {
    (NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED))
}

async fn files() {
    let root = root();
    let open = root.read_only("a.txt").await.stat().await.unwrap();
    for found in [open, root.stat_at(NOFOLLOW, "a.txt".into()).await.unwrap()] {
        assert!(matches!(found.type_, DescriptorType::RegularFile));
        assert_eq!((found.size, found.link_count), (7, 1));
        let times = [found.data_access_timestamp, found.data_modification_timestamp, found.status_change_timestamp];
        assert!(
            times.into_iter().flatten().all(|time| time.seconds > 1_700_000_000 && time.nanoseconds < 1_000_000_000)
        );
    }
}

async fn folders() {
    let root = root();
    let (own, named) = (root.stat().await.unwrap(), root.stat_at(NOFOLLOW, ".".into()).await.unwrap());
    assert!(matches!(own.type_, DescriptorType::Directory));
    assert_eq!(format!("{own:?}"), format!("{named:?}"));
}

async fn missing() {
    let root = root();
    for path in ["missing", ""] {
        refused(root.stat_at(NOFOLLOW, path.into()).await, &["NoEntry"]);
        refused(root.metadata_hash_at(NOFOLLOW, path.into()).await, &["NoEntry"]);
    }
}

async fn below_a_file() {
    let root = root();
    for path in ["a.txt/", "a.txt/.", "a.txt/below"] {
        refused(root.stat_at(NOFOLLOW, path.into()).await, &["NotDirectory"]);
    }
    for path in [".", "below"] {
        refused(root.read_only("a.txt").await.stat_at(NOFOLLOW, path.into()).await, &["NotDirectory"]);
    }
}

async fn times() {
    let root = root();
    let file = root.read_only("a.txt").await;
    let (accessed, modified) = new();
    file.set_times(accessed, modified).await.unwrap();
    assert_eq!(seen(&file.stat().await.unwrap()), ((42, 1), (69, 2)));
    root.set_times_at(NOFOLLOW, "b.txt".into(), accessed, modified).await.unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "b.txt".into()).await.unwrap()), ((42, 1), (69, 2)));
    let below = root.below("folder").await;
    below.set_times(accessed, modified).await.unwrap();
    assert_eq!(seen(&below.stat().await.unwrap()).1, (69, 2));
}

async fn times_of_the_granted_folder() {
    let root = root();
    root.set_times(new().0, new().1).await.unwrap();
    assert_eq!(seen(&root.stat().await.unwrap()).1, (69, 2));
}

async fn times_one() {
    let file = root().create("a.txt").await;
    file.set_times(new().0, new().1).await.unwrap();
    file.set_times(NewTimestamp::NoChange, new().0).await.unwrap();
    assert_eq!(seen(&file.stat().await.unwrap()), ((42, 1), (42, 1)));
    file.set_times(new().1, NewTimestamp::NoChange).await.unwrap();
    assert_eq!(seen(&file.stat().await.unwrap()), ((69, 2), (42, 1)));
}

async fn times_now() {
    let file = root().create("a.txt").await;
    file.set_times(new().0, new().1).await.unwrap();
    file.set_times(NewTimestamp::NoChange, NewTimestamp::Now).await.unwrap();
    let (accessed, modified) = seen(&file.stat().await.unwrap());
    assert_eq!(accessed, (42, 1));
    assert!(modified.0 > 1_700_000_000);
}

async fn times_of_a_link() {
    let root = root();
    root.symlink_at("a.txt".into(), "link".into()).await.unwrap();
    root.set_times_at(NOFOLLOW, "link".into(), new().0, new().1).await.unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "link".into()).await.unwrap()).1, (69, 2));
    assert_ne!(seen(&root.stat_at(NOFOLLOW, "a.txt".into()).await.unwrap()).1, (69, 2));
    root.set_times_at(FOLLOW, "link".into(), new().0, new().1).await.unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "a.txt".into()).await.unwrap()).1, (69, 2));
}

async fn times_refused() {
    let root = root();
    root.symlink_at("..".into(), "parent".into()).await.unwrap();
    for (flags, path, expected) in [
        (NOFOLLOW, "missing", "NoEntry"),
        (FOLLOW, "", "NoEntry"),
        (NOFOLLOW, "/", "NotPermitted"),
        (NOFOLLOW, "..", "NotPermitted"),
        (FOLLOW, "parent", "NotPermitted"),
        (NOFOLLOW, "../foo", "NotPermitted"),
        (NOFOLLOW, "parent/foo", "NotPermitted"),
    ] {
        refused(root.set_times_at(flags, path.into(), new().0, new().1).await, &[expected]);
    }
}

/// Equal for one file, by whatever name and opening; different for two.
async fn hashes() {
    let root = root();
    let value = |hash: MetadataHashValue| (hash.lower, hash.upper);
    let a = value(root.read_only("a.txt").await.metadata_hash().await.unwrap());
    root.link_at(NOFOLLOW, "a.txt".into(), &root, "link".into()).await.unwrap();
    for path in ["a.txt", "./a.txt", "link"] {
        assert_eq!(value(root.metadata_hash_at(NOFOLLOW, path.into()).await.unwrap()), a, "{path}");
    }
    assert_ne!(value(root.metadata_hash_at(NOFOLLOW, "b.txt".into()).await.unwrap()), a);
    assert_ne!(value(root.metadata_hash().await.unwrap()), a);
    root.symlink_at("a.txt".into(), "symbolic".into()).await.unwrap();
    assert_eq!(value(root.metadata_hash_at(FOLLOW, "symbolic".into()).await.unwrap()), a);
    assert_ne!(value(root.metadata_hash_at(NOFOLLOW, "symbolic".into()).await.unwrap()), a);
}

/// The times of access and change, as seconds and nanoseconds.
fn seen(stat: &DescriptorStat) -> ((i64, u32), (i64, u32)) {
    let pair = |time: Option<Instant>| time.map(|time| (time.seconds, time.nanoseconds)).unwrap();
    (pair(stat.data_access_timestamp), pair(stat.data_modification_timestamp))
}
